"""PSNR and SSIM of one image pair, in float64."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

from benchmark.metrics.records import Unscorable

SSIM_WINDOW = 11


def shaved(image: Tensor, border: int) -> Tensor:
    """Returns a (C, H, W) image without ``border`` pixels on every side.

    Raises:
        Unscorable: If nothing is left.
    """
    height, width = image.shape[-2:]
    if min(height, width) <= 2 * border:
        raise Unscorable(f"shaving {border} pixels leaves nothing of a {width}x{height} image")
    return image[:, border : height - border, border : width - border]


def mse(restored: Tensor, clean: Tensor) -> float:
    """Returns the mean squared error of two (C, H, W) images."""
    return (restored.double() - clean.double()).square().mean().item()


def psnr(restored: Tensor, clean: Tensor) -> float:
    """Returns the peak signal-to-noise ratio of two (C, H, W) images in [0, 1], in dB.

    Raises:
        Unscorable: If the images are identical: the ratio is then infinite, and a capped number
            would be an invention.
    """
    from torchmetrics.functional.image import peak_signal_noise_ratio

    value = peak_signal_noise_ratio(
        restored[None].double(),
        clean[None].double(),
        data_range=1.0,
        dim=(1, 2, 3),
        reduction="none",
    ).item()
    if math.isinf(value):
        raise Unscorable("the images are identical, so PSNR is infinite")
    return value


def ssim(restored: Tensor, clean: Tensor) -> float:
    """Returns the structural similarity of two (C, H, W) images in [0, 1].

    Raises:
        Unscorable: If the window does not fit into the image.
    """
    # Not torchmetrics: its float32 value is off by up to 1e-4 on nearly flat images, its float64
    # takes seconds an image, and its mean includes the padded border. Tests compare the two.
    from skimage.metrics import structural_similarity

    height, width = clean.shape[-2:]
    if min(height, width) < SSIM_WINDOW:
        raise Unscorable(
            f"SSIM's {SSIM_WINDOW}x{SSIM_WINDOW} window does not fit into a {width}x{height} image"
        )
    value: Any = structural_similarity(
        clean.double().numpy(),
        restored.double().numpy(),
        data_range=1.0,
        channel_axis=0,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    return float(value)
