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
        self.kept = Remembered(lambda image: [_blurred(image), _blurred(image * image)])

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
        x, y = restored.double().numpy(), clean.double().numpy()
        mean_y, power_y = self.kept(y)
        mean_x, power_x, product = _blurred(x), _blurred(x * x), _blurred(x * y)
        means, squares = mean_x * mean_y, mean_x * mean_x + mean_y * mean_y
        alike = (2 * means + SSIM_C1) * (2 * (product - means) + SSIM_C2)
        largest = (squares + SSIM_C1) * (power_x + power_y - squares + SSIM_C2)
        return float((alike / largest).mean(axis=(1, 2)).mean())


def _blurred(image: np.ndarray) -> np.ndarray:
    """Returns the Gaussian means of all whole windows of a (C, H, W) image."""
    from scipy.ndimage import correlate1d

    inside = slice(SSIM_WINDOW // 2, -(SSIM_WINDOW // 2))
    rows = correlate1d(image, GAUSSIAN, axis=1)[:, inside]
    return correlate1d(rows, GAUSSIAN, axis=2)[..., inside]
