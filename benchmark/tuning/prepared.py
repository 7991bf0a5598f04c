"""Running what lies ahead of one layer of a network once, and the rest as often as wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode


class Prepared(NamedTuple):
    """Images, and what a network computed for them ahead of a layer.

    Args:
        x: The images (B, 3, h, w).
        kept: Every step ahead of the layer with what it gave, in their order.
    """

    x: Tensor
    kept: tuple[tuple[Any, Any], ...]


def prepared(network: nn.Module, name: str, x: Tensor) -> Prepared:
    """Runs a network on images (B, 3, h, w), and keeps all steps ahead of the layer of a name."""
    steps = _Steps()
    with _watched(network, name, steps):
        network(x)
    return Prepared(x, tuple(steps.kept))


@contextmanager
def recalled(network: nn.Module, name: str, images: Prepared) -> Iterator[None]:
    """Lets a network recall the steps ahead of a layer, while it runs once on prepared images."""
    with _watched(network, name, _Steps(images.kept)):
        yield


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
