"""Filling our networks from the state dicts of other people's files, strictly."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn

State = Mapping[str, Tensor]
Network = TypeVar("Network", bound=nn.Module)


def filled(network: Network, state: State) -> Network:
    """Returns ``network`` with the tensors of ``state``, as float32.

    Raises:
        ValueError: If a name is missing or unknown, a shape differs, or a value is not finite; the
            message goes on after "the file ...".
    """
    own = network.state_dict()
    for name, tensor in own.items():
        if name not in state:
            raise ValueError(f"lacks '{name}'")
        if state[name].shape != tensor.shape:
            shapes = (_text(state[name].shape), _text(tensor.shape))
            raise ValueError(f"has '{name}' of shape {shapes[0]} instead of {shapes[1]}")
        # As they will be kept: float64 holds more than float32 does.
        if not (state[name].is_floating_point() and bool(state[name].float().isfinite().all())):
            raise ValueError(f"has values in '{name}' that are not finite numbers")
    unknown = [name for name in state if name not in own]
    if unknown:
        raise ValueError(f"holds '{unknown[0]}', which the network does not have")
    network.load_state_dict({name: state[name].float() for name in own})
    return network


def chain(state: State, count: int) -> dict[str, Tensor]:
    """Returns the tensors of a plain chain of convolutions, renamed to ``convs.<place>.<what>``.

    Releases number the same convolutions with or without the activations between them
    (``0.weight, 1.weight ...`` or ``model.0.weight, model.2.weight ...``).

    Args:
        state: Tensors named ``<number>.weight`` and ``<number>.bias``, with any prefix.
        count: Number of convolutions there must be.

    Raises:
        ValueError: If names have another form, two of them mean the same tensor, or the number of
            convolutions is another.
    """
    found = {name: re.fullmatch(r"(?:.*\.)?(\d+)\.(weight|bias)", name) for name in state}
    odd = [name for name, match in found.items() if match is None]
    if odd:
        raise ValueError(f"holds '{odd[0]}', which is no convolution of a plain chain")
    numbers = sorted({int(match[1]) for match in found.values() if match})
    if len(numbers) != count:
        raise ValueError(f"has {len(numbers)} convolutions instead of {count}")
    renamed: dict[str, str] = {}
    for name, match in found.items():
        if match:
            place = f"convs.{numbers.index(int(match[1]))}.{match[2]}"
            if (other := renamed.setdefault(place, name)) != name:
                raise ValueError(f"holds more than one network: '{other}' and '{name}'; keep one")
    return {place: state[name] for place, name in renamed.items()}


def _text(shape: torch.Size) -> str:
    return "x".join(map(str, shape)) or "a single number"
