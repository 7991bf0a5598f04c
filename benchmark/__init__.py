"""dialbench: train, sweep and compare image-restoration networks that have a dial."""

__version__ = "0.1.0"
