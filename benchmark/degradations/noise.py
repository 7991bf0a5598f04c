"""Additive white Gaussian noise."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from benchmark.errors import UserError


def gaussian_noise(
    clean: Tensor, sigma: float, rng: np.random.Generator | np.random.RandomState
) -> Tensor:
    """Adds noise of standard deviation ``sigma`` (of 255), neither clipped nor rounded.

    The unit noise is drawn in float64 and only then scaled, so that one generator state gives the
    same realisation at every sigma. It is drawn pixel by pixel as (H, W, 3), as NumPy code that reads
    images does; NumPy's legacy generator then gives the noise that such code publishes with.

    Raises:
        UserError: If sigma is negative.
    """
    if sigma < 0:
        raise UserError(f"sigma {sigma:g} is negative; give a standard deviation of 0 or more")
    channels, height, width = clean.shape
    noise = rng.standard_normal((height, width, channels)) * (sigma / 255.0)
    return (clean.double() + torch.from_numpy(noise).permute(2, 0, 1)).float()
