"""Training steps recorded once on a GPU and replayed from there on.

A step of a small network is some hundreds of short kernels, each launched by the host. Replaying a
recording (a CUDA graph) launches all of them at once.
"""

from __future__ import annotations

import functools
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from benchmark.errors import one_line
from benchmark.training.batch import Batch

WARM = 3
"""Steps of a pattern that are taken as usual before one is recorded: buffers and kernels are chosen in them."""

Step = Callable[[Batch], Tensor]


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
        self.groups: list[dict[str, Any]] = [
            group for one in optimizers for group in one.param_groups
        ]
        for group in self.groups:
            device = group["params"][0].device
            group["lr"] = torch.as_tensor(group["lr"], dtype=torch.float32, device=device)
        self.seen: Counter[object] = Counter()
        self.recordings: dict[object, tuple[Batch, Callable[[], None], Tensor]] = {}
        self.works = True

    @functools.cached_property
    def stream(self) -> torch.cuda.Stream:
        """The stream that recordings are made on."""
        return torch.cuda.Stream()

    @functools.cached_property
    def pool(self) -> Any:
        """The memory that recordings share: none is replayed while another's results are needed."""
        return torch.cuda.graph_pool_handle()

    def __call__(self, batch: Batch) -> Tensor:
        """Takes a step on a batch; the loss is overwritten by the next one."""
        if batch.runs is None or not self.works:
            return self.step(batch)
        pattern = (tuple(batch.runs), *(tuple(one.shape) for one in batch[:3]))
        if self.seen[pattern] < WARM:
            self.seen[pattern] += 1
            return self.warm(batch)
        if pattern not in self.recordings:
            failure = self._tried(pattern, batch)
            if failure is not None:
                warnings.warn(
                    "a training step could not be recorded for the GPU, so that each is launched "
                    f"piece by piece: {one_line(failure)}",
                    stacklevel=2,
                )
                return self.step(batch)
        own, replay, loss = self.recordings[pattern]
        for mine, given in zip(own[:3], batch[:3], strict=True):
            mine.copy_(given)
        replay()
        return loss

    def _tried(self, pattern: object, batch: Batch) -> BaseException | None:
        """Records a pattern; or returns why not, without what would keep the attempt's memory."""
        own = batch._replace(x=batch.x.clone(), y=batch.y.clone(), level=batch.level.clone())
        for group in self.groups:
            group["capturable"] = True
        try:
            # Where a recording cannot be ended, torch leaves its stream the current one.
            with torch.cuda.stream(torch.cuda.current_stream() if own.x.is_cuda else None):
                self.recordings[pattern] = (own, *self.record(own))
        except RuntimeError as error:
            # A recording that goes takes the workspaces of all others along, so none may stay.
            self.works = False
            self.recordings.clear()
            torch.clear_autocast_cache()
            # What went wrong first; ending the recording then fails too.
            cause = error.__context__ or error
            cause.__traceback__ = cause.__context__ = None
            return cause
        finally:
            for group in self.groups:
                group["capturable"] = False
        return None

    def warm(self, batch: Batch) -> Tensor:
        """Takes a step as usual, on the stream of recordings: what it leaves behind belongs there."""
        current = torch.cuda.current_stream()
        self.stream.wait_stream(current)
        with torch.cuda.stream(self.stream):
            loss = self.step(batch)
        current.wait_stream(self.stream)
        return loss

    def record(self, own: Batch) -> tuple[Callable[[], None], Tensor]:
        """Returns what takes a step on a batch whenever it is called, and where the loss is then."""
        graph = torch.cuda.CUDAGraph()
        # The loader pins memory in a thread of its own, which must not end the recording.
        with torch.cuda.graph(
            graph, pool=self.pool, stream=self.stream, capture_error_mode="thread_local"
        ):
            loss = self.step(own)
        return graph.replay, loss.detach()


def recorder_for(
    device: torch.device, optimizers: Sequence[torch.optim.Optimizer], step: Step
) -> Recorder | None:
    """Returns what records steps on a device, or None where steps are not recorded."""
    return Recorder(step, optimizers) if device.type == "cuda" else None
