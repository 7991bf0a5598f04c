"""The local engine: jobs in this process, or in spawned worker processes.

A job starts when the jobs it depends on are done, the one with the most work behind it first. A
failed job skips what depends on it; a dying worker fails only the job it was running, and so does
one that hangs, if a timeout is set. SIGTERM and Ctrl-C save what was done before they end the run.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path

from benchmark.engines.graph import Graph, close
from benchmark.engines.perform import fail, perform
from benchmark.engines.process import FAREWELL, STARTING, become_worker, limited, settle
from benchmark.engines.progress import Progress
from benchmark.planning.jobs import Job, from_json, to_json
from benchmark.store import Store
from benchmark.training import stopping

SIGNALS = (signal.SIGTERM, signal.SIGINT, *stopping.HANGUP)
"""What ends a run, after it has saved what is done."""

UNSTARTED = (
    "the worker process ended as it started (what it said stands above); a script has to start runs "
    "below if __name__ == '__main__':, or with --jobs 1"
)
"""What is said of a worker that an exception ended at once: it imports the script that starts the run."""


def cores() -> int:
    """Returns the processor cores this process may use."""
    try:
        return max(1, len(os.sched_getaffinity(0)))
    except AttributeError:
        return os.cpu_count() or 1


def threads_each(count: int) -> int:
    """Returns the torch threads of each of ``count`` processes; OMP_NUM_THREADS is a limit."""
    return limited(max(1, cores() // count))


def default_jobs() -> int:
    """Returns how many jobs run at once: one on a GPU, two on a CPU (small networks gain by it)."""
    import torch

    return 1 if torch.cuda.is_available() or cores() < 2 else 2


def run(
    jobs: Sequence[Job], store: Store, workers: int | None = None, timeout: float | None = None
) -> dict[str, str]:
    """Runs jobs in the order their dependencies allow.

    Args:
        jobs: The jobs; a dependency that is not among them must be stored.
        store: Where everything is kept.
        workers: How many run at once; None chooses.
        timeout: Seconds without a sign of life after which a job is ended; None waits forever.

    Returns:
        Why jobs failed, by key; empty if all succeeded.

    Raises:
        Stopped: If a signal ended the run; every job saved what it had.
    """
    graph = Graph(jobs)
    progress = Progress(len(jobs))
    count = min(default_jobs() if workers is None else workers, len(jobs))
    try:
        with stopping.armed(*SIGNALS):
            if count <= 1 and timeout is None:
                return _in_process(graph, store, progress)
            return _in_workers(graph, store, progress, count, timeout)
    finally:
        progress.close()


def silent_text(seconds: float) -> str:
    """Returns why a job was ended that gave no sign of life for too long."""
    return (
        f"no sign of life for {seconds:g} s, so it was ended; run again, or with a longer timeout"
    )


def _in_process(graph: Graph, store: Store, progress: Progress) -> dict[str, str]:
    settle(threads_each(1))
    while (job := graph.take()) is not None:
        name = graph.label(job)
        progress.started(name)
        failure = perform(job, store, lambda text, name=name: progress.update(name, text))
        close(graph, store, progress, job, failure)
    return graph.failures


class Worker:
    """A persistent child process that runs one job at a time."""

    def __init__(self, home: Path, threads: int):
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.heard, self.up = time.monotonic(), False
        self.process = context.Process(target=_serve, args=(theirs, str(home), threads))
        self.process.start()
        theirs.close()

    def give(self, job: Job) -> None:
        """Starts a job; ``hear`` tells if the process is gone by now."""
        self.heard = time.monotonic()
        with contextlib.suppress(OSError):
            self.pipe.send(to_json(job))

    def hear(self) -> tuple[str, str | None]:
        """Returns ``("say", text)``, ``("done", failure or None)`` or ``("died", failure)``."""
        began, self.heard, self.up = self.up, time.monotonic(), True
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            code = self.process.exitcode
            if not began and code == 1:
                return "died", UNSTARTED
            return (
                "died",
                f"the worker process died (exit {code}; out of memory?); use fewer --jobs",
            )

    def silent(self) -> float:
        """Returns the seconds since the process last said something, or since it was started."""
        return time.monotonic() - self.heard

    def patience(self, timeout: float) -> float:
        """Returns how long it may be silent; what it loads before its first sign takes its time."""
        return timeout if self.up else max(timeout, STARTING)

    def kill(self, farewell: float = 0) -> None:
        """Ends the process; in ``farewell`` seconds it may save what it has."""
        if farewell > 0:
            self.process.join(farewell)
        self.process.kill()
        self.process.join()
        self.pipe.close()


def _serve(pipe: Connection, home: str, threads: int) -> None:
    """Runs the jobs that come through a pipe, until it closes."""
    become_worker()
    store = Store(home)
    try:
        with stopping.armed(signal.SIGTERM, once=True):
            settle(threads)
            _tell(pipe, "")
            while True:
                job = from_json(pipe.recv())
                failure = perform(job, store, lambda text: _tell(pipe, text))
                pipe.send(("done", failure))
    except (EOFError, BrokenPipeError, stopping.Stopped):
        return


def _tell(pipe: Connection, text: str) -> None:
    """Sends progress; without a parent there is nobody left to work for."""
    try:
        pipe.send(("say", text))
    except OSError:
        os._exit(1)


def _in_workers(
    graph: Graph, store: Store, progress: Progress, count: int, timeout: float | None
) -> dict[str, str]:
    threads = threads_each(count)
    workers: list[Worker] = []
    running: dict[Worker, Job] = {}
    try:
        while True:
            while len(running) < count and (job := graph.take()) is not None:
                worker = next((one for one in workers if one not in running), None)
                if worker is None:
                    worker = Worker(store.home, threads)
                    workers.append(worker)
                running[worker] = job
                progress.started(graph.label(job))
                worker.give(job)
            if not running:
                return graph.failures
            ready = wait([worker.pipe for worker in running], timeout and min(timeout, 1))
            for worker in [one for one in running if one.pipe in ready]:
                job = running[worker]
                kind, text = worker.hear()
                if kind == "say":
                    if text:
                        progress.update(graph.label(job), text)
                    continue
                del running[worker]
                if kind == "died":
                    fail(job, store, text or "")
                    workers.remove(worker)
                    worker.kill()
                close(graph, store, progress, job, text)
            if not timeout:
                continue
            for worker in [one for one in running if one.silent() > one.patience(timeout)]:
                job = running.pop(worker)
                workers.remove(worker)
                worker.kill()
                reason = fail(job, store, silent_text(worker.patience(timeout)))
                close(graph, store, progress, job, reason)
    finally:
        for worker in running:
            worker.process.terminate()
        end = time.monotonic() + FAREWELL
        for worker in workers:
            worker.kill(end - time.monotonic() if worker in running else 0)
