"""Whether a method works where its parameters are, on tensors that only pretend to be on a GPU."""

from __future__ import annotations

import logging
import os
import select
import signal
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress

import torch
from torch import nn
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensorMode,
    UnsupportedFakeTensorException,
    UnsupportedOperatorException,
)

from benchmark.conformance.recording import batches
from benchmark.conformance.subject import (
    Broken,
    Factory,
    MeanDistance,
    Skipped,
    own_stages,
    points,
    require,
)
from benchmark.errors import one_line
from benchmark.tasks import Task
from benchmark.training.learner import Recipe

THERE = "cuda"
UNFOLLOWED = (
    DataDependentOutputException,
    DynamicOutputShapeException,
    UnsupportedFakeTensorException,
    UnsupportedOperatorException,
)
"""What is raised where a step waits for a value, which pretended tensors lack, or nobody can pretend."""


PATIENCE = 300
"""Seconds after which a check that was begun apart hangs."""

PIPE = 4096
"""Bytes that a pipe takes at once."""


def everything_moves_to_a_gpu(factory: Factory, task: Task) -> None:
    """Training and tuned networks work on another device than the processor's."""
    apart(lambda: _follow(factory, task))


def apart(run: Callable[[], None]) -> None:
    """Runs a check in a process of its own: where torch only pretends, it may break off altogether.

    Raises:
        Skipped: If the check is, or if the process was ended by a signal.
        Broken: If the check finds something.
        Exception: What else it raises, from a second run of it here.
    """
    ours, theirs = os.pipe()
    with warnings.catch_warnings():
        # From 3.12 on Python warns that threads are not inherited, which is seen to below.
        warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
        child = os.fork()
    if child == 0:
        # Whoever waits for a thread waits for ever.
        torch.set_num_threads(1)
        told = b""
        try:
            run()
        except (Skipped, Broken) as error:
            told = f"{type(error).__name__}:{error}".encode()
        except BaseException:  # noqa: BLE001 - it is raised again by the run that follows
            told = b"again:"
        finally:
            os.write(theirs, told[:PIPE])
            os._exit(0)
    os.close(theirs)
    with os.fdopen(ours, "rb") as pipe:
        if not select.select([pipe], [], [], PATIENCE)[0]:
            os.kill(child, signal.SIGKILL)
        told = pipe.read().decode(errors="replace")
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        raise Skipped(f"it cannot be followed without values: torch ended with {name}")
    kind, _, text = told.partition(":")
    if kind == "again":
        run()
    elif kind:
        raise {"Skipped": Skipped, "Broken": Broken}[kind](text)


def _follow(factory: Factory, task: Task) -> None:
    names = [stage.name for stage in own_stages(factory(0), task)]
    for name in names:
        method = factory(0)
        stage = next(stage for stage in own_stages(method, task) if stage.name == name)
        method.begin(stage, MeanDistance(), Recipe(10, 1e-3, "constant"))
        with _pretending(f"stage '{name}'"):
            pretend(method, THERE)
            loss = method.measure(batches(stage, task, THERE)())
            require(loss.device.type == THERE, f"the loss of stage '{name}' leaves the GPU")
    method = factory(0).eval()
    # What mixes features looks at the level's value in use, where none is; its steps were followed.
    done = suppress(Skipped) if names else nullcontext()
    with done, _pretending("a tuned network"), torch.no_grad():
        pretend(method, THERE)
        network = method.tuned(points(method, task)[-1])
        output = network(torch.empty(1, 3, 16, 16, device=THERE))
        require(output.device.type == THERE, "the output of a tuned network leaves the GPU")


def pretend(module: nn.Module, device: str) -> None:
    """Puts parameters and buffers of a module on a device that need not be there.

    To be called in a ``FakeTensorMode``; ``module.to(device)`` would compute.
    """
    for one in module.modules():
        for name, value in one._parameters.items():
            if value is not None:
                fake = torch.empty(value.shape, dtype=value.dtype, device=device)
                one._parameters[name] = nn.Parameter(fake, value.requires_grad)
        for name, value in one._buffers.items():
            if value is not None:
                one._buffers[name] = torch.empty(value.shape, dtype=value.dtype, device=device)


@contextmanager
def _pretending(what: str) -> Iterator[None]:
    """Lets tensors be of other devices than there are; what mixes two devices is broken.

    Args:
        what: What is looked at, for the sentence.
    """
    log = logging.getLogger("torch._subclasses.fake_tensor")
    before, log.disabled = log.disabled, True
    try:
        with FakeTensorMode(allow_non_fake_inputs=True), warnings.catch_warnings():
            # torch itself does this where it copies a pretended tensor; no method can help it.
            warnings.filterwarnings("ignore", "Accessing the data pointer of FakeTensor")
            yield
    except UNFOLLOWED as error:
        raise Skipped(f"it cannot be followed without values: {one_line(error)}") from error
    except RuntimeError as error:
        if "swap" in str(error):
            raise Skipped(f"torch cannot pretend that: {one_line(error)}") from error
        if "device" not in str(error):
            raise
        raise Broken(f"{what} is on the GPU in part only: {one_line(error)}") from error
    finally:
        log.disabled = before
