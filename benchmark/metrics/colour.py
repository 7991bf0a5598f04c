"""Colour spaces that scores are computed in."""

from __future__ import annotations

from torch import Tensor

# ITU-R BT.601 as in MATLAB's rgb2ycbcr, for images in [0, 1].
OFFSET = 16.0 / 255
WEIGHTS = (65.481 / 255, 128.553 / 255, 24.966 / 255)


def y601(image: Tensor) -> Tensor:
    """Returns the BT.601 luma of MATLAB's rgb2ycbcr, not rounded.

    PSNR on this luma is 20 log10(255 / 219) = 1.32 dB above PSNR on a full-range luma.

    Args:
        image: RGB in [0, 1], shape (..., 3, H, W).

    Returns:
        Luma in [16/255, 235/255], shape (..., 1, H, W).
    """
    red, green, blue = image.unbind(-3)
    luma = OFFSET + WEIGHTS[0] * red + WEIGHTS[1] * green + WEIGHTS[2] * blue
    return luma.unsqueeze(-3)


def drift(restored: Tensor, clean: Tensor) -> float:
    """Returns how far the mean colour moved, in 8-bit levels, averaged over the channels.

    Networks interpolated between two that are far apart shift colours (FTN, arXiv:2010.02270,
    figure 8), which PSNR hardly shows.

    Args:
        restored: RGB in [0, 1], shape (3, H, W).
        clean: The same shape and range.
    """
    means = [image.double().mean(dim=(1, 2)) for image in (restored, clean)]
    return 255 * (means[0] - means[1]).abs().mean().item()
