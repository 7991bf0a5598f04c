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


def bicubic_up(small: Tensor, scale: int) -> Tensor:
    """Enlarges (3, h, w) by a whole ``scale``; the result is rounded to 8 bits."""
    height, width = small.shape[-2:]
    padded = small[:, symmetric_indices(height, 2)][:, :, symmetric_indices(width, 2)]
    # With antialias, torch's kernel has MATLAB's a = -0.5.
    large = functional.interpolate(padded[None], scale_factor=scale, mode="bicubic", antialias=True)
    large = large[0, :, 2 * scale : -2 * scale, 2 * scale : -2 * scale]
    return (large.clamp(0, 1) * 255).round() / 255


def bicubic_there_and_back(clean: Tensor, scale: float) -> Tensor:
    """Shrinks (3, H, W) by a whole ``scale`` and enlarges it to its own size again.

    Sides that are no multiples are mirrored up to the next one and cut off afterwards, so that no
    pixel of the image is lost.

    Raises:
        UserError: If the scale is not a whole number of 1 or more.
    """
    factor = int(scale)
    if factor != scale or factor < 1:
        raise UserError(f"scale {scale:g} is not a whole number of 1 or more")
    height, width = clean.shape[-2:]
    rows, columns = (torch.arange(-(-side // factor) * factor) for side in (height, width))
    mirrored = [
        torch.where(at < side, at, 2 * side - 1 - at)
        for at, side in ((rows, height), (columns, width))
    ]
    whole = clean[:, mirrored[0]][:, :, mirrored[1]]
    return bicubic_up(bicubic_down(whole, factor), factor)[:, :height, :width]
