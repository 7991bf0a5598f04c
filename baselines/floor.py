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


class Floor(ControlMethod):
    """What no method may fall below; it has no parameters and ignores the level.

    Bicubic interpolation uses a = -0.5, as MATLAB's ``imresize`` and the published tables do.
    """

    axes = range(1, 11)

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
        return F.interpolate(x, scale_factor=self.scale, mode="bicubic", antialias=True)
