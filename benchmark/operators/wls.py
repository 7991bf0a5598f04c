"""Edge-preserving smoothing by weighted least squares (Farbman et al., SIGGRAPH 2008).

Minimises, for each channel g of the image and one set of weights for all three::

    sum_p (u - g)^2 + lambda (a_x (du/dx)^2 + a_y (du/dy)^2),   a = 1 / (|dl|^alpha + epsilon)

with l the log-luminance of the image. alpha and epsilon are the paper's.
"""

from __future__ import annotations

import numpy as np

from benchmark.operators.five_point import FivePoint

ALPHA = 1.2
EPSILON = 1e-4

LUMA = (0.299, 0.587, 0.114)
BLACK = 1e-4
"""Added to the luminance before its logarithm is taken."""


def system(image: np.ndarray, lambda_: float) -> FivePoint:
    """Returns the normal equations ``system.times(u) = image`` of an image (H, W, 3)."""
    lightness = np.log(image @ np.array(LUMA) + BLACK)
    across, down = (
        lambda_ / (np.abs(np.diff(lightness, axis=axis)) ** ALPHA + EPSILON) for axis in (1, 0)
    )
    return FivePoint(across, down)


def weighted_least_squares(image: np.ndarray, lambda_: float) -> np.ndarray:
    """Returns the smoothed image (H, W, 3).

    Args:
        image: RGB in [0, 1], float64.
        lambda_: Weight of smoothness, above 0.
    """
    return system(image, lambda_).solve(image)
