"""Decouple learning: every kernel is an affine function of the operator's parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from benchmark.control import ControlSpace
from benchmark.method import JOINT, Stage, Uniform, WeightSpaceMethod, layers

if TYPE_CHECKING:
    from benchmark.tasks import Task

__all__ = ["Decouple"]


class Decouple(WeightSpaceMethod):
    """Decouple Learning for Parameterized Image Operators (Fan et al., ECCV 2018; 1807.08186).

    A weight net of one fully connected layer per convolution maps the m parameters gamma to that
    convolution's kernel (eq. 3), and both nets are trained jointly over random parameters:

        W_l(gamma) = A_l gamma + B_l

    Per layer, paper / released code / here:

    - Which: every kernel / the same, the base net has no biases / every kernel of a convolution or
      linear layer; biases (and norms) are shared by all levels.
    - gamma: the operator's parameter / rescaled to [.002, .2], the range of its first operator /
      the level in [0, 1]: the same affine family, but A then learns as fast as B.
    - Start: not said / PyTorch's default for linear layers, tamed by the instance norms / B is the
      backbone's own initial kernel and A = 0, so that training starts from a plain network.
    - Sampling: uniform, or log-uniform for wide ranges / the same / uniform in the level (an axis
      with a log scale is thereby log-uniform in the parameter).
    - The base net's edge map input, stride and dilations belong to the backbone, not to the method.
    """

    paper = "1807.08186"
    spatial = True
    recordable = True
    axes = range(1, 11)

    def build(self, backbone: nn.Module, control: ControlSpace) -> None:
        self.names = [f"{name}.weight" for name in layers(backbone)]
        kernels = [backbone.get_parameter(name) for name in self.names]
        self.slopes = nn.ParameterList(torch.zeros(k.numel(), control.d) for k in kernels)

    def stages(self, task: Task) -> Sequence[Stage]:
        return [Stage("joint", trains=("",), levels=Uniform(), share=JOINT)]

    def weights(self, level: Tensor) -> dict[str, Tensor]:
        kernels = [self.backbone.get_parameter(name) for name in self.names]
        return {
            name: (slope @ level).reshape(kernel.shape) + kernel
            for name, slope, kernel in zip(self.names, self.slopes, kernels, strict=True)
        }
