"""The Ray engine: every job is a task, on this machine or on a cluster.

Without an address Ray is started here and ends with the run. The machines of a cluster must see the
store's folder, the data and this code under the same paths. A task whose worker dies is tried
again, and goes on from what it had saved.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import socket
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import benchmark
from benchmark.amount import amount
from benchmark.engines.graph import Graph, close
from benchmark.engines.local import SIGNALS, default_jobs, silent_text
from benchmark.engines.perform import fail
from benchmark.engines.process import FAREWELL, sentence, settle
from benchmark.engines.progress import Progress
from benchmark.engines.remote import EVERY, Notes, perform_noted
from benchmark.errors import UserError, one_line
from benchmark.planning.jobs import Job, from_json, to_json
from benchmark.store import Store
from benchmark.training import stopping

POLL = 0.5
"""Seconds between two looks at what jobs say."""

KNOCK = 5
"""Seconds in which a cluster must answer."""

OLD = 24 * 3600
"""Seconds after which notes in which nobody writes any more are removed."""

MEMORY = 100 << 20
"""Bytes of Ray's shared memory on this machine; tasks pass nothing but text."""


def run(
    jobs: Sequence[Job],
    store: Store,
    workers: int | None = None,
    address: str = "",
    cpus: int = 1,
    gpus: float | None = None,
    retries: int = 2,
    timeout: float | None = None,
) -> dict[str, str]:
    """Runs jobs in the order their dependencies allow.

    Args:
        jobs: The jobs; a dependency that is not among them must be stored.
        store: Where everything is kept.
        workers: How many run at once; None means as many as fit the cluster.
        address: Address of a cluster, ``auto``, or empty for RAY_ADDRESS or else a new one here.
        cpus: Cores of one job.
        gpus: GPUs (or the share of one) of one job; None means one where the cluster has any.
        retries: How often a job is tried again after its worker died.
        timeout: Seconds without a sign of life after which a job is ended.

    Returns:
        Why jobs failed, by key; empty if all succeeded.

    Raises:
        UserError: If the cluster cannot be reached.
    """
    import ray

    graph, progress = Graph(jobs), Progress(len(jobs))
    notes = Notes(store.home / "notes" / uuid.uuid4().hex)
    _sweep(notes.folder.parent)
    address = address or os.environ.get("RAY_ADDRESS", "")
    with _cluster(address, workers, cpus):
        if gpus is None:
            gpus = 1 if ray.cluster_resources().get("GPU") else 0
        machines = [one["Resources"] for one in ray.nodes() if one["Alive"]]
        if lacking := _lacking(machines, cpus, gpus):
            if _is_own(address):
                raise UserError(f"--engine ray: {lacking}; ask for fewer")
            progress.note(f"{lacking}, so jobs wait until one joins that has; Ctrl-C ends this")
        task = ray.remote(_work).options(
            num_cpus=cpus, num_gpus=gpus, max_retries=retries, retry_exceptions=False
        )
        running: dict[Any, Job] = {}
        heard: dict[str, tuple[object, float]] = {}
        try:
            with stopping.armed(*SIGNALS):
                while True:
                    while workers is None or len(running) < workers:
                        job = graph.take()
                        if job is None:
                            break
                        text = to_json(job)
                        running[task.remote(text, str(store.home), str(notes.folder), cpus)] = job
                    if not running:
                        return graph.failures
                    # Where a signal raises inside Ray, that makes a SystemError of it.
                    with stopping.one_job():
                        done, _ = ray.wait(list(running), num_returns=1, timeout=POLL)
                    for reference in done:
                        job = running.pop(reference)
                        failure = _outcome(reference, job, store, notes, job.key in heard)
                        close(graph, store, progress, job, failure)
                    for reference, job in running.items():
                        note = notes.show(job, graph, progress)
                        if note and _silent(job.key, note, heard, timeout):
                            notes.end(job.key, fail(job, store, silent_text(timeout or 0)))
                            ray.cancel(reference, force=True)
        finally:
            for reference in running:
                ray.cancel(reference)
            if running:
                ray.wait(list(running), num_returns=len(running), timeout=FAREWELL)
            progress.close()
            notes.clear()


def _sweep(folder: Path) -> None:
    """Removes notes of runs that were killed; those that are alive write some all the time."""
    for one in folder.glob("*/"):
        with contextlib.suppress(OSError):
            if time.time() - one.stat().st_mtime > OLD:
                shutil.rmtree(one, ignore_errors=True)


def _lacking(machines: Sequence[Mapping[str, float]], cpus: int, gpus: float) -> str:
    """Returns that no machine of a cluster could run a job, which Ray does not say, or nothing."""
    if any(one.get("CPU", 0) >= cpus and one.get("GPU", 0) >= gpus for one in machines):
        return ""
    wanted = [amount(cpus, "core"), *([f"{gpus:g} GPU{'s' * (gpus > 1)}"] if gpus else [])]
    return f"no machine of the cluster has {' and '.join(wanted)}"


def _is_own(address: str) -> bool:
    """Whether the cluster is started here, by this run."""
    return address in ("", "local")


def _silent(
    key: str, note: object, heard: dict[str, tuple[object, float]], timeout: float | None
) -> bool:
    """Whether a job has said nothing new for too long."""
    now = time.monotonic()
    if key not in heard or heard[key][0] != note:
        heard[key] = (note, now)
    return timeout is not None and now - heard[key][1] > max(timeout, 2 * EVERY)


def _outcome(reference: Any, job: Job, store: Store, notes: Notes, began: bool) -> str | None:
    """Returns why a task failed, or None."""
    import ray

    try:
        ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        return fail(job, store, sentence(error.cause, store))
    except ray.exceptions.RayError as error:
        note = notes.read(job.key)
        if note is not None and note.ended and note.failure:
            return note.failure
        where = "the worker process died" if began else "no worker could run the job"
        reason = f"{where} ({type(error).__name__}; out of memory?); use fewer --jobs"
        return fail(job, store, reason)
    note = notes.read(job.key)
    return note.failure if note else fail(job, store, "the job left no note; run again")


@contextlib.contextmanager
def _cluster(address: str, workers: int | None, cpus: int) -> Iterator[None]:
    """Connects to a cluster, or starts one here, and leaves it again."""
    import ray

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # What a task needs to find the same code, store, data and weights on every machine.
    root = str(Path(benchmark.__file__).parents[1])
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH", ""))))
    own = {
        # All of them name folders, and tasks have another working folder.
        name: str(Path(value).expanduser().resolve())
        for name, value in os.environ.items()
        if name.startswith("DIALBENCH_") and value
    }
    common: dict[str, Any] = {
        "runtime_env": {"env_vars": {**own, "PYTHONPATH": path}},
        "log_to_driver": False,
        "logging_level": logging.ERROR,
    }
    try:
        if not _is_own(address):
            _knock(address)
            ray.init(address=address, **common)
        else:
            ray.init(
                address="local",
                num_cpus=(workers or default_jobs()) * cpus,
                include_dashboard=False,
                object_store_memory=MEMORY,
                **common,
            )
    except (OSError, RuntimeError, ValueError) as error:
        raise UserError(
            f"cannot use the Ray cluster '{address or 'local'}': {one_line(error)}"
        ) from None
    try:
        yield
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Raises ConnectionError where nobody listens, for which Ray itself takes minutes."""
    host, _, port = address.rpartition("/")[2].rpartition(":")
    if host and port.isdigit():
        with socket.create_connection((host, int(port)), timeout=KNOCK):
            return


def _work(text: str, home: str, notes: str, cpus: int) -> None:
    """Runs one job in a worker process of Ray."""
    os.environ["DIALBENCH_HOME"] = home
    try:
        with stopping.armed(*SIGNALS):
            # Not any earlier: it takes a while, in which a signal must not look like a failing job.
            settle(cpus)
            perform_noted(from_json(text), Store(home), Notes(Path(notes)))
    except stopping.Stopped:
        # A machine that is taken away: to Ray the worker died, so it tries again elsewhere.
        os._exit(1)
