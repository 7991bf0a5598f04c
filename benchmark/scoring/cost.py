"""What a method costs: parameters, multiply-accumulates and run time."""

from __future__ import annotations

import contextlib
import copy
import itertools
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from benchmark.control import Level
from benchmark.method import ControlMethod
from benchmark.tasks import Task
from benchmark.tuning.layers import parameters_of

SIDE = 256
"""Side of the square input that multiply-accumulates are counted for."""
SWITCHES = 9
"""How often the dial is turned to measure what a turn takes; the median counts."""
PROBE = 32
"""Side of the square input that shows whether the dial does anything."""

Result = TypeVar("Result")
Size = Sequence[int]


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


def _attention(query: Size, key: Size, value: Size, *_: object, **__: object) -> int:
    return sdpa_flop_count(query, key, value)


@contextlib.contextmanager
def counting() -> Iterator[FlopCounterMode]:
    """Counts the floating-point operations of what runs, two for each multiply-accumulate."""
    # On a processor attention is an operation of its own, of which the counter knows nothing; and so
    # is what torch's modules of attention are there when they take their short cut.
    own = {torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention}
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with FlopCounterMode(display=False, custom_mapping=own) as counter:
            yield counter
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def counted(run: Callable[[], object]) -> int:
    """Returns the multiply-accumulates of whatever runs."""
    with counting() as counter, torch.no_grad():
        run()
    return counter.get_total_flops() // 2


def last_level(method: ControlMethod, task: Task) -> Level:
    """Returns the level at which a method's cost is taken."""
    return (method.only_levels(task) or (task.space.end,))[-1]


def of_method(method: ControlMethod, tuned: nn.Module) -> dict[str, int | bool]:
    """Returns the cost of a trained method and of its network tuned to one level.

    Args:
        method: The method with its weights; everything it must store for all levels counts.
        tuned: ``method.tuned(level)``, on the CPU.
    """
    return {
        "folds": bool(method.folds),
        "params_stored": parameters_stored(method),
        "params_folded": parameters_of(tuned),
        "macs": macs(tuned),
    }


def parameters_stored(method: ControlMethod) -> int:
    """Returns how many numbers a method keeps for all levels; what several names share counts once."""
    sizes: dict[int, int] = {}
    for one in method.weights_to_keep().values():
        sizes[one.data_ptr()] = max(one.numel(), sizes.get(one.data_ptr(), 0))
    return sum(sizes.values())


def of_switch(
    method: ControlMethod, network: nn.Module, levels: Sequence[Level], device: torch.device
) -> float | None:
    """Returns the median milliseconds of setting a network to another level.

    None where that means nothing: with a single level, or where all of them give the same output.

    Args:
        method: The method with its weights.
        network: Output of ``method.tuned``, ready on the device; it is left at any of the levels.
        levels: Levels that the method can be asked for.
        device: Where the network is; the method's weights are copied there first.
    """
    if len(levels) < 2:
        return None
    method = method if device.type == "cpu" else copy.deepcopy(method).to(device)
    x = torch.linspace(0, 1, 3 * PROBE**2, device=device).view(1, 3, PROBE, PROBE)
    seen = []
    for level in (levels[-1], levels[0]):
        method.switch(network, level)
        with torch.inference_mode():
            seen.append(network(x))
    if torch.equal(*seen):
        return None
    turns = itertools.islice(itertools.cycle((*levels[1:], levels[0])), SWITCHES)
    return statistics.median(
        timed(lambda level=level: method.switch(network, level), device)[1] for level in turns
    )


def timed(run: Callable[[], Result], device: torch.device) -> tuple[Result, float]:
    """Runs something and returns its result with the milliseconds it took."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    began = time.perf_counter()
    result = run()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return result, (time.perf_counter() - began) * 1000
