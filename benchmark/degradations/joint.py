"""One of four degradations, chosen by number: what a joint network removes without being told how much."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from benchmark.degradations.jpeg import jpeg
from benchmark.degradations.noise import gaussian_noise
from benchmark.degradations.rain import rain
from benchmark.degradations.resize import bicubic_there_and_back
from benchmark.errors import UserError

SCALE, SIGMA, QUALITY, RAIN = (2, 4), (10, 70), (20, 10), (1, 10)
"""Lightest and heaviest, as decouple learning has them; rain in streaks per 1000 pixels."""


def one_of_four(clean: Tensor, number: float, strength: float, rng: np.random.Generator) -> Tensor:
    """Degrades (3, H, W) by scaling there and back (1), noise (2), JPEG (3) or rain (4).

    Args:
        clean: The image.
        number: Which degradation.
        strength: From 0, the lightest, to 1, the heaviest.
        rng: Where noise and rain come from.

    Raises:
        UserError: If there is no degradation of that number.
    """

    def between(ends: tuple[float, float]) -> float:
        return ends[0] + strength * (ends[1] - ends[0])

    match number:
        case 1:
            return bicubic_there_and_back(clean, round(between(SCALE)))
        case 2:
            return gaussian_noise(clean, between(SIGMA), rng)
        case 3:
            return jpeg(clean, round(between(QUALITY)))
        case 4:
            return rain(clean, between(RAIN), rng)
    raise UserError(f"there is no degradation {number:g}; choose a whole number from 1 to 4")
