"""Dynamic-Net: additive tuning blocks inside a frozen network, scaled by the level."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor, nn

from benchmark.control import ControlSpace
from benchmark.method import (
    TUNE,
    Adam,
    At,
    ControlMethod,
    Hook,
    Layer,
    Stage,
    after_blocks,
    channels,
    hooked,
    layers,
    residual_blocks,
    spread,
    start_stage,
)

if TYPE_CHECKING:
    from benchmark.tasks import Task

FAST = 3.0
"""Learning rate relative to the preset's: new layers that start at nothing need a faster pace."""

__all__ = ["DynamicNet"]


class DynamicNet(ControlMethod):
    """Dynamic-Net: Tuning the Objective Without Re-training (ICCV 2019; 1811.08760).

    A network is trained for the start and frozen; tuning blocks psi are trained for the end with
    t = 1, and every features z that meet one become (section 3)

        z + t psi(z)

    Per layer, paper / released code / here:

    - Where: between layers, up to the network / ahead of the middle residual block, of the first
      layer behind the residual blocks (and of its upsampling) and of the last layer / the same
      places, found by walking the backbone; places that coincide count once.
    - psi: convolutions with ReLUs / three times reflection pad and conv 3 x 3 with ReLUs between,
      channels kept / the same; linear layers for tokens.
    - Start: - / PyTorch's default (style), N(0, .02) (DCGAN) / the default, but the last layer of
      psi ten times smaller with no bias, so that tuning starts close to the start network.
    - One t per block, or a second net for the other direction: shown / yes / one t for all blocks.
    """

    paper = "1811.08760"
    spatial = True
    recordable = True

    def build(self, backbone: nn.Module, control: ControlSpace) -> None:
        blocks = list(residual_blocks(backbone).items())
        name, block = blocks[len(blocks) // 2]
        places = dict(
            [
                (name, next(iter(layers(block).values()))),
                after_blocks(backbone),
                list(layers(backbone).items())[-1],
            ]
        )
        self.names = list(places)
        self.tuning = nn.ModuleList(map(_tuning_block, places.values()))

    def stages(self, task: Task) -> Sequence[Stage]:
        tune = Stage(
            "tune",
            ("tuning.",),
            levels=At(1.0),
            share=TUNE,
            starts_from="start",
            optimizer=Adam(FAST),
        )
        return [start_stage(), tune]

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        def ahead(tuning: nn.Module) -> Hook:
            def add(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
                z, *others = inputs
                return z + spread(level[:, 0], z) * tuning(z), *others

            return add

        modules = [self.backbone.get_submodule(name) for name in self.names]
        with hooked(zip(modules, map(ahead, self.tuning), strict=True), before=True):
            return self.backbone(x)


def _tuning_block(layer: Layer) -> nn.Sequential:
    """Returns three layers with ReLUs between, for features that meet ``layer``."""
    width = channels(layer)[0]
    steps: list[nn.Module] = []
    for _ in range(3):
        if isinstance(layer, nn.Linear):
            steps += [nn.Linear(width, width), nn.ReLU()]
        else:
            steps += [nn.ReflectionPad2d(1), nn.Conv2d(width, width, 3), nn.ReLU()]
    block = nn.Sequential(*steps[:-1])
    block[-1].weight.data.mul_(0.1)
    nn.init.zeros_(block[-1].bias)
    return block
