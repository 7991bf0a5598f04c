"""Estimating the noise level of an image that comes without one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from baselines.external import KINDS
from baselines.external.noise_estimator import SIDE, NoiseEstimator
from benchmark.control import ControlSpace, Level
from benchmark.errors import UserError
from benchmark.store import IMPORTED, Store

if TYPE_CHECKING:
    from torch import nn

KIND = "hyperres-estimator"


def estimator(store: Store) -> NoiseEstimator:
    """Returns the imported estimator, in evaluation mode.

    Raises:
        UserError: If it was not imported.
    """
    key = IMPORTED + KINDS[KIND].method
    if store.read_stage(key) is None:
        raise UserError(f"the noise estimator is not imported: run 'dialbench import {KIND} FILE'")
    network = NoiseEstimator()
    network.load_state_dict(store.load_stage(key))
    return network.eval().requires_grad_(False)


def estimated_level(network: nn.Module, space: ControlSpace, image: Tensor) -> Level:
    """Returns the level of the noise in an image, inside the anchors; see ``estimated_sigma``."""
    sigma, axis = estimated_sigma(image, network), space.axes[0]
    return space.spread(space.position((min(1.0, max(0.0, axis.level(sigma))),)))


def estimated_sigma(image: Tensor, network: nn.Module) -> float:
    """Returns the standard deviation of the noise in an image, of 255.

    The estimator sees crops of 128 x 128; the median over as many as fit side by side is returned.
    It was trained on images that were clipped and cut down to 8 bits, so it is shown such.

    Args:
        image: RGB (3, H, W) in [0, 1]; noise may reach beyond.
        network: What ``estimator`` returns.

    Raises:
        UserError: If the image is smaller than a crop.
    """
    height, width = image.shape[-2:]
    if min(height, width) < SIDE:
        raise UserError(
            f"the noise estimator needs {SIDE} pixels on each side, the image is {width}x{height}"
        )
    stored = (image.clamp(0, 1) * 255 + 1e-3).floor() / 255
    top, left = height % SIDE // 2, width % SIDE // 2
    inner = stored[:, top : top + height // SIDE * SIDE, left : left + width // SIDE * SIDE]
    crops = inner.unfold(1, SIDE, SIDE).unfold(2, SIDE, SIDE).flatten(1, 2).transpose(0, 1)
    with torch.inference_mode():
        return max(0.0, float(network(crops).median()))
