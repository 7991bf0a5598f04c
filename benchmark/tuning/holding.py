"""Running a network with other weights than its own, without changing it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn


@contextmanager
def holding(network: nn.Module, weights: Mapping[str, Tensor]) -> Iterator[None]:
    """Lets a network use other weights until the block ends; gradients flow into them.

    So does ``torch.func.functional_call``, but exporters cannot follow it, and it takes long where
    layers are small.

    Args:
        network: The network; its own tensors are back in their places afterwards.
        weights: Parameters and buffers by name. One that several modules share changes in all.

    Raises:
        KeyError: If the network has no tensor of such a name.
    """
    names: dict[str, int] = {}
    places: dict[int, list[tuple[dict[str, Any], str]]] = {}
    for prefix, module in network.named_modules():
        for slots in (module._parameters, module._buffers):
            for key, tensor in slots.items():
                if tensor is not None:
                    names[f"{prefix}.{key}" if prefix else key] = id(tensor)
                    places.setdefault(id(tensor), []).append((slots, key))
    own: list[tuple[dict[str, Any], str, Any]] = []
    try:
        for name, value in weights.items():
            for slots, key in places[names[name]]:
                own.append((slots, key, slots[key]))
                slots[key] = value
        yield
    finally:
        for slots, key, tensor in reversed(own):
            slots[key] = tensor
