"""Training one stage on several devices of this machine: a process for each, a part of every batch.

Lightning averages the gradients (DistributedDataParallel); this module starts the processes. They
build everything from the job, so nothing but text and weights passes between processes, and methods
from files of their own work as well.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import socket
import time
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from pathlib import Path

from benchmark.engines.process import FAREWELL, STARTING, become_worker, sentence, settle
from benchmark.errors import JobError, UserError
from benchmark.planning.jobs import TrainJob, from_json, to_json
from benchmark.store import Store, packed
from benchmark.train import Part, TrainResult, train_stage
from benchmark.training import stopping

DIED = "a training process died (out of memory?)"

FAILED, BROKE_OFF = "failed", "broke off"
"""A process that knows why it ended, and one that may only have missed another."""


def train(job: TrainJob, store: Store, folder: Path, say: Callable[[str], None]) -> TrainResult:
    """Trains a stage on ``job.preset.devices`` devices, or goes on from its checkpoint.

    Args:
        job: What to train; the stage it starts from is stored.
        store: Where that is.
        folder: Scratch folder for checkpoints.
        say: Told the progress, one short line at a time.

    Raises:
        JobError: If one of the processes fails.
    """
    import torch
    from safetensors.torch import load

    count = job.preset.devices
    context = multiprocessing.get_context("spawn")
    # Read when torch is loaded: a notice about parameters that a step does not use, at every stage.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    threads = max(1, torch.get_num_threads() // count)
    port, pipes, processes = _free_port(), [], []
    for rank in range(count):
        ours, theirs = context.Pipe()
        own = (theirs, to_json(job), str(store.home), str(folder), rank, port, threads)
        process = context.Process(target=_serve, args=own)
        process.start()
        theirs.close()
        pipes.append(ours)
        processes.append(process)
    try:
        blob, facts = b"", {}
        over: set[Connection] = set()
        began, starting = time.monotonic(), count
        while len(over) < count:
            if stopping.asked():
                _end(processes, FAREWELL)
                stopping.check()
            passed = time.monotonic() - began
            if starting and passed < STARTING:
                # No other word comes meanwhile, and who says nothing counts as hanging.
                say(f"{count} processes start, {passed:.0f} s")
            for pipe in wait([one for one in pipes if one not in over], timeout=1):
                try:
                    kind, value = pipe.recv()
                except (EOFError, OSError):
                    kind, value = FAILED, DIED
                if kind == "say":
                    say(value)
                elif kind == "up":
                    starting -= 1
                elif kind in (FAILED, BROKE_OFF):
                    if stopping.asked():
                        # The same signal ended it, after it had saved what it has.
                        break
                    others = [one for one in pipes if one not in (pipe, *over)]
                    raise JobError(value if kind == FAILED else _cause(value, others))
                else:
                    over.add(pipe)
                    blob, facts = value or (blob, facts)
        return TrainResult(load(blob), facts)
    finally:
        _end(processes, 0)
        for pipe in pipes:
            pipe.close()


def _cause(reason: str, others: list[Connection]) -> str:
    """Returns why a process broke off: it may miss another, which died without a word."""
    for pipe in wait(others, timeout=1):
        try:
            while pipe.poll() and pipe.recv()[0] in ("say", "up"):
                pass
        except (EOFError, OSError):
            return DIED
    return reason


def _end(processes: list, farewell: float) -> None:
    """Ends processes; in ``farewell`` seconds they may save what they have."""
    end = time.monotonic() + farewell
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(max(0.0, end - time.monotonic()))
        process.kill()
        process.join()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def _serve(
    pipe: Connection, text: str, home: str, folder: str, rank: int, port: int, threads: int
) -> None:
    """Trains one part of every batch; the first process tells the progress and the result."""
    become_worker()
    # With a rank given, Lightning takes part in the group of processes instead of starting one.
    os.environ.update(
        LOCAL_RANK=str(rank), NODE_RANK="0", MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port)
    )
    job, store = from_json(text), Store(home)
    try:
        with stopping.armed(signal.SIGTERM, once=True), stopping.one_job():
            settle(threads)
            pipe.send(("up", None))
            start = store.load_stage(job.start_key) if job.start_key else None
            part = Part(rank, job.preset.devices)

            def say(line: str) -> None:
                if rank == 0:
                    pipe.send(("say", line))

            state, facts = train_stage(job, start, Path(folder), say, part, store)
        pipe.send(("done", (packed(state), facts) if rank == 0 else None))
    except stopping.Stopped:
        return
    except Exception as error:  # noqa: BLE001 - told to the process that started this one
        kind = FAILED if isinstance(error, JobError | UserError) else BROKE_OFF
        with contextlib.suppress(OSError):
            pipe.send((kind, sentence(error, store)))
