"""Filter transition networks: a small network turns each start kernel into an end kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from benchmark.control import ControlSpace
from benchmark.method import (
    TUNE,
    At,
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

    Args:
        groups: Groups of the 1 x 1 convolutions (the paper's FTN: 1, gc4: 4, gc16: 16).
    """

    paper = "2010.02270"
    spatial = True

    def __init__(self, groups: int = 1):
        super().__init__()
        self.groups = groups

    def build(self, backbone: nn.Module, control: ControlSpace) -> None:
        self.transitions = nn.ModuleList(
            _transition(channels(layer)[1], self.groups) for layer in layers(backbone).values()
        )

    def stages(self, task: Task) -> Sequence[Stage]:
        tune = Stage("tune", ("transitions.",), levels=At(1.0), share=TUNE, starts_from="start")
        return [start_stage(), tune]

    def weights(self, level: Tensor) -> dict[str, Tensor]:
        weights = {}
        for (name, layer), transition in zip(
            layers(self.backbone).items(), self.transitions, strict=True
        ):
            # A kernel is a batch of one, with its output channels as channels.
            end = transition(output_rows(layer, layer.weight)[None])[0]
            weights[f"{name}.weight"] = torch.lerp(
                layer.weight, from_output_rows(layer, end), level[0]
            )
        return weights


def _transition(width: int, groups: int) -> nn.Sequential:
    """Returns grouped 1 x 1 -> PReLU -> grouped 1 x 1, exactly the identity at first."""
    groups = groups if width % groups == 0 else 1
    mixers = [nn.Conv1d(width, width, 1, groups=groups) for _ in range(2)]
    for mixer in mixers:
        nn.init.dirac_(mixer.weight, groups)
        nn.init.zeros_(mixer.bias)
    return nn.Sequential(mixers[0], nn.PReLU(init=1.0), mixers[1])
