"""Experts: one network for each of a few levels, trained for that level alone."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor, nn

from benchmark.control import ControlSpace, Level
from benchmark.method import JOINT, TUNE, At, LevelError, Stage, WeightSpaceMethod, start_stage

if TYPE_CHECKING:
    from benchmark.tasks import Task

__all__ = ["Experts"]

SAME = 1e-5
"""How far two levels may be apart that are one, rounded."""


class Experts(WeightSpaceMethod):
    """The ceiling: what the backbone reaches when it has to serve one level only.

    The first expert is the start network; the others are fine-tuned from it, with the budget that
    every two-stage method has. There is nothing between the levels.

    Args:
        count: Number of experts, at evenly spaced levels from start to end; an axis whose values
            have names gets one for each of them.
        alone: Whether each is trained from its own beginning, with the whole budget, instead.
        at: Where they stand besides the start instead, in the task's unit: ``25+50``.
    """

    axes = range(2)

    def __init__(self, count: int = 3, alone: bool = False, at: str | float = ""):
        super().__init__()
        if count < 2:
            raise ValueError(f"experts need at least the two end levels, not count={count}")
        self.count, self.alone = count, alone
        try:
            # A single number is read as one.
            self.at = [float(value) for value in str(at).split("+")] if at != "" else []
        except ValueError:
            raise ValueError(f"at={at} is not like at=25+50") from None
        if self.at and count != 3:
            raise ValueError(
                f"experts stand evenly (count={count}) or where at={at} says, not both"
            )

    def build(self, backbone: nn.Module, control: ControlSpace) -> None:
        # Where nothing turns there is one level, and the start network is its expert.
        self.points: list[Level] = [(point,) for point in control.axes[0].line(self.count)]
        if self.at:
            asked = (control.level_of((value,)) for value in self.at)
            self.points = sorted({self.points[0], *asked})
        self.networks = nn.ModuleList(copy.deepcopy(backbone) for _ in self.points[1:])

    def stages(self, task: Task) -> Sequence[Stage]:
        names = ["backbone", *(f"networks.{index}" for index in range(len(self.networks)))]
        if self.alone:
            return [
                Stage(f"expert-{index}", ("",), At(*point), share=JOINT, network=name)
                for index, (point, name) in enumerate(zip(self.points, names, strict=True))
            ]
        tuned = [
            Stage(
                f"expert-{index + 1}",
                trains=("",),
                levels=At(*point),
                share=TUNE,
                starts_from="start",
                network=name,
            )
            for index, (point, name) in enumerate(zip(self.points[1:], names[1:], strict=True))
        ]
        return [start_stage(), *tuned]

    def skip(self, task: Task) -> str | None:
        few = "answers at a few levels only, so its dial cannot be set to an estimate"
        return super().skip(task) or (few if task.dial == "estimate" else None)

    def only_levels(self, task: Task) -> tuple[Level, ...]:
        # Levels of physical values are rounded, and may end in another digit.
        known = (*task.grid, *(task.space.level_of((value,)) for value in self.at))
        spread = (task.space.spread(point) for point in self.points)
        near = (next((own for own in known if abs(own[0] - one[0]) < SAME), one) for one in spread)
        return tuple(near)

    def weights(self, level: Tensor) -> dict[str, Tensor]:
        for point, network in zip(self.points, [self.backbone, *self.networks], strict=True):
            if abs(level[0] - point[0]) < SAME:
                return network.state_dict(keep_vars=True)
        known = ", ".join(f"{point[0]:g}" for point in self.points)
        raise LevelError(f"there is no expert at level {level[0]:g}; ask for one of: {known}")
