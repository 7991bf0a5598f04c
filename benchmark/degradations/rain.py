"""Rain streaks: bright lines of one direction, added to the image."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from benchmark.errors import UserError

MARGIN = 16
"""Pixels that a streak reaches from its middle at most, and that drops fall beyond the border."""
TILT = 25.0
"""Largest angle from the vertical, in degrees."""
LENGTH = (14.0, 26.0)
"""Shortest and longest streaks of an image, in pixels."""
WIDTH = 0.6
"""Standard deviation of a streak's profile, in pixels."""
BRIGHTNESS = (0.1, 0.5)
"""Of the faintest and the brightest streaks, where 1 is white."""


def rain(clean: Tensor, density: float, rng: np.random.Generator) -> Tensor:
    """Adds streaks to (3, H, W) in [0, 1]; the sum is clipped and rounded to 8 bits, as if stored.

    All streaks of an image have one angle and length. With one generator state, the streaks at a
    density are among those at every higher one.

    Args:
        clean: The image.
        density: Streaks per 1000 pixels.
        rng: Where angle, length, places and brightness come from.

    Raises:
        UserError: If the density is not between 0 and 1000.
    """
    if not 0 <= density <= 1000:
        raise UserError(f"rain {density:g} is not between 0 and 1000 streaks per 1000 pixels")
    angle, length = math.radians(rng.uniform(-TILT, TILT)), rng.uniform(*LENGTH)
    size = tuple(side + 2 * MARGIN for side in clean.shape[-2:])
    falls = rng.random(size) < density / 1000
    drops = torch.from_numpy(falls * rng.uniform(*BRIGHTNESS, size)).float()
    streaks = functional.conv2d(drops[None, None], _streak(angle, length)[None, None])[0]
    return ((clean + streaks).clamp(0, 1) * 255).round() / 255


def _streak(angle: float, length: float) -> Tensor:
    """Returns a line with soft sides and ends, 1 in the middle."""
    at = torch.arange(-MARGIN, MARGIN + 1, dtype=torch.float32)
    down, across = at[:, None], at[None, :]
    along = down * math.cos(angle) + across * math.sin(angle)
    aside = across * math.cos(angle) - down * math.sin(angle)
    beyond = (along.abs() - length / 2).clamp_min(0)
    return torch.exp(-(aside**2 + beyond**2) / (2 * WIDTH**2))
