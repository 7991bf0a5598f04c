"""AdaFM: depthwise filters after the convolutions of a frozen network, scaled by the level."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from benchmark.control import ControlSpace, Level
from benchmark.method import (
    TUNE,
    Adam,
    At,
    ControlMethod,
    Hook,
    Stage,
    UserError,
    divided_out,
    hooked,
    spread,
    start_stage,
    trunk_convolutions,
)

if TYPE_CHECKING:
    from benchmark.tasks import Task

FAST = 3.0
"""Learning rate relative to the preset's: new layers that start at nothing need a faster pace."""

__all__ = ["AdaFM"]


class AdaFM(ControlMethod):
    """Modulating Image Restoration with Continual Levels via AdaFM Layers (CVPR 2019; 1904.08118).

    A network is trained at the start level and frozen; depthwise k x k filters g with biases b,
    zero at first, are put after its convolutions and trained at the end level (eq. 3 and 5):

        y = x + t (g * x + b)

    Per layer, paper / released code / here:

    - Which: after each convolution of the residual blocks / those and the convolution behind the
      last block / those of the blocks, and others that keep their channels ahead of the first
      upsampling.
    - Start: identity / filter and bias zero / the same.
    - Bias: yes / yes / only where the convolution has one itself, so that k = 1 folds.
    - From level to t: not defined, best PSNR by grid search / - / t is the level.

    With k = 1 the filter is a scale and a shift of the convolution's output channels, and folds
    exactly. Larger filters do not: a merged kernel would be larger, and zero padding differs. On
    backbones that have an instance norm behind each of these convolutions k = 1 does nothing, and
    is refused.

    Args:
        k: Filter size, odd (the paper studies 1, 3, 5 and 7).
    """

    paper = "1904.08118"
    spatial = True
    recordable = True

    def __init__(self, k: int = 1):
        super().__init__()
        if k < 1 or k % 2 == 0:
            raise ValueError(f"AdaFM's filter size must be odd, not {k}; use k=1, 3, 5 or 7")
        self.k = k
        self.folds = k == 1

    def build(self, backbone: nn.Module, control: ControlSpace) -> None:
        convolutions = trunk_convolutions(backbone)
        if self.k == 1 and divided_out(backbone).issuperset(convolutions):
            raise UserError(
                "adafm's filters of one pixel scale what instance norms behind them divide out "
                "again; use adafm:k=3 on this backbone"
            )
        self.names = list(convolutions)
        self.filters = nn.ModuleList(
            nn.Conv2d(
                layer.out_channels,
                layer.out_channels,
                self.k,
                padding=self.k // 2,
                groups=layer.out_channels,
                bias=layer.bias is not None,
            )
            for layer in convolutions.values()
        )
        for parameter in self.filters.parameters():
            nn.init.zeros_(parameter)

    def stages(self, task: Task) -> Sequence[Stage]:
        tune = Stage(
            "tune",
            ("filters.",),
            levels=At(1.0),
            share=TUNE,
            starts_from="start",
            optimizer=Adam(FAST),
        )
        return [start_stage(), tune]

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        def after(own: nn.Module) -> Hook:
            return lambda module, inputs, y: y + spread(level[:, 0], y) * own(y)

        modules = [self.backbone.get_submodule(name) for name in self.names]
        with hooked(zip(modules, map(after, self.filters), strict=True)):
            return self.backbone(x)

    def tuned(self, level: Level | float | Tensor) -> nn.Module:
        if not self.folds or (isinstance(level, Tensor) and level.ndim > 1):
            return super().tuned(level)
        network = self.copied_backbone()
        self.switch(network, level)
        return network

    @torch.no_grad()
    def switch(self, network: nn.Module, level: Level | float) -> None:
        if not self.folds:
            return super().switch(network, level)
        (t,) = self.position(level)
        for name, own in zip(self.names, self.filters, strict=True):
            start, layer = (one.get_submodule(name) for one in (self.backbone, network))
            layer.weight.copy_(start.weight * (1 + t * own.weight))
            if start.bias is not None:
                layer.bias.copy_(start.bias * (1 + t * own.weight.flatten()) + t * own.bias)
