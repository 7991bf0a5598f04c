"""The SLURM engine: all missing jobs of a run become one array, handed in at once.

One array, so that ``--jobs`` limits it as a whole. It is handed in on hold; then each element is
told which others it waits for, and released. Elements start after those they wait for ended, in
whatever way, and look into the store themselves: what failed stops only what stands behind it. So
nothing here has to stay alive. Whoever runs the same command again follows the jobs that are still
queued, and hands in only what is missing beyond them.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmark.amount import amount
from benchmark.engines import queue
from benchmark.engines.graph import Graph, close
from benchmark.engines.perform import fail
from benchmark.engines.process import limited, settle
from benchmark.engines.progress import Progress
from benchmark.engines.remote import perform_noted
from benchmark.engines.submission import Place, Submission, covers, live, own_folder
from benchmark.errors import JobError, UserError
from benchmark.planning.jobs import Job, to_json
from benchmark.records import write
from benchmark.store import Store
from benchmark.training import stopping

POLL = 2
"""Seconds between two looks at the queue and the notes; with many jobs there are more."""

AT_ONCE = 50
"""Jobs that a second between two looks is enough for: all of them leave notes in one folder."""

TOLD = 60
"""Seconds between two lines about what waits in the queue."""

STUCK = (
    *("AccountNotAllowed", "BadConstraints", "InvalidAccount", "InvalidQOS", "JobHeldAdmin"),
    *("PartitionConfig", "PartitionNodeLimit", "PartitionTimeLimit", "QOSNotAllowed"),
    *("DependencyNeverSatisfied", "JobHeldUser", "launch failed requeued held"),
)
"""Reasons to wait that do not go away by themselves."""

GRACE = 5
"""Seconds that a note may take to be seen here after its element left the queue."""

MINUTES = 240
"""Time limit of an array element, if none is given."""

RESTARTS = 20
"""How often an element that came to its time limit, or was preempted, queues again to go on."""


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
    if "%" in str(store.home):
        raise UserError("SLURM reads a % in a path as its own; set DIALBENCH_HOME to one without")
    graph, progress, own = Graph(jobs), Progress(len(jobs)), own_folder(store)
    places = {key: place for key, place in live(own).items() if key in graph.jobs}
    followed = {key: one for key, one in places.items() if covers(one, graph.jobs[key])}
    fresh = [key for key in graph.jobs if key not in followed]
    if followed:
        arrays = sorted({one.submission.array for one in followed.values()})
        for array in arrays:
            queue.command("scontrol", "release", array)
        several = amount(len(followed), "job")
        print(f"following {several} of SLURM job {', '.join(arrays)}", file=sys.stderr)
    if fresh:
        with stopping.armed(signal.SIGTERM, signal.SIGHUP):
            new = _submit(store, own, graph, fresh, places, workers, chunk, wishes)
        places = {**followed, **new.places()}
    try:
        return _follow(graph, store, progress, places)
    except KeyboardInterrupt:
        arrays = sorted({one.submission.array for one in places.values()})
        print(f"the jobs go on; 'scancel {' '.join(arrays)}' would end them", file=sys.stderr)
        raise
    finally:
        progress.close()


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


def _fitting(graph: Graph, keys: Sequence[str], chunk: int) -> tuple[tuple[str, ...], ...]:
    """Returns the elements of an array, as many as the cluster takes in one.

    Raises:
        UserError: If there are more; it says which ``chunk`` would do.
    """
    elements = chunks(graph, keys, chunk)
    limit = queue.setting("MaxArraySize")
    if not limit.isdigit() or len(elements) <= int(limit):
        return elements
    sizes = range(chunk + 1, len(keys) + 1)
    enough = next((one for one in sizes if len(chunks(graph, keys, one)) <= int(limit)), None)
    advice = f"use chunk={enough} or more" if enough else "hand in fewer methods or seeds at once"
    raise UserError(
        f"these are {len(elements)} array elements, and this cluster takes {limit} at once; {advice}"
    )


def _submit(
    store: Store,
    own: Path,
    graph: Graph,
    keys: Sequence[str],
    places: dict[str, Place],
    workers: int | None,
    chunk: int,
    wishes: dict[str, Any],
) -> Submission:
    """Hands jobs in, each to start after those it needs have ended."""
    elements, cpus = _fitting(graph, keys, chunk), wishes.get("cpus", 1)
    folder = own / f"dialbench-{uuid.uuid4().hex[:12]}"
    try:
        for key in keys:
            write(folder / "jobs" / f"{key}.json", to_json(graph.jobs[key]).encode())
        array = _hand_in(folder, store, len(elements), workers or len(elements), wishes)
        several = f"{amount(len(keys), 'job')} in {amount(len(elements), 'element')}"
        print(f"SLURM job {array}: {several}", file=sys.stderr)
        submission = Submission(folder, array, elements, cpus)
        _order(submission, graph, places)
        submission.write()
        queue.release(array)
    except BaseException as error:
        # Nobody would find it, on hold, again; where it cannot be cancelled the next run tries.
        if queue.command("scancel", f"--name={folder.name}"):
            shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, JobError):
            raise UserError(f"SLURM did not take the jobs: {error}") from None
        raise
    return submission


def _order(submission: Submission, graph: Graph, places: dict[str, Place]) -> None:
    """Tells each element of an array, which is on hold, which others it waits for.

    Raises:
        JobError: If SLURM refuses.
    """
    own, elements = submission.places(), submission.elements
    where = {**places, **own}
    if any(graph.needs[key] for key in own):
        # Elements wait for earlier ones only, so the last need not be split off.
        for index in range(len(elements) - 1):
            queue.split(submission.id(index))
            # Another run cancels what has not moved for long.
            os.utime(submission.folder)
    # What earlier runs handed in may have ended meanwhile, and be unknown to SLURM; if that does not
    # answer, nothing is known to have ended.
    entries = queue.entries()
    ended = {
        place.id for place in places.values() if entries is not None and not place.entry(entries)
    }
    for index, element in enumerate(elements):
        # A job of the same key that does less than is wanted now must not run at the same time.
        before = {one for key in element for one in graph.needs[key] if one not in element}
        waits = {where[one].id for one in before if one in where}
        waits |= {places[key].id for key in element if key in places}
        if waits := waits - ended:
            queue.wait_for(submission.id(index), waits)
            os.utime(submission.folder)


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
        # submitit prints what sbatch says; the error says it too.
        with contextlib.redirect_stderr(io.StringIO()):
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
    told = time.monotonic() - TOLD + GRACE
    while places:
        entries = queue.entries()
        for key, place in list(places.items()):
            if key not in places:
                continue
            job = graph.jobs[key]
            note = notes[place.submission.folder].show(job, graph, progress)
            if note is not None and note.ended:
                failure = note.failure
            elif entries is None or place.entry(entries):
                gone.pop(key, None)
                continue
            elif time.monotonic() - gone.setdefault(key, time.monotonic()) < GRACE:
                continue
            else:
                said = f" after '{note.text}'" if note and note.text else ""
                failure = fail(
                    job,
                    store,
                    f"SLURM job {place.id} ended{said} without a result (cancelled, out of memory or "
                    f"time?); see {place.log()} and run again",
                )
            del places[key]
            graph.start(key)
            close(graph, store, progress, job, failure)
            _cancel_lost(graph, places)
        if places and time.monotonic() - told >= TOLD:
            told = time.monotonic()
            text = "SLURM does not answer" if entries is None else waiting(entries, places.values())
            if text:
                progress.note(text)
        if places:
            time.sleep(POLL + len(places) / AT_ONCE)
    return graph.failures


def waiting(entries: Mapping[str, queue.Entry], places: Iterable[Place]) -> str:
    """Returns a line about elements that wait in the queue, or nothing if none does."""
    elements = {place.id: place.entry(entries) for place in places}
    held = {one: entry for one, entry in elements.items() if entry and entry.state == "PENDING"}
    if not held:
        return ""
    reasons = Counter(entry.reason for entry in held.values())
    why = ", ".join(f"{reason} {number}" for reason, number in reasons.most_common())
    running = sum(1 for entry in elements.values() if entry) - len(held)
    text = f"in the queue: {running} running, {len(held)} waiting ({why})"
    stuck = [(one, entry.reason) for one, entry in held.items() if entry.reason in STUCK]
    if stuck:
        one, reason = min(stuck)
        text += (
            f"; {reason} does not pass by itself: see 'scontrol show job {one}', "
            f"'scancel {one.partition('_')[0]}' and ask for what the cluster has"
        )
    return text


def _cancel_lost(graph: Graph, places: dict[str, Place]) -> None:
    """Stops following jobs that can never run, and cancels elements with nothing else to do."""
    lost = {places.pop(key) for key in [one for one in places if one in graph.failures]}
    left = {place.id for place in places.values()}
    for one in lost:
        if one.id not in left:
            queue.command("scancel", f"--name={one.submission.folder.name}", one.id)


def run_element(folder: str, home: str, index: int) -> None:
    """Runs the jobs of one array element; called by submitit on the machine SLURM chose."""
    submission, store = Submission.read(Path(folder)), Store(home)
    if submission is None:
        raise JobError(f"{folder} is not a whole submission; run the command again")
    notes = submission.notes
    # submitit asks SLURM for SIGUSR2 ahead of the time limit; preemption and scancel send SIGTERM.
    unsaid = False
    try:
        with stopping.armed(signal.SIGTERM, signal.SIGUSR2):
            # Not any earlier: submitit ignores SIGTERM, and this takes a while.
            settle(limited(submission.cpus))
            for key in submission.elements[index]:
                note = notes.read(key)
                if note is not None and note.ended:
                    continue
                try:
                    perform_noted(submission.job(key), store, notes)
                except JobError as error:
                    # How it ended cannot be written; what it made may be stored all the same.
                    print(f"dialbench: {error}", file=sys.stderr)
                    unsaid = True
    except stopping.Stopped as stop:
        again = int(os.environ.get("SLURM_RESTART_COUNT", "0")) < RESTARTS
        one = submission.id(index)
        # Who ends before the grace of a preemption is over has ended, for SLURM, and does not come again.
        if again and (stop.number == signal.SIGUSR2 or queue.preempted(one)):
            queue.command("scontrol", "requeue", one)
        sys.exit(128 + stop.number)
    if unsaid:
        sys.exit(1)
