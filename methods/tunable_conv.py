"""Tunable convolutions: every layer mixes p kernels and biases by an affine map of the objectives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from benchmark.control import ControlSpace
from benchmark.method import (
    JOINT,
    Stage,
    Uniform,
    WeightSpaceMethod,
    free_parameters,
    layers,
    mixed,
)

if TYPE_CHECKING:
    from benchmark.tasks import Task

__all__ = ["TunableConv"]

RATE = 0.1
"""r: how far the learnt part of alpha moves in a step, next to a kernel."""


class TunableConv(WeightSpaceMethod):
    """Tunable Convolutions with Parametric Multi-Loss Optimization (CVPR 2023; 2304.00898).

    For p objectives weighted by omega, every layer holds p kernels and biases and an affine map of
    its own (eq. 3 to 5); all is trained jointly for random omega, the loss weighted by omega too:

        k(omega) = sum_i alpha_i k_i,   b(omega) = sum_i alpha_i b_i,   alpha = omega + r (M omega + m)

    Per layer, paper / released code / here:

    - Which: any / convolutions, dense layers, scales of branches and position tables, never norms /
      every parameter that belongs to no norm; kernel and bias of a layer share alpha.
    - alpha: an MLP / one linear layer, no activation / the same, as omega and what is learnt beside
      it. An alpha moves a whole layer at once, so a step of the rate that suits kernels is too long
      for it: r = 0.1 makes it ten times shorter.
    - omega: each drawn from U(0, 1) / - (inference only) / omega = (1 - sum t, t_1 .. t_d) at level
      t, p = d + 1: the weights of the suite's objectives. A t per batch or per sample: the harness.
    - Start: - / kernels normal with std .01, slots different, M normal, so that k starts near 0 /
      all slots are copies of the backbone's own start, M = m = 0: a plain network at each level.

    Slot 0 is the backbone's own parameter.

    Args:
        expand: Slots per objective (the paper's e); slots beyond the first p start with a noise of
            a tenth of their standard deviation, and share the weight of their objective.
    """

    paper = "2304.00898"
    spatial = True
    recordable = True
    axes = range(1, 11)

    def __init__(self, expand: int = 1):
        super().__init__()
        if expand < 1:
            raise ValueError(f"tunable convolutions need expand=1 or more, not {expand}")
        self.expand = expand

    def build(self, backbone: nn.Module, control: ControlSpace) -> None:
        p = control.d + 1
        self.tuned_together = [
            *(
                [f"{name}.{key}" for key, _ in layer.named_parameters(recurse=False)]
                for name, layer in layers(backbone).items()
            ),
            *([name] for name in free_parameters(backbone)),
        ]
        # M and m of every layer, one above the other.
        self.phi = nn.Linear(p, len(self.tuned_together) * p * self.expand)
        nn.init.zeros_(self.phi.weight)
        nn.init.zeros_(self.phi.bias)
        self.slots = nn.ParameterList()
        for names in self.tuned_together:
            for own in map(backbone.get_parameter, names):
                slots = own.detach().flatten().repeat(p * self.expand - 1, 1)
                if self.expand > 1:
                    slots[p - 1 :] += 0.1 * own.std(correction=0) * torch.randn_like(slots[p - 1 :])
                self.slots.append(slots)

    def stages(self, task: Task) -> Sequence[Stage]:
        return [Stage("joint", trains=("",), levels=Uniform(), share=JOINT)]

    def weights(self, level: Tensor) -> dict[str, Tensor]:
        omega = torch.cat([1 - level.sum(0, keepdim=True), level])
        learnt = RATE * self.phi(omega).view(len(self.tuned_together), -1)
        alphas = omega.repeat(self.expand) / self.expand + learnt
        names = [name for together in self.tuned_together for name in together]
        rows = [row for row, together in enumerate(self.tuned_together) for _ in together]
        own = dict(self.backbone.named_parameters(remove_duplicate=False))
        kernels = mixed(alphas, rows, [own[name] for name in names], [*self.slots])
        return dict(zip(names, kernels, strict=True))
