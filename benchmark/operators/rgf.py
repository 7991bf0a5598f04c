"""Rolling guidance filter (Zhang et al., ECCV 2014).

A Gaussian filter first removes everything smaller than its sigma; joint bilateral filters of the
image, each guided by the previous result, then let the edges of what is left grow back::

    J(p) <- sum_q g(p - q) k(J(p) - J(q)) I(q) / sum_q g(p - q) k(J(p) - J(q))

Each channel is filtered by itself. The Gaussian k of the guidance is written as a cosine series, by
which the sums over q become Gaussian filters of a few images, exact to ``PRECISION`` standard
deviations of k: the result is that of the brute-force double sum at a cost that does not grow with
the window.
"""

from __future__ import annotations

import numpy as np

SIGMA_RANGE = 0.05
"""Standard deviation of k, for intensities in [0, 1]."""

ROUNDS = 4
"""Guidance starts constant, which makes the first round the Gaussian filter."""

PRECISION = 5.5
TRUNCATE = 4.0
"""Where the spatial Gaussian ends, in standard deviations."""


def rolling_guidance(image: np.ndarray, sigma: float) -> np.ndarray:
    """Returns the filtered image (H, W, 3).

    Args:
        image: RGB in [0, 1], float64.
        sigma: Standard deviation of the spatial Gaussian in pixels; smaller structure goes.
    """
    return rolled(image, np.zeros_like(image), sigma, ROUNDS)


def rolled(image: np.ndarray, guidance: np.ndarray, sigma: float, rounds: int) -> np.ndarray:
    """Returns the image (H, W, 3) after some rounds that start from a guidance of its shape."""
    # Single precision halves the time; the sums below never fall under 1 / (2 pi sigma^2).
    planes, result = (one.transpose(2, 0, 1).astype(np.float32) for one in (image, guidance))
    rows, columns = (gaussian_matrix(length, sigma) for length in planes.shape[1:])

    def blur(stack: np.ndarray) -> np.ndarray:
        return rows @ stack @ columns.T

    for _ in range(rounds):
        result = _joint_bilateral(planes, result, blur)
    return result.transpose(1, 2, 0).astype(np.float64)


def _joint_bilateral(planes: np.ndarray, guidance: np.ndarray, blur) -> np.ndarray:
    spread = float(guidance.max() - guidance.min())
    # Long enough that the nearest copy of k is out of reach of every difference.
    period = spread + PRECISION * SIGMA_RANGE
    terms = int(np.ceil(PRECISION * period / (2 * np.pi * SIGMA_RANGE)))
    above = blur(planes)
    below = np.ones_like(above)
    for n in range(1, terms + 1):
        frequency = 2 * np.pi * n / period
        amplitude = np.float32(2 * np.exp(-((SIGMA_RANGE * frequency) ** 2) / 2))
        phase = np.float32(frequency) * guidance
        for wave in (np.cos(phase), np.sin(phase)):
            above += amplitude * wave * blur(wave * planes)
            below += amplitude * wave * blur(wave)
    return above / below


def gaussian_matrix(length: int, sigma: float) -> np.ndarray:
    """Returns the Gaussian filter of a line mirrored at its end samples, as a matrix, float32."""
    from scipy.ndimage import gaussian_filter1d

    return gaussian_filter1d(
        np.eye(length), sigma, axis=0, mode="mirror", truncate=TRUNCATE
    ).astype(np.float32)
