"""Additive white Gaussian noise."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from benchmark.errors import UserError


def gaussian_noise(clean: Tensor, sigma: float, rng: np.random.Generator) -> Tensor:
    """Adds noise of standard deviation ``sigma`` (of 255), neither clipped nor rounded.

    The unit noise is drawn in float64 and only then scaled, so that one generator state gives the
    same realisation at every sigma.

    Raises:
        UserError: If sigma is negative.
    """
    if sigma < 0:
        raise UserError(f"sigma {sigma:g} is negative; give a standard deviation of 0 or more")
    noise = rng.standard_normal(tuple(clean.shape)) * (sigma / 255.0)
    return (clean.double() + torch.from_numpy(noise)).float()
