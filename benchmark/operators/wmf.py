"""Weighted median filter guided by the image itself (Zhang et al., CVPR 2014).

Each channel becomes its weighted median over the square window, where a neighbour weighs
``exp(-|f(p) - f(q)|^2 / (2 sigma^2))`` by its distance in RGB. The paper's joint histogram needs colours
clustered to a few hundred; here colours are taken as they are, and the median of 8-bit values is found
by bisection.
"""

from __future__ import annotations

import numpy as np

SIGMA = 25.5 / 255
"""Standard deviation of the weights, for intensities in [0, 1]."""

STRIP = 4096
"""Pixels worked on at once: their windows should fit into a processor's cache."""


def weighted_median(image: np.ndarray, radius: float) -> np.ndarray:
    """Returns the filtered image (H, W, 3), whose values are whole 8-bit levels.

    Args:
        image: RGB in [0, 1], float64; taken as whole 8-bit levels.
        radius: Half the window: it has 2 radius + 1 pixels a side, fewer at the border.
    """
    reach = int(radius)
    levels = np.round(image * 255).astype(np.uint8)
    height, width = levels.shape[:2]
    padded = np.pad(levels, ((reach, reach), (reach, reach), (0, 0)))
    inside = np.pad(np.ones((height, width), bool), reach)
    filtered = np.empty_like(levels)
    rows = max(1, STRIP // width)
    for top in range(0, height, rows):
        strip = slice(top, min(top + rows, height))
        colours = _windows(padded, strip, reach)
        weights = _weights(colours, levels[strip]) * _windows(inside, strip, reach)
        for channel in range(3):
            filtered[strip, :, channel] = _median(colours[..., channel], weights)
    return filtered / 255.0


def _windows(padded: np.ndarray, strip: slice, reach: int) -> np.ndarray:
    """Returns every pixel's window for the rows of a strip, with the window as the first axis."""
    width = padded.shape[1] - 2 * reach
    steps = range(2 * reach + 1)
    return np.stack(
        [
            padded[strip.start + down : strip.stop + down, across : across + width]
            for down in steps
            for across in steps
        ]
    )


def _weights(colours: np.ndarray, centre: np.ndarray) -> np.ndarray:
    difference = (colours.astype(np.float32) - centre) / np.float32(255)
    distance = np.einsum("...c,...c->...", difference, difference)
    return np.exp(distance * np.float32(-0.5 / SIGMA**2))


def _median(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Returns the smallest level up to which at least half of the weight lies."""
    half = weights.sum(axis=0) / 2
    low = np.zeros(half.shape, np.uint8)
    for bit in (128, 64, 32, 16, 8, 4, 2, 1):
        # The median is above a level if less than half of the weight lies up to that level.
        level = low + np.uint8(bit - 1)
        below = np.einsum("k...,k...->...", weights, values <= level)
        low += np.uint8(bit) * (below < half)
    return low
