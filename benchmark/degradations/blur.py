"""Gaussian blur."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from benchmark.errors import UserError

WINDOW = 21
"""Side of the window, as CResMD and tunable convolutions have it."""


def gaussian_blur(images: Tensor, sigma: float, window: int = WINDOW) -> Tensor:
    """Blurs (..., 3, H, W) with a Gaussian of ``sigma`` pixels; 0 leaves it as it is.

    Args:
        images: One image or a batch; the edge pixels are repeated beyond the border.
        sigma: Standard deviation.
        window: Side of the window, which cuts the Gaussian off.

    Raises:
        UserError: If sigma is negative.
    """
    if sigma < 0:
        raise UserError(f"blur {sigma:g} is negative; give a standard deviation of 0 or more")
    if sigma == 0:
        return images
    half = window // 2
    taps = torch.exp(-0.5 * (torch.arange(-half, half + 1, device=images.device) / sigma) ** 2)
    taps = (taps / taps.sum()).to(images.dtype)
    planes = images.reshape(-1, 1, *images.shape[-2:])
    padded = functional.pad(planes, (half, half, half, half), mode="replicate")
    rows = functional.conv2d(padded, taps.view(1, 1, -1, 1))
    return functional.conv2d(rows, taps.view(1, 1, 1, -1)).reshape(images.shape)
