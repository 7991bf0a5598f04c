"""Real-time decouple learning: one scale and shift of features depend on the level, nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from benchmark.control import ControlSpace
from benchmark.errors import LevelError
from benchmark.method import (
    JOINT,
    TOKENS,
    Layer,
    Stage,
    Uniform,
    WeightSpaceMethod,
    channels,
    from_output_rows,
    hooked,
    output_rows,
    resized,
)

if TYPE_CHECKING:
    from benchmark.tasks import Task

__all__ = ["DecoupleFast", "Features"]

HIDDEN = 16


class Features(NamedTuple):
    """What ``prepare`` computed once for images: all that does not depend on the level.

    Args:
        x: The images (B, 3, h, w).
        kept: Modules of the backbone with what they gave, call by call.
    """

    x: Tensor
    kept: tuple[tuple[nn.Module, tuple[Tensor, ...]], ...]


class DecoupleFast(WeightSpaceMethod):
    """A General Decoupled Learning Framework for Parameterized Image Operators (1907.05852).

    The extension of decouple learning for real-time tuning. The features h ahead of the last layer
    get one scale and one shift a channel from two small networks of the level gamma; all else is
    shared by all levels, and trained jointly with them over random parameters:

        z = s(gamma) h + b(gamma)

    ``prepare`` and ``retune`` run what lies before h once for an image, and what follows for each
    level. Paper / released code / here:

    - Where: the weights of a single layer / affine parameters of the instance norm ahead of the
      last convolution / the last layer or affine norm, in definition order, ahead of the last layer.
    - s, b: fully connected / 2-16-64 with a ReLU, for the operator's parameter and its number / the
      same with d inputs; no shift where the layer has no bias, so that it folds.
    - Start: - / PyTorch's default / the last linear layers give s = 1 and b = 0: a plain network.
    - Base net: inverted residual blocks of its own / the same / any backbone.
    """

    paper = "1907.05852"
    axes = range(1, 11)
    spatial = True

    def build(self, backbone: nn.Module, control: ControlSpace) -> None:
        self.name, place = _place(backbone)
        width = channels(place)[1] if isinstance(place, Layer) else place.weight.numel()
        self.scale = _network(control.d, width, 1.0)
        self.shift = _network(control.d, width, 0.0) if place.bias is not None else None

    def stages(self, task: Task) -> Sequence[Stage]:
        return [Stage("joint", trains=("",), levels=Uniform(), share=JOINT)]

    def weights(self, level: Tensor) -> dict[str, Tensor]:
        place = self.backbone.get_submodule(self.name)
        scale = self.scale(level)
        if isinstance(place, Layer):
            weight = from_output_rows(place, output_rows(place, place.weight) * scale[:, None])
        else:
            weight = place.weight * scale
        weights = {f"{self.name}.weight": weight}
        if self.shift is not None:
            weights[f"{self.name}.bias"] = place.bias * scale + self.shift(level)
        return weights

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        place = self.backbone.get_submodule(self.name)
        with hooked([(place, lambda module, inputs, h: self._modulated(h, level))]):
            return self.backbone(x)

    def _modulated(self, h: Tensor, level: Tensor) -> Tensor:
        """Returns s h + b for levels (B, d), or for maps (B, d, H, W) pixel by pixel."""
        last = isinstance(self.backbone.get_submodule(self.name), nn.Linear | nn.LayerNorm)
        if level.ndim == 4:
            if last:
                raise LevelError(TOKENS)
            level = resized(level, h.shape[-2:]).movedim(1, -1)

        def placed(values: Tensor) -> Tensor:
            if values.ndim == 4:
                return values.movedim(-1, 1)
            values = values.repeat_interleave(len(h) // len(values), dim=0)
            ones = (1,) * (h.ndim - 2)
            return values.reshape(len(h), *ones, -1) if last else values.reshape(len(h), -1, *ones)

        z = h * placed(self.scale(level))
        return z if self.shift is None else z + placed(self.shift(level))

    @torch.no_grad()
    def prepare(self, x: Tensor) -> Features:
        """Runs what does not depend on the level, for images (B, 3, h, w)."""
        kept: dict[nn.Module, list[Tensor]] = {}
        place = self.backbone.get_submodule(self.name)

        def keep(module: nn.Module, inputs: tuple[Tensor, ...], y: Tensor) -> Tensor:
            if place not in kept:
                kept.setdefault(module, []).append(y)
            return y

        with hooked((part, keep) for part in _parts(self.backbone, self.name)):
            self.backbone(x)
        return Features(x, tuple((module, tuple(outputs)) for module, outputs in kept.items()))

    @torch.no_grad()
    def retune(self, features: Features, level: Tensor | Sequence[float] | float) -> Tensor:
        """Returns exactly what the method gives for prepared images at a level, or a level map."""
        with _recalled(features.kept):
            return self(features.x, level)


def _place(backbone: nn.Module) -> tuple[str, nn.Module]:
    """Returns the name and module of the last layer or affine norm ahead of the last layer."""
    norms = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm)
    found = [
        (name, module)
        for name, module in backbone.named_modules()
        if isinstance(module, Layer) or (isinstance(module, norms) and module.weight is not None)
    ]
    last = max(at for at, (_, module) in enumerate(found) if isinstance(module, Layer))
    return found[max(0, last - 1)]


def _network(d: int, width: int, start: float) -> nn.Sequential:
    """Returns d -> 16 -> ReLU -> width, which gives ``start`` at every level at first."""
    network = nn.Sequential(nn.Linear(d, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, width))
    nn.init.zeros_(network[-1].weight)
    nn.init.constant_(network[-1].bias, start)
    return network


def _parts(network: nn.Module, place: str) -> Iterator[nn.Module]:
    """Returns the largest modules that do not hold the place, and the place itself."""
    for name, child in network.named_children():
        if place.startswith(f"{name}."):
            yield from _parts(child, place.removeprefix(f"{name}."))
        else:
            yield child


@contextmanager
def _recalled(kept: Sequence[tuple[nn.Module, Sequence[Tensor]]]) -> Iterator[None]:
    """Makes modules give what they gave before instead of computing it; later calls compute."""
    for module, outputs in kept:
        waiting, own = list(outputs), module.forward

        def forward(*inputs: Tensor, waiting=waiting, own=own) -> Tensor:
            return waiting.pop(0) if waiting else own(*inputs)

        module.forward = forward
    try:
        yield
    finally:
        for module, _ in kept:
            del module.forward
