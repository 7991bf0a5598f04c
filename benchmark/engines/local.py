"""The local engine: jobs in this process, or in spawned worker processes.

A job starts when the jobs it depends on are done, the one with the most work behind it first. A
failed job skips what depends on it; a dying worker fails only the job it was running.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path

from benchmark.engines.perform import fail, perform, settle
from benchmark.engines.progress import Progress
from benchmark.jobs import Job, TrainJob, from_json, to_json
from benchmark.stage import Stage
from benchmark.store import Store

LEVEL_STEPS = 20
"""Training steps that scoring one level takes about as long as; used only to order jobs."""


def cores() -> int:
    """Returns the processor cores this process may use."""
    try:
        return max(1, len(os.sched_getaffinity(0)))
    except AttributeError:
        return os.cpu_count() or 1


def threads_each(count: int) -> int:
    """Returns the torch threads of each of ``count`` processes; OMP_NUM_THREADS is a limit."""
    limit = os.environ.get("OMP_NUM_THREADS", "")
    fair = max(1, cores() // count)
    return min(fair, int(limit)) if limit.isdigit() and int(limit) > 0 else fair


def default_jobs() -> int:
    """Returns how many jobs run at once: one on a GPU, two on a CPU (small networks gain by it)."""
    import torch

    return 1 if torch.cuda.is_available() or cores() < 2 else 2


def run(jobs: Sequence[Job], store: Store, workers: int | None = None) -> dict[str, str]:
    """Runs jobs in the order their dependencies allow.

    Args:
        jobs: The jobs; a dependency that is not among them must be stored.
        store: Where everything is kept.
        workers: How many run at once; None chooses.

    Returns:
        Why jobs failed, by key; empty if all succeeded.
    """
    graph = Graph(jobs)
    progress = Progress(len(jobs))
    count = min(default_jobs() if workers is None else workers, len(jobs))
    try:
        if count <= 1:
            return _in_process(graph, store, progress)
        return _in_workers(graph, store, progress, count)
    finally:
        progress.close()


def label(job: Job) -> str:
    """Returns a short name of a job for people."""
    seed = f" seed {job.seed}" if job.seed else ""
    if isinstance(job, TrainJob):
        return f"train {job.method or 'network'} {job.stage.name}{seed}"
    return f"sweep {job.method} on {job.dataset}{seed}"


class Graph:
    """Jobs with their dependencies, handing out what is ready.

    Args:
        jobs: The jobs, in any order.
    """

    def __init__(self, jobs: Sequence[Job]):
        self.jobs = {job.key: job for job in jobs}
        self.needs = {
            key: {one for one in needed(job) if one in self.jobs} for key, job in self.jobs.items()
        }
        self.behind: dict[str, float] = {}
        for key in self.jobs:
            self._path(key)
        self.waiting = set(self.jobs)
        self.failures: dict[str, str] = {}

    def _path(self, key: str) -> float:
        """Returns the work of a job and the longest chain of jobs behind it."""
        if key not in self.behind:
            after = [self._path(other) for other, needs in self.needs.items() if key in needs]
            self.behind[key] = work(self.jobs[key]) + max(after, default=0)
        return self.behind[key]

    def take(self) -> Job | None:
        """Returns the ready job with the longest chain behind it, or None if none is ready."""
        ready = [key for key in self.waiting if not self.needs[key]]
        if not ready:
            return None
        key = max(ready, key=lambda one: (self.behind[one], one))
        self.waiting.remove(key)
        return self.jobs[key]

    def close(self, key: str, failure: str | None) -> list[Job]:
        """Marks a job as done or failed; returns the jobs that can never run because of it."""
        if failure is None:
            for needs in self.needs.values():
                needs.discard(key)
            return []
        self.failures[key] = failure
        lost = [one for one in self.waiting if key in self.needs[one]]
        self.waiting -= set(lost)
        more = [job for one in lost for job in self.close(one, failure)]
        return [self.jobs[one] for one in sorted(lost)] + more


def needed(job: Job) -> set[str]:
    """Returns the keys of the stages that a job reads."""
    if isinstance(job, TrainJob):
        return {job.start_key} if job.start_key else set()
    return set(job.stage_keys.values())


def work(job: Job) -> float:
    """Returns roughly how long a job takes, in training steps."""
    if isinstance(job, TrainJob):
        stage: Stage = job.stage
        return stage.share * job.preset.steps
    return LEVEL_STEPS * len(job.points())


def _close(graph: Graph, store: Store, progress: Progress, job: Job, failure: str | None) -> None:
    progress.finished(label(job), failure)
    for lost in graph.close(job.key, failure):
        fail(lost, store, failure or "")
        progress.finished(label(lost), f"needs '{label(job)}'")


def _in_process(graph: Graph, store: Store, progress: Progress) -> dict[str, str]:
    settle(threads_each(1))
    while (job := graph.take()) is not None:
        name = label(job)
        progress.started(name)
        failure = perform(job, store, lambda text, name=name: progress.update(name, text))
        _close(graph, store, progress, job, failure)
    return graph.failures


class Worker:
    """A persistent child process that runs one job at a time."""

    def __init__(self, home: Path, threads: int):
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, str(home), threads))
        self.process.start()
        theirs.close()

    def give(self, job: Job) -> None:
        """Starts a job; ``hear`` tells if the process is gone by now."""
        with contextlib.suppress(OSError):
            self.pipe.send(to_json(job))

    def hear(self) -> tuple[str, str | None]:
        """Returns ``("say", text)``, ``("done", failure or None)`` or ``("died", failure)``."""
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            code = self.process.exitcode
            return (
                "died",
                f"the worker process died (exit {code}; out of memory?); use fewer --jobs",
            )

    def kill(self) -> None:
        """Ends the process."""
        self.process.kill()
        self.process.join()
        self.pipe.close()


def _serve(pipe: Connection, home: str, threads: int) -> None:
    """Runs the jobs that come through a pipe, until it closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    store = Store(home)
    try:
        settle(threads)
        while True:
            job = from_json(pipe.recv())
            failure = perform(job, store, lambda text: _tell(pipe, text))
            pipe.send(("done", failure))
    except (EOFError, BrokenPipeError):
        return


def _end_with_parent() -> None:
    """Ends this process when its parent is gone, however that ended."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _tell(pipe: Connection, text: str) -> None:
    """Sends progress; without a parent there is nobody left to work for."""
    try:
        pipe.send(("say", text))
    except OSError:
        os._exit(1)


def _in_workers(graph: Graph, store: Store, progress: Progress, count: int) -> dict[str, str]:
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
                progress.started(label(job))
                worker.give(job)
            if not running:
                return graph.failures
            ready = wait([worker.pipe for worker in running])
            for worker in [one for one in running if one.pipe in ready]:
                job = running[worker]
                kind, text = worker.hear()
                if kind == "say":
                    progress.update(label(job), text or "")
                    continue
                del running[worker]
                if kind == "died":
                    fail(job, store, text or "")
                    workers.remove(worker)
                    worker.kill()
                _close(graph, store, progress, job, text)
    finally:
        for worker in workers:
            worker.kill()
