"""What a method costs: parameters, multiply-accumulates and run time."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmark.layers import parameters_of
from benchmark.method import ControlMethod

SIDE = 256
"""Side of the square input that multiply-accumulates are counted for."""


def macs(network: nn.Module, side: int = SIDE) -> int:
    """Returns the multiply-accumulates of one (3, side, side) input, exactly.

    Shapes are enough for that, so the network runs on the meta device; one whose forward looks at
    values runs on real numbers instead.
    """
    try:
        bare = copy.deepcopy(network).to("meta")
        return counted(lambda: bare(torch.empty(1, 3, side, side, device="meta")))
    except (RuntimeError, NotImplementedError):
        return counted(lambda: network(torch.zeros(1, 3, side, side)))


def counted(run: Callable[[], object]) -> int:
    """Returns the multiply-accumulates of whatever runs."""
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        run()
    return counter.get_total_flops() // 2


def of_method(method: ControlMethod, tuned: nn.Module) -> dict[str, int | bool]:
    """Returns the cost of a trained method and of its network tuned to one level.

    Args:
        method: The method with its weights; everything it must store for all levels counts.
        tuned: ``method.tuned(level)``, on the CPU.
    """
    return {
        "folds": bool(method.folds),
        "params_stored": sum(tensor.numel() for tensor in method.weights_to_keep().values()),
        "params_folded": parameters_of(tuned),
        "macs": macs(tuned),
    }


def timed(run: Callable[[], Tensor], device: torch.device) -> tuple[Tensor, float]:
    """Runs a forward pass and returns its result with the milliseconds it took."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    began = time.perf_counter()
    result = run()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return result, (time.perf_counter() - began) * 1000
