"""What was handed in to SLURM, and what of it has not ended."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmark.engines import queue
from benchmark.engines.remote import Notes
from benchmark.errors import UserError
from benchmark.planning.jobs import Job, TrainJob, read
from benchmark.records import read_json, write_json
from benchmark.store import Store

OLD = 24 * 3600
"""Seconds after which the folder of a submission that nothing is left of is removed."""

SILENT = "SLURM does not answer (scontrol or squeue failed); try again when it is up"


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

    def places(self) -> dict[str, Place]:
        """Returns where each of its jobs is."""
        return {key: Place(self, at) for at, keys in enumerate(self.elements) for key in keys}


@dataclass(frozen=True)
class Place:
    """Where a job is: an element of a submission."""

    submission: Submission
    index: int

    @property
    def id(self) -> str:
        """What SLURM calls it."""
        return self.submission.id(self.index)

    def entry(self, entries: Mapping[str, queue.Entry]) -> queue.Entry | None:
        """Returns its entry in the queue, or None if it has ended; another job may have its number."""
        found = entries.get(self.id)
        return found if found and found.name == self.submission.folder.name else None

    def log(self) -> Path:
        """Returns where to read what it printed: its own file, or the folder if there is none."""
        file = self.submission.folder / "log" / f"{self.id}_0_log.err"
        return file if file.exists() else file.parent


def own_folder(store: Store) -> Path:
    """Returns where submissions to this cluster lie: what others work on is none of its business.

    Raises:
        UserError: If SLURM does not answer.
    """
    cluster = queue.setting("ClusterName")
    if not cluster:
        raise UserError(SILENT)
    return store.home / "slurm" / cluster


def live(own: Path) -> dict[str, Place]:
    """Returns where jobs are that earlier runs handed in and that have not ended.

    What a run left half handed in (it is on hold) is cancelled and removed, and what is long over
    removed.

    Args:
        own: Where submissions to this cluster lie.

    Raises:
        UserError: If SLURM does not answer.
    """
    entries = queue.entries()
    if entries is None:
        raise UserError(SILENT)
    found: dict[str, Place] = {}
    # By the clock of the disk, as the folders are.
    own.mkdir(parents=True, exist_ok=True)
    os.utime(own)
    now = own.stat().st_mtime
    for folder in sorted(own.glob("*/")):
        submission = Submission.read(folder)
        try:
            age = now - folder.stat().st_mtime
        except OSError:
            # Another run has just removed it.
            continue
        if submission is None:
            # What SLURM could not cancel stays, so that the next run tries again.
            if age > queue.PATIENCE and queue.command("scancel", f"--name={folder.name}"):
                shutil.rmtree(folder, ignore_errors=True)
            continue
        places = submission.places()
        alive = {key: place for key, place in places.items() if place.entry(entries)}
        for key, place in alive.items():
            note = submission.notes.read(key)
            if not (note and note.ended):
                found[key] = place
        if not alive and age > OLD:
            shutil.rmtree(folder, ignore_errors=True)
    return found


def covers(place: Place, job: Job) -> bool:
    """Whether a job in the queue does all that another of the same key would do."""
    try:
        queued = place.submission.job(job.key)
    except UserError:
        return False
    return isinstance(job, TrainJob) or set(job.points()) <= set(queued.points())
