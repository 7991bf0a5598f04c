"""NIQE through ``pyiqa``, with the original model from ``benchmark.assets``.

pyiqa is licensed for non-commercial use and takes seconds to import: it is imported here only.
"""

from __future__ import annotations

import math
import warnings

import torch
from torch import Tensor

from benchmark import assets
from benchmark.metrics.records import Unscorable

BLOCK = 96


class Niqe:
    """NIQE of single images with pyiqa's default settings (see ``benchmark.metrics.records``)."""

    def __init__(self, offline: bool = False):
        """Builds pyiqa's metric on the CPU.

        Raises:
            UserError: If the model cannot be had.
        """
        path = assets.path("niqe", offline)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pyiqa

            self.model = pyiqa.create_metric("niqe", device="cpu", pretrained_model_path=str(path))
        # For good, since threads that score side by side share one list of filters.
        warnings.filterwarnings("ignore", module="pyiqa")

    @torch.no_grad()
    def __call__(self, restored: Tensor, clean: Tensor | None = None) -> float:
        """Returns the NIQE of a (3, H, W) image in [0, 1]; ``clean`` is not looked at.

        Raises:
            Unscorable: If the image holds no whole block, or is too flat for its statistics.
        """
        height, width = restored.shape[-2:]
        if min(height, width) < BLOCK:
            raise Unscorable(
                f"NIQE needs {BLOCK} pixels on each side, the image is {width}x{height}"
            )
        try:
            value = self.model(restored[None]).item()
        except torch.linalg.LinAlgError:  # pyright: ignore[reportPrivateImportUsage]
            value = math.nan
        if not math.isfinite(value):
            raise Unscorable("the image is too flat for NIQE's statistics")
        return value
