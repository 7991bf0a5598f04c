"""Filter transition networks: a small network turns each start kernel into an end kernel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmark.control import ControlSpace
from benchmark.method import (
    TUNE,
    At,
    Layer,
    Stage,
    WeightSpaceMethod,
    channels,
    from_output_rows,
    layers,
    output_rows,
    start_stage,
)

if TYPE_CHECKING:
    from benchmark.tasks import Task

__all__ = ["FTN"]


class FTN(WeightSpaceMethod):
    """Smoother Network Tuning and Interpolation for Continuous-level IR (2020; 2010.02270).

    Every kernel f of the frozen start network gets a filter transition network, two grouped 1 x 1
    convolutions with a PReLU between, which starts as the identity (eq. 3):

        f(t) = (1 - t) f + t FTN(f)

    Per layer, paper / released code (there is none) / here:

    - Axis: not said / - / the 1 x 1 convolutions mix output channels, as only that gives the sizes
      of the paper's Table 4 (1.83 M on AdaFM-Net; the input axis would give 1.71 M).
    - Bias and PReLU: not said / - / 1 x 1 convolutions with bias, one scalar PReLU between them.
    - Which: every convolution / - / every convolution and linear layer, the 3-channel output
      layer included; the backbone's own biases stay those of the start network.
    - Groups that do not divide the output channels / - / one group for that layer.
    - Variant "spatial": a depthwise convolution / - / 3 x 3 over the positions of the kernel, after
      the 1 x 1 ones; left out where a kernel has one position only.

    Args:
        groups: Groups of the 1 x 1 convolutions (the paper's FTN: 1, gc4: 4, gc16: 16).
        depth: Number of 1 x 1 convolutions (the paper's "deeper" has 3).
        depthwise: Whether the positions of a kernel are mixed too (the paper's "spatial").
    """

    paper = "2010.02270"
    spatial = True
    recordable = True

    def __init__(self, groups: int = 1, depth: int = 2, depthwise: bool = False):
        super().__init__()
        if depth < 1:
            raise ValueError(f"a transition needs depth=1 or more, not {depth}")
        if groups < 1:
            raise ValueError(f"a transition needs groups=1 or more, not {groups}")
        self.groups, self.depth, self.depthwise = groups, depth, depthwise

    def build(self, backbone: nn.Module, control: ControlSpace) -> None:
        self.transitions = nn.ModuleList(
            self._transition(layer) for layer in layers(backbone).values()
        )

    def stages(self, task: Task) -> Sequence[Stage]:
        tune = Stage("tune", ("transitions.",), levels=At(1.0), share=TUNE, starts_from="start")
        return [start_stage(), tune]

    def weights(self, level: Tensor) -> dict[str, Tensor]:
        found = layers(self.backbone)
        starts = [output_rows(layer, layer.weight) for layer in found.values()]
        ends, t = _ends(self.transitions, starts), level[0]
        return {
            f"{name}.weight": torch.lerp(layer.weight, from_output_rows(layer, end), t)
            for (name, layer), end in zip(found.items(), ends, strict=True)
        }

    def _transition(self, layer: Layer) -> nn.Sequential:
        """Returns grouped 1 x 1 -> PReLU -> grouped 1 x 1 ..., exactly the identity at first."""
        width = channels(layer)[1]
        groups = self.groups if width % self.groups == 0 else 1
        steps: list[nn.Module] = []
        for _ in range(self.depth):
            steps += [_Mixer(width, groups), nn.PReLU(init=1.0)]
        steps.pop()
        size = layer.weight.shape[2:]
        if self.depthwise and size.numel() > 1:
            steps.append(_Depthwise(width, size))
        return nn.Sequential(*steps)


class _Mixer(nn.Module):
    """What a grouped 1 x 1 convolution of a kernel multiplies it with, and adds."""

    def __init__(self, width: int, groups: int):
        super().__init__()
        self.weight = nn.Parameter(torch.eye(width // groups).repeat(groups, 1, 1))
        self.bias = nn.Parameter(torch.zeros(groups, width // groups, 1))


class _Depthwise(nn.Conv2d):
    """A depthwise 3 x 3 convolution over the positions of a kernel given as (C_out, n)."""

    def __init__(self, width: int, size: torch.Size):
        super().__init__(width, width, 3, padding=1, groups=width)
        self.size = size
        nn.init.dirac_(self.weight, width)
        nn.init.zeros_(self.bias)

    def forward(self, rows: Tensor) -> Tensor:
        kernels = rows.unflatten(1, (-1, *self.size)).transpose(0, 1)
        return super().forward(kernels).transpose(0, 1).flatten(1)


def _ends(transitions: Iterable[nn.Sequential], starts: Sequence[Tensor]) -> list[Tensor]:
    """Returns FTN(f) (C_out, n) of every kernel f (C_out, n), each by a transition of its own.

    Kernels of one shape take each step together, as the products of one alone are over too soon.
    """
    chains = [[*transition] for transition in transitions]
    alike: dict[object, list[int]] = {}
    for at, start in enumerate(starts):
        alike.setdefault((start.shape, len(chains[at])), []).append(at)
    ends = [*starts]
    for places in alike.values():
        kernels = torch.stack([starts[at] for at in places])
        for steps in zip(*(chains[at] for at in places), strict=True):
            kernels = _stepped(steps, kernels)
        for at, end in zip(places, kernels.unbind(), strict=True):
            ends[at] = end
    return ends


def _stepped(steps: Sequence[nn.Module], kernels: Tensor) -> Tensor:
    """Returns what L steps of one kind make of L kernels (L, C_out, n), each of its own."""
    if isinstance(steps[0], _Mixer):
        weight = torch.cat([step.weight for step in steps])
        bias = torch.cat([step.bias for step in steps])
        grouped = kernels.reshape(len(weight), -1, kernels.shape[-1])
        return torch.baddbmm(bias, weight, grouped).reshape(kernels.shape)
    if isinstance(steps[0], nn.PReLU):
        return functional.prelu(kernels[None], torch.cat([step.weight for step in steps]))[0]
    return torch.stack([step(own) for step, own in zip(steps, kernels.unbind(), strict=True)])
