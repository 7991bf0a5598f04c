"""Bicubic resizing as MATLAB's imresize does it: cubic a = -0.5, anti-aliased, mirrored border."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from benchmark.errors import UserError


def symmetric_indices(length: int, pad: int) -> Tensor:
    """Returns indices that extend a line by ``pad`` on both sides, repeating the edge sample."""
    period = torch.cat([torch.arange(length), torch.arange(length - 1, -1, -1)])
    return period[torch.arange(-pad, length + pad) % (2 * length)]


def bicubic_down(clean: Tensor, scale: int) -> Tensor:
    """Shrinks (3, H, W) by a whole ``scale``; the result is rounded to 8 bits, as it would be stored.

    torch's anti-aliased bicubic equals MATLAB's away from borders, where torch renormalises the
    kernel instead of mirroring the image; so the image is mirrored first and the margin cut off.

    Raises:
        UserError: If H or W is not a multiple of ``scale``.
    """
    height, width = clean.shape[-2:]
    if height % scale or width % scale:
        raise UserError(f"an image of {width}x{height} cannot be shrunk by {scale}: crop it first")
    pad = 4 * scale
    padded = clean[:, symmetric_indices(height, pad)][:, :, symmetric_indices(width, pad)]
    size = (padded.shape[-2] // scale, padded.shape[-1] // scale)
    small = functional.interpolate(padded[None], size=size, mode="bicubic", antialias=True)[0]
    small = small[:, 4:-4, 4:-4]
    return (small.clamp(0, 1) * 255).round() / 255
