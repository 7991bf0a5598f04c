"""Deep network interpolation: blend the weights of two networks."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from benchmark.control import ControlSpace
from benchmark.method import TUNE, At, Stage, WeightSpaceMethod, start_stage

if TYPE_CHECKING:
    from benchmark.tasks import Task

__all__ = ["DNI"]


class DNI(WeightSpaceMethod):
    """Deep Network Interpolation for Continuous Imagery Effect Transition (CVPR 2019; 1811.10515).

    A network is trained at the start, a copy of it is fine-tuned at the end, and all weights are
    interpolated (eq. 2; t = 1 - alpha, since the paper's alpha = 1 is the first network):

        theta(t) = (1 - t) theta_start + t theta_end

    Paper / released code / here:

    - Which: all parameters / the same, no training code exists / all parameters, norms included.
    - Running statistics of batch norms: not said / no norms / interpolated like the weights; whole
      numbers such as step counters stay those of the start network.
    """

    paper = "1811.10515"
    spatial = True

    def build(self, backbone: nn.Module, control: ControlSpace) -> None:
        self.end = copy.deepcopy(backbone)

    def stages(self, task: Task) -> Sequence[Stage]:
        end = Stage(
            "end", trains=("",), levels=At(1.0), share=TUNE, starts_from="start", network="end"
        )
        return [start_stage(), end]

    def weights(self, level: Tensor) -> dict[str, Tensor]:
        start, end = self.backbone.state_dict(keep_vars=True), self.end.state_dict(keep_vars=True)
        # torch.lerp gives either network bit for bit at its own end.
        return {
            name: torch.lerp(value, end[name], level[0])
            for name, value in start.items()
            if value.is_floating_point()
        }
