"""FFDNet, trained by its authors: its dial is the noise level that it is told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor, nn

from baselines.external import ffdnet
from benchmark.control import ControlSpace
from benchmark.method import ControlMethod, Stage, imported_stage

if TYPE_CHECKING:
    from benchmark.tasks import Task

__all__ = ["FFDNet"]


NOISE = (("degradation", "gaussian_noise"), ("degradation", "patterned_noise"))
"""Kinds of tasks and degradations that leave Gaussian noise and nothing else."""


class FFDNet(ControlMethod):
    """The authors' colour FFDNet, whose dial is the noise level it is given.

    Its weights come from ``dialbench import``; the backbone of the run is not used.
    """

    paper = "1710.04026"
    anchored = False
    spatial = True
    imports = "ffdnet FILE"

    def build(self, backbone: nn.Module, control: ControlSpace) -> None:
        self.backbone = ffdnet.FFDNet()

    def stages(self, task: Task) -> Sequence[Stage]:
        return [imported_stage("ffdnet")]

    def skip(self, task: Task) -> str | None:
        wrong = "it removes Gaussian noise and nothing else"
        made = (task.kind, task.degradation)
        return super().skip(task) or (wrong if made not in NOISE else None)

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        axis = self.control.axes[0]
        sigma = axis.start + level * (axis.end - axis.start)
        return self.backbone(x, sigma / 255)
