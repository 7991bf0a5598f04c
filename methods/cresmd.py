"""CResMD: the level scales every residual branch, and the residual added to the input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor, nn

from benchmark.control import ControlSpace
from benchmark.method import (
    JOINT,
    Layer,
    Norm,
    Sparse,
    Stage,
    Uniform,
    WeightSpaceMethod,
    block_ends,
    channels,
    from_output_rows,
    layers,
    output_rows,
)

if TYPE_CHECKING:
    from benchmark.tasks import Task

__all__ = ["CResMD"]


class CResMD(WeightSpaceMethod):
    """Interactive Multi-dimension Modulation with Dynamic Controllable Residual Learning (ECCV 2020).

    arXiv 1912.05293. A condition t, one number per kind of degradation, scales each residual
    branch per channel, and the residual of the whole network; all is trained jointly:

        y = x + s_i(t) * branch_i(x),    out = in + s_g(t) * net(in),    s(t) = W t + b

    Per layer, paper / released code / here:

    - Which: residual blocks and the global residual / the same / the last layer or norm of every
      residual block, and the network's last layer, whatever is added to its output.
    - t: degradation over its largest / blur / 4, sigma / 50, (102 - quality) / 92 / the level.
    - Levels: one, two or all degradations / the same, each by Beta(0.5, 1), drawn once per image /
      the same where the level says how bad the input is (``Sparse``), uniform elsewhere.
    - Start: - / W kaiming-normal x 0.1, b = 0, so that s = 0 at t = 0 / W = 0, b = 1: a plain
      network at each level, as a backbone may lack the skip from the input that s = 0 leaves.
    - Zero starting point, identity at t = 0: wished for; taught by clean images with t = 0 / not
      guaranteed, b is trained / not guaranteed; the level 0 of ``blur-noise`` is clean.
    """

    paper = "1912.05293"
    spatial = True
    recordable = True
    axes = range(1, 11)

    def build(self, backbone: nn.Module, control: ControlSpace) -> None:
        last = list(layers(backbone).items())[-1]
        ends = dict([*block_ends(backbone).items(), last])
        self.names = list(ends)
        self.scales = nn.ModuleList(nn.Linear(control.d, _width(end)) for end in ends.values())
        for scale in self.scales:
            nn.init.zeros_(scale.weight)
            nn.init.ones_(scale.bias)

    def stages(self, task: Task) -> Sequence[Stage]:
        levels = Sparse() if task.kind == "degradation" else Uniform()
        return [Stage("joint", trains=("",), levels=levels, share=JOINT)]

    def weights(self, level: Tensor) -> dict[str, Tensor]:
        weights = {}
        for name, scale in zip(self.names, self.scales, strict=True):
            end, s = self.backbone.get_submodule(name), scale(level)
            weights[f"{name}.weight"] = _scaled(end, s)
            if end.bias is not None:
                weights[f"{name}.bias"] = s * end.bias
        return weights


def _width(end: Layer | Norm) -> int:
    return len(end.weight) if isinstance(end, Norm) else channels(end)[1]


def _scaled(end: Layer | Norm, s: Tensor) -> Tensor:
    """Returns the weight that gives every output channel times ``s`` (C,)."""
    if isinstance(end, Norm):
        return s * end.weight
    return from_output_rows(end, s[:, None] * output_rows(end, end.weight))
