"""Smoothing by L0 gradient minimisation (Xu et al., SIGGRAPH Asia 2011).

Minimises ``sum_p (S - I)^2 + lambda C(S)``, where C counts the pixels at which any channel has a
gradient. As in the paper, half-quadratic splitting alternates between hard-thresholding the
gradients and a least-squares problem that the Fourier transform solves exactly, while the coupling
beta doubles from 2 lambda up to 1e5. So the image is taken to be periodic.
"""

from __future__ import annotations

import numpy as np

KAPPA = 2.0
BETA_MAX = 1e5


def l0_smoothing(image: np.ndarray, lambda_: float) -> np.ndarray:
    """Returns the smoothed image (H, W, 3); it can overshoot [0, 1] slightly.

    Args:
        image: RGB in [0, 1], float64.
        lambda_: Price of a pixel that has a gradient, above 0.
    """
    from scipy.fft import irfft2, rfft2

    planes = image.transpose(2, 0, 1)
    data = rfft2(planes)
    laplacian = _laplacian_spectrum(*image.shape[:2])
    smooth, beta = planes, 2 * lambda_
    while beta < BETA_MAX:
        across = np.roll(smooth, -1, axis=2) - smooth
        down = np.roll(smooth, -1, axis=1) - smooth
        kept = (across**2 + down**2).sum(axis=0) >= lambda_ / beta
        across, down = across * kept, down * kept
        divergence = across - np.roll(across, 1, axis=2) + down - np.roll(down, 1, axis=1)
        spectrum = (data - beta * rfft2(divergence)) / (1 + beta * laplacian)
        smooth = irfft2(spectrum, s=image.shape[:2])
        beta *= KAPPA
    return smooth.transpose(1, 2, 0)


def _laplacian_spectrum(height: int, width: int) -> np.ndarray:
    """Returns the eigenvalues of the negative periodic Laplacian in the layout of ``rfft2``."""
    rows = 2 - 2 * np.cos(2 * np.pi * np.arange(height) / height)
    columns = 2 - 2 * np.cos(2 * np.pi * np.arange(width // 2 + 1) / width)
    return rows[:, None] + columns
