"""Modulating features during one forward pass, without changing a network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from torch import Tensor, nn

Hook = Callable[[nn.Module, tuple[Tensor, ...], Tensor], Tensor]


@contextmanager
def hooked(pairs: Iterable[tuple[nn.Module, Hook]], before: bool = False) -> Iterator[None]:
    """Modulates features during one forward pass, leaving modules and their keys untouched.

    Args:
        pairs: Modules with their hooks: ``hook(module, inputs, output) -> output``, or with
            ``before``, ``hook(module, inputs) -> inputs``.
        before: Whether the hooks run before their modules.
    """
    handles = [
        module.register_forward_pre_hook(hook) if before else module.register_forward_hook(hook)
        for module, hook in pairs
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
