"""PSNR and SSIM of one image pair, in float64."""

from __future__ import annotations

import math

import numpy as np
from torch import Tensor

from benchmark.metrics.records import Unscorable
from benchmark.metrics.remembered import Remembered

SSIM_WINDOW = 11
SSIM_C1, SSIM_C2 = 0.01**2, 0.03**2
GAUSSIAN = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
GAUSSIAN /= GAUSSIAN.sum()


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


class Ssim:
    """The structural similarity of image pairs; local moments of clean images are kept.

    As scikit-image computes it with ``gaussian_weights`` and without ``use_sample_covariance``
    (Wang et al. 2004: an 11 x 11 Gaussian window of sigma 1.5, windows inside the image only), which
    would filter the clean image again at every level.
    """

    # Not torchmetrics: its float32 value is off by up to 1e-4 on nearly flat images, its float64
    # takes seconds an image, and its mean includes the padded border. Tests compare with both.

    def __init__(self) -> None:
        self.kept = Remembered(_moments)

    def __call__(self, restored: Tensor, clean: Tensor) -> float:
        """Returns the similarity of two (C, H, W) images in [0, 1], the mean over channels.

        Raises:
            Unscorable: If the window does not fit into the image.
        """
        height, width = clean.shape[-2:]
        if min(height, width) < SSIM_WINDOW:
            raise Unscorable(
                f"SSIM's {SSIM_WINDOW}x{SSIM_WINDOW} window does not fit into a {width}x{height} image"
            )
        pairs = zip(restored.numpy(), clean.numpy(), self.kept(clean.numpy()), strict=True)
        # One channel after the other: what is in between then stays in the processor's cache.
        return float(np.mean([_similarity(*pair) for pair in pairs]))


def _moments(clean: np.ndarray) -> list[np.ndarray]:
    """Returns local means of each channel and of its square, (2, h, w)."""
    channels = clean.astype("float64")
    return [np.stack([_blurred(one), _blurred(one * one)]) for one in channels]


def _similarity(restored: np.ndarray, clean: np.ndarray, moments: np.ndarray) -> float:
    x, y = restored.astype("float64"), clean.astype("float64")
    mean_x, (mean_y, power_y) = _blurred(x), moments
    means = mean_x * mean_y
    alike = _blurred(x * y)
    alike -= means
    alike *= 2
    alike += SSIM_C2
    means *= 2
    means += SSIM_C1
    alike *= means
    squares = mean_x * mean_x
    squares += mean_y * mean_y
    powers = _blurred(x * x)
    powers += power_y
    powers -= squares
    powers += SSIM_C2
    squares += SSIM_C1
    powers *= squares
    alike /= powers
    return float(alike.mean())


def _blurred(image: np.ndarray) -> np.ndarray:
    """Returns the Gaussian means of all whole windows of a channel (H, W)."""
    from scipy.ndimage import correlate1d

    inside = slice(SSIM_WINDOW // 2, -(SSIM_WINDOW // 2))
    rows = correlate1d(image, GAUSSIAN, axis=0)[inside]
    return correlate1d(rows, GAUSSIAN, axis=1)[:, inside]
