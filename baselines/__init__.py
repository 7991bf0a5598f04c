"""Baselines: the method contract without a learned dial."""
