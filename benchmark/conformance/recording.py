"""Whether a training step may be recorded once and replayed, as a method with ``recordable`` says."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from benchmark.conformance.subject import Factory, MeanDistance, Skipped, own_stages, require
from benchmark.method import At, Stage
from benchmark.tasks import Task
from benchmark.training.batch import Batch
from benchmark.training.learner import Recipe

ASKING = ("_local_scalar_dense", "is_nonzero", "equal", "nonzero", "masked_select", "unique")
"""Operations whose result the host must know before it can go on."""

COPYING = {"lift_fresh", "lift_fresh_copy"}
"""Operations that bring numbers from the host."""

SIDE, SAMPLES = 16, 4
LR = 1e-3


class Trace(TorchDispatchMode):
    """Notes the operations of a step: names, shapes, and every number that is no tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[str] = []
        self.names: set[str] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = func.overloadpacket.__name__
        self.names.add(name)
        if name.startswith("index") and any(
            isinstance(one, Tensor) and one.dtype in (torch.bool, torch.uint8)
            for one in tree_leaves(args[1:2])
        ):
            # Where a mask is true must be known to say how much is taken.
            self.names.add("nonzero")
        self.operations.append(f"{func} {_shown(args)} {_shown(kwargs or {})}")
        return func(*args, **(kwargs or {}))


def _shown(value: Any) -> Any:
    if isinstance(value, Tensor):
        return f"<{value.dtype} {tuple(value.shape)} {value.device}>"
    if isinstance(value, dict):
        return {key: _shown(one) for key, one in value.items()}
    return [_shown(one) for one in value] if isinstance(value, list | tuple) else str(value)


def batches(stage: Stage, task: Task, device: str = "cpu") -> Callable[[], Batch]:
    """Returns what makes batches of one pattern: other images and other levels every time."""
    runs = [SAMPLES] if isinstance(stage.levels, At) else [SAMPLES // 2, SAMPLES // 2]

    def make() -> Batch:
        low = torch.rand(SAMPLES, 3, SIDE, SIDE, device=device)
        high = torch.rand(SAMPLES, 3, task.scale * SIDE, task.scale * SIDE, device=device)
        drawn = torch.rand(len(runs), task.space.d, device=device) / task.space.d
        return Batch(low, high, drawn.repeat_interleave(SAMPLES // len(runs), 0), runs)

    return make


def recorded_steps_are_the_same_work(factory: Factory, task: Task) -> None:
    """Steps on other images and levels do the same operations, with the same numbers."""
    if not factory(0).recordable:
        raise Skipped("it does not say that its steps can be recorded")
    for name in [stage.name for stage in own_stages(factory(0), task)]:
        method = factory(0)
        stage = next(stage for stage in own_stages(method, task) if stage.name == name)
        method.begin(stage, MeanDistance(), Recipe(10, LR, "constant"))
        optimizers, make = method.configure_optimizers(), batches(stage, task)
        method.update(make(), optimizers)
        traces = []
        for turn in range(2):
            batch = make()
            random.seed(turn)
            method.steps_done += 1
            with Trace() as trace:
                method.update(batch, optimizers)
            traces.append(trace)
            asked = sorted(
                one for one in trace.names if one in ASKING or one.strip("_").startswith("unique")
            )
            require(not asked, f"stage '{name}' waits for {', '.join(asked)} in each step")
            copied = sorted(trace.names & COPYING)
            require(not copied, f"stage '{name}' copies numbers from the host in each step")
        pairs = zip(*(trace.operations for trace in traces), strict=False)
        other = next((f"{a}, then {b}" for a, b in pairs if a != b), None)
        require(other is None, f"steps of stage '{name}' differ: {other}")
        require(
            len(traces[0].operations) == len(traces[1].operations),
            f"steps of stage '{name}' are not equally many operations",
        )
