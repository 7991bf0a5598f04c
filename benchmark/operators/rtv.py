"""Structure from texture by relative total variation (Xu et al., SIGGRAPH Asia 2012).

Minimises ``sum_p (S - I)^2 + lambda sum_x,y D / (L + epsilon)``, where the windowed total variation
``D = G * |dS|`` is large for texture and structure and the windowed inherent variation
``L = |G * dS|`` for structure only. Each round fixes, for both directions d, the weights::

    u = 1 / max(|G * dS|, epsilon),   w = 1 / max(|grad S|, epsilon_s)

and solves the linear system of ``sum (S - I)^2 + lambda/2 sum u w (dS)^2``. So does the authors'
program, whose results the literature compares with; it also halves sigma after every round. The
paper has lambda for lambda/2, a second window around u, sums for the maxima, |dS| for |grad S| and
one sigma: that blurs the edges of structure. Absolute values are averaged over the channels, which
therefore share their weights.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmark.operators.five_point import FivePoint

EPSILON = 1e-3
EPSILON_S = 0.02
ROUNDS = 4
SIGMA_MIN = 0.5


def system(structure: np.ndarray, lambda_: float, sigma: float) -> FivePoint:
    """Returns the normal equations of a round.

    Args:
        structure: The estimate that the round starts from, (H, W, 3).
        lambda_: As of ``relative_total_variation``.
        sigma: The round's own; see ``rounds``.
    """
    from scipy.ndimage import gaussian_filter

    across, down = np.diff(structure, axis=1), np.diff(structure, axis=0)
    squared = np.pad(across**2, ((0, 0), (0, 1), (0, 0))) + np.pad(
        down**2, ((0, 1), (0, 0), (0, 0))
    )
    w = 1 / np.maximum(np.sqrt(squared).mean(axis=2), EPSILON_S)
    windowed = gaussian_filter(structure, sigma, axes=(0, 1))

    def u(axis: int) -> np.ndarray:
        inherent = np.abs(np.diff(windowed, axis=axis)).mean(axis=2)
        return 1 / np.maximum(inherent, EPSILON)

    return FivePoint(lambda_ / 2 * u(1) * w[:, :-1], lambda_ / 2 * u(0) * w[:-1])


def rounds(
    image: np.ndarray, lambda_: float, sigma: float
) -> Iterator[tuple[FivePoint, np.ndarray]]:
    """Yields every round's normal equations and their solution (H, W, 3)."""
    structure = image
    for _ in range(ROUNDS):
        equations = system(structure, lambda_, sigma)
        structure = equations.solve(image)
        yield equations, structure
        sigma = max(sigma / 2, SIGMA_MIN)


def relative_total_variation(image: np.ndarray, lambda_: float, sigma: float) -> np.ndarray:
    """Returns the structure of an image (H, W, 3).

    Args:
        image: RGB in [0, 1], float64.
        lambda_: Weight of smoothness, above 0.
        sigma: Largest size of texture: standard deviation of the window G, in pixels.
    """
    *_, (_, structure) = rounds(image, lambda_, sigma)
    return structure
