"""Output blending: mix the pictures of the start and the end network."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor, nn

from benchmark.control import ControlSpace
from benchmark.method import ControlMethod, Stage, between_corners, corner_stages, spread

if TYPE_CHECKING:
    from benchmark.tasks import Task

__all__ = ["Blend"]


class Blend(ControlMethod):
    """The dial that comes for free, and that every method must beat; it runs two networks.

    The networks are those of deep network interpolation, so nothing has to be trained for it:

        y(t) = (1 - t) start(x) + t end(x)

    With d dials it runs 2^d networks, one for each corner of [0, 1]^d, or d + 1 on a simplex.
    """

    axes = range(1, 4)
    spatial = True

    def build(self, backbone: nn.Module, control: ControlSpace) -> None:
        self.ends = nn.ModuleList(copy.deepcopy(backbone) for _ in control.corners[1:])

    def stages(self, task: Task) -> Sequence[Stage]:
        return corner_stages(task.space)

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        outputs = [network(x) for network in (self.backbone, *self.ends)]
        if level.ndim == 4:
            # The map covers what the networks padded too.
            height, width = outputs[0].shape[-2:]
            level = level[..., :height, :width]
        return between_corners(outputs, [spread(t, outputs[0]) for t in level.unbind(1)])
