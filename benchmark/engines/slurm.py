"""The SLURM engine: all missing jobs of a run become one array, handed in at once.

One array, so that ``--jobs`` limits it as a whole. It is handed in on hold; then each element is
told which others it waits for, and released. Elements start after those they wait for ended, in
whatever way, and look into the store themselves: what failed stops only what stands behind it. So
nothing here has to stay alive. Whoever runs the same command again follows the jobs that are still
queued, and hands in only what is missing beyond them.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.amount import amount
from benchmark.engines import queue
from benchmark.engines.graph import Graph, close
from benchmark.engines.perform import fail
from benchmark.engines.process import settle
from benchmark.engines.progress import Progress
from benchmark.engines.remote import Notes, perform_noted
from benchmark.errors import JobError, UserError
from benchmark.planning.jobs import Job, TrainJob, read, to_json
from benchmark.store import Store, read_json, write, write_json
from benchmark.training import stopping

POLL = 2
"""Seconds between two looks at the queue and the notes."""

GRACE = 5
"""Seconds that a note may take to be seen here after its element left the queue."""

MINUTES = 240
"""Time limit of an array element, if none is given."""

RESTARTS = 20
"""How often an element that came to its time limit queues again, to go on."""

OLD = 24 * 3600
"""Seconds after which the folder of a submission that nothing is left of is removed."""


@dataclass(frozen=True)
class Submission:
    """What was handed in at once.

    Args:
        folder: Holds the job files, the notes and SLURM's logs.
        array: Number of the SLURM job.
        elements: Keys of the jobs that each array element runs, one after the other.
        cpus: Cores of one element.
    """

    folder: Path
    array: str
    elements: tuple[tuple[str, ...], ...]
    cpus: int = 1

    @property
    def notes(self) -> Notes:
        """Where its jobs say how far they are."""
        return Notes(self.folder / "notes")

    def id(self, index: int) -> str:
        """Returns what SLURM calls an element."""
        return f"{self.array}_{index}" if len(self.elements) > 1 else self.array

    def job(self, key: str) -> Job:
        """Reads one of its jobs."""
        return read(self.folder / "jobs" / f"{key}.json")

    def write(self) -> None:
        """Commits the submission: from here on another run follows it."""
        record = {"array": self.array, "elements": self.elements, "cpus": self.cpus}
        write_json(self.folder / "submission.json", record)

    @classmethod
    def read(cls, folder: Path) -> Submission | None:
        """Returns the submission in a folder, or None if it was not committed."""
        record = read_json(folder / "submission.json")
        if record is None:
            return None
        elements = tuple(tuple(one) for one in record["elements"])
        return cls(folder, record["array"], elements, record["cpus"])


@dataclass(frozen=True)
class Place:
    """Where a job is: an element of a submission."""

    submission: Submission
    index: int

    @property
    def id(self) -> str:
        """What SLURM calls it."""
        return self.submission.id(self.index)


def run(
    jobs: Sequence[Job],
    store: Store,
    workers: int | None = None,
    chunk: int = 1,
    **wishes: Any,
) -> dict[str, str]:
    """Hands in what is not queued yet, and follows everything until it has ended.

    Args:
        jobs: The jobs; a dependency that is not among them must be stored.
        store: Where everything is kept; all machines see it under the same path.
        workers: How many array elements run at once; None leaves it to SLURM.
        chunk: How many jobs one array element runs, one after the other.
        **wishes: ``account``, ``partition``, ``qos``, ``minutes``, ``memory`` (GB), ``cpus``,
            ``gpus`` of an array element.

    Returns:
        Why jobs failed, by key; empty if all succeeded.

    Raises:
        UserError: If SLURM does not take the jobs.
    """
    graph, progress = Graph(jobs), Progress(len(jobs))
    known = _live(store)
    places = {key: place for key, place in known.items() if key in graph.jobs}
    followed = {key: one for key, one in places.items() if _covers(one, graph.jobs[key])}
    fresh = [key for key in graph.jobs if key not in followed]
    if followed:
        arrays = sorted({one.submission.array for one in followed.values()})
        for array in arrays:
            queue.command("scontrol", "release", array)
        several = amount(len(followed), "job")
        print(f"following {several} of SLURM job {', '.join(arrays)}", file=sys.stderr)
    if fresh:
        new = _submit(store, graph, fresh, places, workers, chunk, wishes)
        elements = amount(len(new.elements), "element")
        print(f"SLURM job {new.array}: {amount(len(fresh), 'job')} in {elements}", file=sys.stderr)
        places = {**followed, **_places(new)}
    try:
        return _follow(graph, store, progress, places)
    except KeyboardInterrupt:
        arrays = sorted({one.submission.array for one in places.values()})
        print(f"the jobs go on; 'scancel {' '.join(arrays)}' would end them", file=sys.stderr)
        raise
    finally:
        progress.close()


def _places(submission: Submission) -> dict[str, Place]:
    return {
        key: Place(submission, index)
        for index, keys in enumerate(submission.elements)
        for key in keys
    }


def _live(store: Store) -> dict[str, Place]:
    """Returns where jobs are that earlier runs handed in and that have not ended.

    What a run left half handed in (it is on hold) is cancelled and removed, and what is long over
    removed.
    """
    states = queue.states()
    if states is None:
        raise UserError("SLURM does not answer (squeue failed); try again when it is up")
    found: dict[str, Place] = {}
    for folder in sorted((store.home / "slurm").glob("*/")):
        submission = Submission.read(folder)
        age = time.time() - folder.stat().st_mtime
        if submission is None:
            # What SLURM could not cancel stays, so that the next run tries again.
            if age > queue.PATIENCE and queue.command("scancel", f"--name={folder.name}"):
                shutil.rmtree(folder, ignore_errors=True)
            continue
        alive = {
            index for index in range(len(submission.elements)) if submission.id(index) in states
        }
        for key, place in _places(submission).items():
            note = submission.notes.read(key)
            if place.index in alive and not (note and note.ended):
                found[key] = place
        if not alive and age > OLD:
            shutil.rmtree(folder, ignore_errors=True)
    return found


def _covers(place: Place, job: Job) -> bool:
    """Whether a job in the queue does all that another of the same key would do."""
    try:
        queued = place.submission.job(job.key)
    except UserError:
        return False
    return isinstance(job, TrainJob) or set(job.points()) <= set(queued.points())


def chunks(graph: Graph, keys: Iterable[str], size: int) -> tuple[tuple[str, ...], ...]:
    """Returns the jobs of each array element, those with the most work behind them first.

    Jobs share an element only if equally many stand before them in a row, so that no element waits
    for itself; those that wait for the same are put together.
    """
    depth: dict[str, int] = {}

    def deep(key: str) -> int:
        if key not in depth:
            depth[key] = 1 + max((deep(one) for one in graph.needs[key]), default=-1)
        return depth[key]

    rows: dict[int, list[str]] = {}
    for key in sorted(keys, key=lambda one: (-graph.behind[one], one)):
        rows.setdefault(deep(key), []).append(key)
    found: list[tuple[str, ...]] = []
    for _, row in sorted(rows.items()):
        if size > 1:
            row.sort(key=lambda one: sorted(graph.needs[one]))
        found += [tuple(row[first : first + size]) for first in range(0, len(row), size)]
    return tuple(found)


def _submit(
    store: Store,
    graph: Graph,
    keys: Sequence[str],
    places: dict[str, Place],
    workers: int | None,
    chunk: int,
    wishes: dict[str, Any],
) -> Submission:
    """Hands jobs in, each to start after those it needs have ended."""
    folder = store.home / "slurm" / f"dialbench-{uuid.uuid4().hex[:12]}"
    for key in keys:
        write(folder / "jobs" / f"{key}.json", to_json(graph.jobs[key]).encode())
    elements, cpus = chunks(graph, keys, chunk), wishes.get("cpus", 1)
    array = _hand_in(folder, store, len(elements), workers or len(elements), wishes)
    submission = Submission(folder, array, elements, cpus)
    own = _places(submission)
    try:
        if any(graph.needs[key] for key in keys):
            # Elements wait for earlier ones only, so the last need not be split off.
            for index in range(len(elements) - 1):
                queue.split(submission.id(index))
        for index, element in enumerate(elements):
            # A job of the same key that does less than is wanted now must not run at the same time.
            before = {one for key in element for one in graph.needs[key] if one not in element}
            waits = {(own.get(one) or places[one]).id for one in before if one in own | places}
            waits |= {places[key].id for key in element if key in places}
            if waits:
                queue.wait_for(submission.id(index), waits)
        submission.write()
        queue.command("scontrol", "release", array)
    except JobError as error:
        queue.command("scancel", array)
        raise UserError(f"SLURM did not take the jobs: {error}") from None
    return submission


def _hand_in(folder: Path, store: Store, count: int, at_once: int, wishes: dict[str, Any]) -> str:
    """Hands in an array on hold; returns its number."""
    import submitit
    from submitit.core.utils import FailedJobError, FailedSubmissionError

    (folder / "log").mkdir(parents=True, exist_ok=True)
    executor = submitit.SlurmExecutor(folder / "log")
    more: dict[str, Any] = {"hold": True}
    if "memory" in wishes:
        more["mem"] = f"{round(wishes['memory'] * 1024)}M"
    named = {key: wishes[key] for key in ("account", "partition", "qos") if key in wishes}
    if wishes.get("gpus"):
        named["gpus_per_node"] = wishes["gpus"]
    executor.update_parameters(
        job_name=folder.name,
        time=wishes.get("minutes", MINUTES),
        cpus_per_task=wishes.get("cpus", 1),
        array_parallelism=at_once,
        additional_parameters=more,
        **named,
    )
    try:
        tasks = executor.map_array(
            run_element, [str(folder)] * count, [str(store.home)] * count, range(count)
        )
    except (FailedJobError, FailedSubmissionError, subprocess.CalledProcessError, OSError) as error:
        lines = [line for line in str(error).splitlines() if line.strip()]
        raise UserError(f"SLURM did not take the jobs: {lines[-1] if lines else error}") from None
    return tasks[0].job_id.partition("_")[0]


def _follow(
    graph: Graph, store: Store, progress: Progress, places: dict[str, Place]
) -> dict[str, str]:
    """Shows the progress of jobs until all have ended; returns why jobs failed."""
    notes = {place.submission.folder: place.submission.notes for place in places.values()}
    gone: dict[str, float] = {}
    while places:
        states = queue.states()
        for key, place in list(places.items()):
            if key not in places:
                continue
            job = graph.jobs[key]
            note = notes[place.submission.folder].show(job, progress)
            if note is not None and note.ended:
                failure = note.failure
            elif states is None or place.id in states:
                gone.pop(key, None)
                continue
            elif time.monotonic() - gone.setdefault(key, time.monotonic()) < GRACE:
                continue
            else:
                said = f" after '{note.text}'" if note and note.text else ""
                logs = place.submission.folder / "log"
                failure = fail(
                    job,
                    store,
                    f"SLURM job {place.id} ended{said} without a result (cancelled, out of memory or "
                    f"time?); see {logs} and run again",
                )
            del places[key]
            graph.start(key)
            close(graph, store, progress, job, failure)
            _cancel_lost(graph, places)
        if places:
            time.sleep(POLL)
    return graph.failures


def _cancel_lost(graph: Graph, places: dict[str, Place]) -> None:
    """Stops following jobs that can never run, and cancels elements with nothing else to do."""
    lost = [key for key in places if key in graph.failures]
    ids = {places.pop(key).id for key in lost}
    for one in ids - {place.id for place in places.values()}:
        queue.command("scancel", one)


def run_element(folder: str, home: str, index: int) -> None:
    """Runs the jobs of one array element; called by submitit on the machine SLURM chose."""
    submission, store = Submission.read(Path(folder)), Store(home)
    if submission is None:
        raise JobError(f"{folder} is not a whole submission; run the command again")
    limit = os.environ.get("OMP_NUM_THREADS", "")
    settle(min(submission.cpus, int(limit)) if limit.isdigit() else submission.cpus)
    notes = submission.notes
    # submitit asks SLURM for SIGUSR2 ahead of the time limit; preemption and scancel send SIGTERM.
    try:
        with stopping.armed(signal.SIGTERM, signal.SIGUSR2):
            for key in submission.elements[index]:
                note = notes.read(key)
                if note is None or not note.ended:
                    perform_noted(submission.job(key), store, notes)
    except stopping.Stopped as stop:
        again = int(os.environ.get("SLURM_RESTART_COUNT", "0")) < RESTARTS
        if stop.number == signal.SIGUSR2 and again:
            queue.command("scontrol", "requeue", submission.id(index))
        sys.exit(128 + stop.number)
