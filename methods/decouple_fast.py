"""Real-time decouple learning: one layer depends on the level, and the rest runs once an image."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from benchmark.control import ControlSpace
from benchmark.errors import LevelError
from benchmark.method import JOINT, Stage, Uniform, WeightSpaceMethod, layers, mapped

if TYPE_CHECKING:
    from benchmark.tasks import Task

__all__ = ["DecoupleFast", "Features"]

HIDDEN = 16


class Features(NamedTuple):
    """What ``prepare`` computed once for images: all that does not depend on the level.

    Args:
        x: The images (B, 3, h, w).
        kept: Every step ahead of the last layer with what it gave, in their order.
    """

    x: Tensor
    kept: tuple[tuple[Any, Any], ...]


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
    - Start: - / PyTorch's default / A = 0 and B the backbone's own start: a plain network.
    - Base net: inverted residual blocks of its own / the same / any backbone.
    """

    paper = "1907.05852"
    axes = range(1, 11)
    spatial = True

    def build(self, backbone: nn.Module, control: ControlSpace) -> None:
        self.name = list(layers(backbone))[-1]
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
    def prepare(self, x: Tensor) -> Features:
        """Runs what does not depend on the level, for images (B, 3, h, w)."""
        steps = _Steps()
        with _watched(self.backbone, self.name, steps):
            self.backbone(x)
        return Features(x, tuple(steps.kept))

    @torch.no_grad()
    def retune(self, features: Features, level: Tensor | Sequence[float] | float) -> Tensor:
        """Returns exactly what the method gives for prepared images at a level, or a level map.

        Raises:
            LevelError: If images are to get different levels; prepare those one by one.
        """
        if isinstance(level, Tensor) and level.ndim == 2 and len(level.unique(dim=0)) > 1:
            raise LevelError("prepared images get one level; prepare them one by one for several")
        with _watched(self.backbone, self.name, _Steps(features.kept)):
            return self(features.x, level)


def _parts(network: nn.Module, place: str) -> Iterator[nn.Module]:
    """Returns the largest modules that do not hold the place, and the place itself."""
    for name, child in network.named_children():
        if place.startswith(f"{name}."):
            yield from _parts(child, place.removeprefix(f"{name}."))
        else:
            yield child


class _Steps(TorchFunctionMode):
    """The steps of a network ahead of one layer: kept the first time, recalled from then on.

    A step is a call of a module that does not hold the layer, or of a torch function between such
    modules: padding the input, adding a skip. What happens inside a step is none of its own.
    """

    def __init__(self, kept: Sequence[tuple[Any, Any]] | None = None):
        super().__init__()
        self.known = None if kept is None else iter(kept)
        self.kept: list[tuple[Any, Any]] = []
        self.inside = self.over = False

    def step(self, what: Any, run: Callable[[], Any]) -> Any:
        if self.inside or self.over:
            return run()
        if self.known is not None:
            expected, result = next(self.known, (None, None))
            if what != expected:
                raise RuntimeError("the backbone goes another way than when images were prepared")
            return result
        self.inside = True
        result = run()
        self.inside = False
        if not self.over:
            self.kept.append((what, result))
        return result

    def __torch_function__(self, func, types, args=(), kwargs=None) -> Any:
        def run() -> Any:
            return func(*args, **(kwargs or {}))

        # Looking at an attribute, as hooks do, is no step: it costs nothing.
        return run() if func.__name__ == "__get__" else self.step(func, run)


@contextmanager
def _watched(network: nn.Module, name: str, steps: _Steps) -> Iterator[None]:
    """Lets a network run by steps up to the layer of a name, and as ever from there on."""
    place = network.get_submodule(name)
    modules = dict.fromkeys((network, place, *_parts(network, name)))
    for module in modules:

        def forward(*inputs: Any, module=module, own=module.forward, **named: Any) -> Any:
            if module is network:
                with steps:
                    return own(*inputs, **named)
            steps.over |= module is place
            return steps.step(module, lambda: own(*inputs, **named))

        module.forward = forward
    try:
        yield
    finally:
        for module in modules:
            del module.forward
