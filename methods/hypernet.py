"""HyperRes: the residual blocks' kernels and biases are generated from the level."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from benchmark.control import ControlSpace
from benchmark.method import (
    JOINT,
    Anchors,
    Stage,
    WeightSpaceMethod,
    layers_within,
    residual_blocks,
)

if TYPE_CHECKING:
    from benchmark.tasks import Task

__all__ = ["Hypernet"]


class Hypernet(WeightSpaceMethod):
    """HyperRes: Efficient Hypernetwork-Based Continuous Image Restoration (ICASSP 2023; 2206.05970).

    The convolutions of the residual blocks get kernel and bias from one linear layer each, whose
    input is the scaled corruption level c; the rest of the network is shared. All levels of a set
    are trained at once:

        W_l(c) = w_l c + b_l

    Per layer, paper / released code / here:

    - Which: kernels of the meta blocks / kernels and biases / kernels and biases of all layers in
      residual blocks.
    - c: - / level / 255 whatever the level is (sigma, JPEG quality, scale) / physical value over the
      largest of its axis at both ends, linear in the level between: the same family of kernels, but
      w learns at the pace of b.
    - Start: - / kaiming-normal x 0.1 and b = 0, so that kernels vanish at c = 0 / b is the
      backbone's own start and w = 0: a plain network at first.
    - Levels of a step: 4 for noise / 4, of the same crops / 4, evenly spaced, of crops of their own;
      the loss is their mean.

    b is the backbone's own parameter.
    """

    paper = "2206.05970"
    spatial = True
    recordable = True

    def build(self, backbone: nn.Module, control: ControlSpace) -> None:
        (axis,) = control.axes
        largest = max(abs(axis.start), abs(axis.end))
        self.ends = (axis.start / largest, axis.end / largest)
        self.names = [
            f"{name}.{key}"
            for name, layer in layers_within(backbone, residual_blocks(backbone)).items()
            for key, _ in layer.named_parameters(recurse=False)
        ]
        self.slopes = nn.ParameterList(
            torch.zeros_like(backbone.get_parameter(name)) for name in self.names
        )

    def stages(self, task: Task) -> Sequence[Stage]:
        return [Stage("joint", trains=("",), levels=Anchors(4), share=JOINT)]

    def weights(self, level: Tensor) -> dict[str, Tensor]:
        start, end = self.ends
        c = start + level[0] * (end - start)
        return {
            name: self.backbone.get_parameter(name) + c * slope
            for name, slope in zip(self.names, self.slopes, strict=True)
        }
