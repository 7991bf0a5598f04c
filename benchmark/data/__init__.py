"""Image sources, training patches and the LightningDataModule."""
