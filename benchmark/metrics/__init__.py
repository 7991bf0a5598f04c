"""Metric records over torchmetrics and lpips, and the protocols they are computed under."""
