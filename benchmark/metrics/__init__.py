"""Metric records over torchmetrics, lpips and pyiqa, and the protocols they are computed under."""
