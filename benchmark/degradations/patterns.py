"""Noise whose strength varies over the image, by a pattern."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from benchmark.errors import UserError

NAMES = ("ramp", "disc")
"""What patterns are called, from number 1."""
WEAKEST = 20.0
"""Standard deviation of the noise where a pattern is 0."""


def pattern(number: float, height: int, width: int) -> Tensor:
    """Returns a pattern (H, W) in [0, 1].

    ``ramp`` rises from the left border to the right one; ``disc`` is 1 inside a disc in the middle
    of three quarters of the shorter side, and 0 outside.

    Raises:
        UserError: If there is no pattern of that number.
    """
    if number not in range(1, len(NAMES) + 1):
        raise UserError(f"there is no pattern {number:g}; give a number from 1 to {len(NAMES)}")
    if number == 1:
        return torch.linspace(0, 1, width).expand(height, width)
    rows = torch.arange(height)[:, None] - (height - 1) / 2
    columns = torch.arange(width) - (width - 1) / 2
    return ((rows**2 + columns**2).sqrt() <= 0.375 * min(height, width)).float()


def patterned_noise(
    clean: Tensor, sigma: float, number: float, rng: np.random.Generator | np.random.RandomState
) -> Tensor:
    """Adds noise of standard deviation ``WEAKEST`` (of 255) where the pattern is 0, ``sigma`` where 1.

    In between the standard deviation follows the pattern linearly. The unit noise is that of
    ``gaussian_noise``.
    """
    channels, height, width = clean.shape
    unit = rng.standard_normal((height, width, channels))
    share = pattern(number, height, width).double().numpy()[..., None]
    noise = unit * ((WEAKEST + share * (sigma - WEAKEST)) / 255.0)
    return (clean.double() + torch.from_numpy(noise).permute(2, 0, 1)).float()
