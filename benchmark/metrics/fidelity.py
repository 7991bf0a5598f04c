"""PSNR and SSIM of one image pair, in float64."""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor

from benchmark.metrics.records import Unscorable
from benchmark.metrics.remembered import Remembered

SSIM_WINDOW = 11
SSIM_C1, SSIM_C2 = 0.01**2, 0.03**2
SSIM_SIGMA = 1.5
BLOCK = 64
"""Windows that one matrix product averages at a time."""


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
    would filter the clean image again at every level, and holds back other threads meanwhile.
    """

    # Not torchmetrics: its float32 value is off by up to 1e-4 on nearly flat images, its float64
    # takes seconds an image, and its mean includes the padded border. Tests compare with both.

    def __init__(self) -> None:
        self.kept = Remembered(_clean_moments)

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
        x, y = restored.double(), clean.double()
        mean_y, power_y = self.kept(clean)
        mean_x, power_x, product = _window_means(torch.stack([x, x * x, x * y]))
        means, squares = mean_x * mean_y, (mean_x * mean_x).addcmul_(mean_y, mean_y)
        alike = (2 * means).add_(SSIM_C1).mul_((product - means).mul_(2).add_(SSIM_C2))
        spread = (squares + SSIM_C1).mul_((power_x + power_y).sub_(squares).add_(SSIM_C2))
        return alike.div_(spread).mean((-2, -1)).mean().item()


def _clean_moments(clean: Tensor) -> list[Tensor]:
    y = clean.double()
    return list(_window_means(torch.stack([y, y * y])))


def _window_means(images: Tensor) -> Tensor:
    """Returns the Gaussian means of all windows that lie inside images (..., H, W): (..., w, h)."""
    return _means_along(_means_along(images).transpose(-1, -2))


@functools.cache
def _band() -> Tensor:
    """Returns the matrix (BLOCK + 10, BLOCK) whose columns are the window, one step further each."""
    places = torch.arange(BLOCK + SSIM_WINDOW - 1, dtype=torch.float64)
    away = places[:, None] - SSIM_WINDOW // 2 - places[:BLOCK]
    weights = torch.exp(-0.5 * (away / SSIM_SIGMA) ** 2)
    weights[away.abs() > SSIM_WINDOW // 2] = 0
    return weights / weights.sum(0)


def _means_along(lines: Tensor) -> Tensor:
    """Returns the Gaussian means of all windows along lines (..., n): (..., n - 10).

    As products with a band matrix, ``BLOCK`` windows at a time: faster than a convolution.
    """
    count = lines.shape[-1] - SSIM_WINDOW + 1
    padded = torch.nn.functional.pad(lines, (0, -count % BLOCK))
    blocks = padded.unfold(-1, BLOCK + SSIM_WINDOW - 1, BLOCK)
    # One flat product; torch would turn a product with so many dimensions into slow small ones.
    means = blocks.reshape(-1, blocks.shape[-1]) @ _band()
    return means.view(*lines.shape[:-1], -1)[..., :count]
