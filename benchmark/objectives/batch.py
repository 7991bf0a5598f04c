"""Means over a batch, also where several processes hold a part of it each."""

from __future__ import annotations

from typing import Any

from torch import Tensor, distributed
from torch.autograd import Function


def batch_mean(values: Tensor) -> Tensor:
    """Returns the mean over the whole batch, of which every process holds equally much.

    Gradients flow back into all parts. Losses that are not sums over samples need this: with the
    mean of its own part alone, every process would train on another loss than one process does.
    """
    mean = values.mean()
    if distributed.is_available() and distributed.is_initialized():
        mean = _Total.apply(mean) / distributed.get_world_size()
    return mean


class _Total(Function):
    """The sum over all processes; so is its gradient, since every process depends on it."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        total = value.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.clone()
        distributed.all_reduce(total)
        return total
