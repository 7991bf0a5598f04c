"""Output blending: mix the pictures of the start and the end network."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from benchmark.control import ControlSpace
from benchmark.method import TUNE, At, ControlMethod, Stage, spread, start_stage

if TYPE_CHECKING:
    from benchmark.tasks import Task

__all__ = ["Blend"]


class Blend(ControlMethod):
    """The dial that comes for free, and that every method must beat; it runs two networks.

    The networks are those of deep network interpolation, so nothing has to be trained for it:

        y(t) = (1 - t) start(x) + t end(x)
    """

    spatial = True

    def build(self, backbone: nn.Module, control: ControlSpace) -> None:
        self.end = copy.deepcopy(backbone)

    def stages(self, task: Task) -> Sequence[Stage]:
        end = Stage(
            "end", trains=("",), levels=At(1.0), share=TUNE, starts_from="start", network="end"
        )
        return [start_stage(), end]

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        start, end = self.backbone(x), self.end(x)
        return torch.lerp(start, end, spread(level[:, 0], start))
