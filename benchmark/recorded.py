"""Training steps recorded once on a GPU and replayed from there on.

A step of a small network is some hundreds of short kernels, and the time goes into launching them one
by one. Replaying a recording (a CUDA graph) launches all of them at once.
"""

from __future__ import annotations

import functools
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from benchmark.learner import Batch

WARM = 3
"""Steps of a pattern that are taken as usual before one is recorded: buffers and kernels are chosen in them."""

Step = Callable[["Batch"], Tensor]


class Recorder:
    """Takes training steps, from a recording once there is one.

    A recording holds for one pattern: shapes, and which samples of the batch share their level. Levels,
    images and learning rates are read anew at every step.

    Args:
        step: Takes a step on a batch and returns the loss.
        optimizers: Its optimisers; their learning rates go to the GPU.
    """

    def __init__(self, step: Step, optimizers: Sequence[torch.optim.Optimizer]):
        self.step = step
        self.pool: object = None
        self.seen: Counter[object] = Counter()
        self.recordings: dict[object, tuple[Batch, Callable[[], None], Tensor]] = {}
        self.works = True
        for group in (group for one in optimizers for group in one.param_groups):
            device = group["params"][0].device
            group["lr"] = torch.as_tensor(group["lr"], dtype=torch.float32, device=device)
            group["capturable"] = True

    @functools.cached_property
    def stream(self) -> torch.cuda.Stream:
        """The stream that recordings are made on."""
        return torch.cuda.Stream()

    def __call__(self, batch: Batch) -> Tensor:
        """Takes a step on a batch; the loss is overwritten by the next one."""
        if batch.runs is None or not self.works:
            return self.step(batch)
        pattern = (tuple(batch.runs), *(tuple(one.shape) for one in batch[:3]))
        if self.seen[pattern] < WARM:
            self.seen[pattern] += 1
            return self.aside(batch)
        if pattern not in self.recordings:
            try:
                self.recordings[pattern] = self.record(batch)
            except RuntimeError as error:
                self.works = False
                warnings.warn(
                    "a training step could not be recorded for the GPU, so that each is launched "
                    f"piece by piece: {str(error).splitlines()[0]}",
                    stacklevel=2,
                )
                return self.step(batch)
        own, replay, loss = self.recordings[pattern]
        for mine, given in zip(own[:3], batch[:3], strict=True):
            mine.copy_(given)
        replay()
        return loss

    def aside(self, batch: Batch) -> Tensor:
        """Takes a step as usual, on the stream of recordings: what it leaves behind belongs there."""
        current = torch.cuda.current_stream()
        self.stream.wait_stream(current)
        with torch.cuda.stream(self.stream):
            loss = self.step(batch)
        current.wait_stream(self.stream)
        return loss

    def record(self, batch: Batch) -> tuple[Batch, Callable[[], None], Tensor]:
        """Returns buffers for a batch, what takes a step on them, and where the loss is then."""
        own = batch._replace(x=batch.x.clone(), y=batch.y.clone(), level=batch.level.clone())
        graph = torch.cuda.CUDAGraph()
        # The loader pins memory in a thread of its own, which must not end the recording.
        how = {"stream": self.stream, "capture_error_mode": "thread_local"}
        with torch.cuda.graph(graph, self.pool, **how):
            loss = self.step(own)
        self.pool = graph.pool()
        return own, graph.replay, loss.detach()


def recorder(
    device: torch.device, optimizers: Sequence[torch.optim.Optimizer], step: Step
) -> Recorder | None:
    """Returns what records steps on a device, or None where steps are not recorded."""
    return Recorder(step, optimizers) if device.type == "cuda" else None
