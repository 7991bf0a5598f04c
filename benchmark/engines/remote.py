"""Jobs that run in processes this one cannot hear: they leave notes in the store.

A note says how far a job is, and at last how it ended. Notes need no more than the store does, a
folder that all machines see, so every engine that starts jobs elsewhere uses them.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from benchmark.engines.graph import Graph, needed
from benchmark.engines.perform import fail, perform
from benchmark.engines.progress import Progress
from benchmark.errors import JobError
from benchmark.planning.jobs import Job
from benchmark.records import read_json, write_json
from benchmark.store import Store

EVERY = 5
"""Seconds between two notes of a job: a thousand of them write into one folder."""

PAUSES = (1, 4, 15, 60, 120)
"""Seconds to wait before it is tried again to note how a job ended."""


@dataclass(frozen=True)
class Note:
    """The last that a job said.

    Args:
        text: How far it is.
        ended: Whether it is over.
        failure: Why it failed, if it did.
    """

    text: str
    ended: bool
    failure: str | None


class Notes:
    """The notes of one run.

    Args:
        folder: Where they lie; jobs and the engine name the same one.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.shown: dict[str, str] = {}

    def say(self, key: str, text: str) -> None:
        """Notes how far a job is, if it can: no training ends for a line that was not written."""
        with contextlib.suppress(JobError):
            self._write(key, Note(text, False, None))

    def end(self, key: str, failure: str | None) -> None:
        """Notes how a job ended; waits for a disk that is full or away for a while.

        Raises:
            JobError: If it is still so after the last of ``PAUSES``.
        """
        for pause in PAUSES:
            try:
                return self._write(key, Note("", True, failure))
            except JobError:
                time.sleep(pause)
        return self._write(key, Note("", True, failure))

    def _write(self, key: str, note: Note) -> None:
        write_json(self.folder / f"{key}.json", vars(note))

    def read(self, key: str) -> Note | None:
        """Returns the last note of a job, or None if it has not begun."""
        record = read_json(self.folder / f"{key}.json")
        if record is None:
            return None
        return Note(record["text"], record["ended"], record["failure"])

    def show(self, job: Job, graph: Graph, progress: Progress) -> Note | None:
        """Shows what is new about a job, and returns its last note."""
        note = self.read(job.key)
        if note is None or note.ended or self.shown.get(job.key) == note.text:
            return note
        if job.key not in self.shown:
            progress.started(graph.label(job))
        self.shown[job.key] = note.text
        if note.text:
            progress.update(graph.label(job), note.text)
        return note

    def clear(self) -> None:
        """Removes all notes."""
        shutil.rmtree(self.folder, ignore_errors=True)


def perform_noted(job: Job, store: Store, notes: Notes) -> None:
    """Runs a job whose dependencies were tried before, and notes how far it is and how it ended.

    Raises:
        Stopped: If a signal asked for it; the job then has not ended, and can be run again.
        JobError: If it cannot be noted how the job ended.
    """
    said = time.monotonic()
    notes.say(job.key, "")

    def say(text: str) -> None:
        nonlocal said
        if time.monotonic() - said >= EVERY:
            said = time.monotonic()
            notes.say(job.key, text)

    lost = next((one for one in sorted(needed(job)) if store.read_stage(one) is None), None)
    if lost is None:
        failure = perform(job, store, say)
    else:
        recorded = store.read_failure(lost)
        reason = recorded.reason if recorded else f"stage {lost} is missing; run again to train it"
        failure = fail(job, store, reason)
    notes.end(job.key, failure)
