"""The floor: the input as it is, or enlarged by bicubic interpolation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.control import ControlSpace
from benchmark.method import ControlMethod, Stage

if TYPE_CHECKING:
    from benchmark.tasks import Task

__all__ = ["Floor"]

MARGIN = 2
"""Pixels that the cubic kernel reaches beyond the border."""


class Floor(ControlMethod):
    """What no method may fall below; it has no parameters and ignores the level.

    Bicubic interpolation is MATLAB's ``imresize``, as in the published tables: a = -0.5 (which
    torch uses with ``antialias`` only), and a border that mirrors the image.
    """

    axes = range(11)
    spatial = True

    @torch.no_grad()
    def build(self, backbone: nn.Module, control: ControlSpace) -> None:
        probe = next(backbone.parameters()).new_zeros(1, 3, 32, 32)
        self.scale = backbone(probe).shape[-1] // probe.shape[-1]
        self.backbone = nn.Identity()

    def stages(self, task: Task) -> Sequence[Stage]:
        return []

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        if self.scale == 1:
            return x
        for axis in (-2, -1):
            first, last = x.narrow(axis, 0, MARGIN), x.narrow(axis, x.shape[axis] - MARGIN, MARGIN)
            x = torch.cat([first.flip(axis), x, last.flip(axis)], dim=axis)
        large = F.interpolate(x, scale_factor=self.scale, mode="bicubic", antialias=True)
        cut = slice(MARGIN * self.scale, -MARGIN * self.scale)
        return large[..., cut, cut]
