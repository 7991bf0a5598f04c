"""Real-time decouple learning: one layer depends on the level, and the rest runs once an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from benchmark.control import ControlSpace
from benchmark.method import (
    JOINT,
    LevelError,
    Prepared,
    Stage,
    ThinConv2d,
    Uniform,
    WeightSpaceMethod,
    layers,
    mapped,
    prepared,
    recalled,
)

if TYPE_CHECKING:
    from benchmark.tasks import Task

__all__ = ["DecoupleFast"]

HIDDEN = 16


class DecoupleFast(WeightSpaceMethod):
    """A General Decoupled Learning Framework for Parameterized Image Operators (1907.05852).

    The extension of decouple learning for real-time tuning: the weights of a single layer, here the
    last one, come from a small network of the level gamma; all else is shared by all levels, and
    trained jointly with it over random parameters:

        W(gamma) = B + A relu(V gamma + v)

    ``prepare`` and ``retune`` run what lies ahead of that layer once for an image, and the rest for
    each level. Paper / released code / here:

    - Which: a single layer / 64 scales and shifts of the instance norm ahead of the last
      convolution / kernel and bias of the last layer: any backbone has one, and re-tuning then
      passes once over the features instead of three times.
    - Weight net: fully connected / 2-16-64 with a ReLU, for the operator's parameter and its
      number / the same depth and width, with d inputs.
    - Last layer: a convolution / a convolution / as the image needs three channels, a matrix product
      and a sum of shifts wherever nothing is learnt, in full passes too, so that both agree.
    - Start: - / PyTorch's default / A = 0 and B the backbone's own start: a plain network.
    - Base net: inverted residual blocks of its own / the same / any backbone.
    """

    paper = "1907.05852"
    axes = range(1, 11)
    spatial = True
    recordable = True

    def build(self, backbone: nn.Module, control: ControlSpace) -> None:
        self.name = list(layers(backbone))[-1]
        ThinConv2d.replace(backbone.get_submodule(self.name))
        self.hidden = nn.Sequential(nn.Linear(control.d, HIDDEN), nn.ReLU())
        self.slopes = nn.ParameterList(
            torch.zeros(own.numel(), HIDDEN) for own in self._own().values()
        )

    def _own(self) -> dict[str, Tensor]:
        place = self.backbone.get_submodule(self.name)
        return {f"{self.name}.{key}": own for key, own in place.named_parameters(recurse=False)}

    def stages(self, task: Task) -> Sequence[Stage]:
        return [Stage("joint", trains=("",), levels=Uniform(), share=JOINT)]

    def weights(self, level: Tensor) -> dict[str, Tensor]:
        return self._weights(self.hidden(level))

    def _weights(self, hidden: Tensor) -> dict[str, Tensor]:
        return {
            name: own + (slope @ hidden).reshape(own.shape)
            for (name, own), slope in zip(self._own().items(), self.slopes, strict=True)
        }

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        if level.ndim < 4:
            return super().forward(x, level)
        # The weights are not affine in the level, but in what the hidden layer gives.
        hidden = self.hidden(level.movedim(1, -1)).movedim(-1, 1)
        corners = [hidden.new_zeros(HIDDEN), *torch.eye(HIDDEN).to(hidden)]
        return mapped(self.backbone, [self._weights(corner) for corner in corners], x, hidden)

    @torch.no_grad()
    def prepare(self, x: Tensor) -> Prepared:
        """Runs what does not depend on the level, for images (B, 3, h, w)."""
        return prepared(self.backbone, self.name, x)

    @torch.no_grad()
    def retune(self, images: Prepared, level: Tensor | Sequence[float] | float) -> Tensor:
        """Returns exactly what the method gives for prepared images at a level, or a level map.

        Raises:
            LevelError: If images are to get different levels; prepare those one by one.
        """
        if isinstance(level, Tensor) and level.ndim == 2 and len(level.unique(dim=0)) > 1:
            raise LevelError("prepared images get one level; prepare them one by one for several")
        with recalled(self.backbone, self.name, images):
            return self(images.x, level)
