"""Deep network interpolation: blend the weights of two networks."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from benchmark.control import ControlSpace
from benchmark.method import JOINT, Stage, WeightSpaceMethod, between_corners, corner_stages

if TYPE_CHECKING:
    from benchmark.tasks import Task

__all__ = ["DNI"]


class DNI(WeightSpaceMethod):
    """Deep Network Interpolation for Continuous Imagery Effect Transition (CVPR 2019; 1811.10515).

    A network is trained at the start, a copy of it is fine-tuned at the end, and all weights are
    interpolated (eq. 2; t = 1 - alpha, since the paper's alpha = 1 is the first network):

        theta(t) = (1 - t) theta_start + t theta_end

    Paper / released code / here:

    - More than two networks: a convex combination, weights free / - / with d dials one network for
      each corner of [0, 1]^d, weighted by products of t_i or 1 - t_i, or of a simplex (styles),
      weighted by 1 - sum t and t_i; each is tuned from the start.
    - Which: all parameters / the same, no training code exists / all parameters, norms included.
    - Running statistics of batch norms: not said / no norms / interpolated like the weights; whole
      numbers such as step counters stay those of the start network.

    Args:
        apart: Trains every network from scratch, from random weights of its own, which the paper
            warns of: kernels at the same place then do not belong together. All see as many steps
            as a tuned one.
    """

    paper = "1811.10515"
    axes = range(1, 4)
    spatial = True
    recordable = True

    def __init__(self, apart: bool = False):
        super().__init__()
        self.apart = apart

    def build(self, backbone: nn.Module, control: ControlSpace) -> None:
        # Products of levels are not affine in them.
        self.spatial = control.d == 1 or control.simplex
        self.ends = nn.ModuleList(copy.deepcopy(backbone) for _ in control.corners[1:])
        if self.apart:
            # The same values in another order: whatever the backbone's initialisation is, as random.
            for own in self.ends.parameters():
                own.data = own.data.flatten()[torch.randperm(own.numel())].view_as(own)

    def stages(self, task: Task) -> Sequence[Stage]:
        start, *tuned = corner_stages(task.space)
        if not self.apart:
            return [start, *tuned]
        ends: list[Stage] = []
        for one in tuned:
            name, trains = f"{one.name}-apart", (f"{one.network}.",)
            before = ends[-1].name if ends else None
            ends.append(Stage(name, trains, one.levels, JOINT, starts_from=before))
        return [*ends, dataclasses.replace(start, name="start-apart", share=JOINT)]

    def weights(self, level: Tensor) -> dict[str, Tensor]:
        networks = [one.state_dict(keep_vars=True) for one in (self.backbone, *self.ends)]
        return {
            name: between_corners([one[name] for one in networks], level.unbind())
            for name, value in networks[0].items()
            if value.is_floating_point()
        }
