"""The store: stages, cells and failures as files, each committed by one atomic rename.

There is no database and no lock. The JSON is the commit mark: what it names is written first. Whatever
cannot be read, or does not match its own check sum, counts as missing and is replaced.
``DIALBENCH_HOME`` moves the folder. This module imports no torch.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmark.errors import Failure, JobError, UserError
from benchmark.records import HALF_WRITTEN, expanded, read_json, write, write_json
from benchmark.training import scratch

if TYPE_CHECKING:
    from torch import Tensor

SETTLED = 2
"""Seconds after which the time of a file tells every change of it."""

STALE = 3600
"""Seconds after which a temporary file has no owner."""

NEEDS = "imported for "
"""Facts of a cell that begin so hold the hash of the imported network that a metric needs."""

LATER = "later"
"""The fact of a cell that holds, by metric, when and where it was added to the others."""

IMPORTED = "imported/"
"""What the keys of imported weights begin with; a stage's key is a digest."""

WEIGHTS = "model.safetensors"
"""The file of a stage's weights."""

REPLACED = "replaced-{}.safetensors"
"""Name of those that are being replaced, by their hash: they count until others are committed."""


class Row(NamedTuple):
    """One number of a cell, or why there is none; see ``benchmark.metrics.scorer.Score``."""

    image: str
    metric: str
    value: float | None
    status: str
    reason: str


@dataclass(frozen=True)
class StoredStage:
    """What is known about a stored stage: the hash of its weights, and facts about the run."""

    key: str
    weights_sha256: str
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Cell:
    """One evaluation of weights on a dataset at a level.

    Args:
        key: Its key.
        facts: The columns that all its rows share.
        rows: One per image and metric.
        cost: Parameters, MACs, milliseconds per image and level switch, training
            steps.
        pictures: Name of the first image as ``image``, and its files: ``restored``, ``input``,
            ``clean``, ``target`` if that is another, and with level maps ``map`` and ``single``;
            empty where the dial was set to another level than the true one.
    """

    key: str
    facts: dict[str, Any]
    rows: tuple[Row, ...]
    cost: dict[str, Any]
    pictures: dict[str, str]

    def without(
        self,
        metrics: Sequence[str],
        available: Mapping[str, str | None],
        imported: Mapping[str, str] | None = None,
    ) -> list[str]:
        """Returns the metrics that are not in this cell, are null but can be had now, or are stale.

        Args:
            metrics: Those wanted.
            available: Why each cannot be computed here, or None if it can.
            imported: What ``metrics.needs.needed`` returns: other imported networks, other scores.
        """
        null = {row.metric for row in self.rows if row.status == "unavailable"}
        there = {row.metric for row in self.rows}
        stale = {
            metric
            for metric, weights in (imported or {}).items()
            if self.facts.get(NEEDS + metric, "") != weights
        }
        return [
            metric
            for metric in metrics
            if metric not in there
            or (metric in null and available.get(metric) is None)
            or metric in stale
        ]


class Store:
    """All state of dialbench, under one folder.

    Args:
        home: The folder; by default ``DIALBENCH_HOME``, or ``runs`` in the working folder.
    """

    def __init__(self, home: Path | str | None = None):
        own = home or os.environ.get("DIALBENCH_HOME") or "runs"
        self.home = expanded(own).resolve()
        self._hashes: dict[Path, tuple[tuple[int, int, int], str]] = {}

    def prepare(self) -> None:
        """Makes the folder and removes what killed processes left half-written, or need no more.

        Raises:
            UserError: If it cannot be written to.
        """
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            probe = self.home / f".{uuid.uuid4().hex}.tmp"
            probe.write_bytes(b"")
            # Ages are by the clock of the disk, which may be another machine's.
            now_there = probe.stat().st_mtime
            probe.unlink()
        except OSError as error:
            raise UserError(
                f"cannot write to {self.home} ({error.strerror}); "
                "set DIALBENCH_HOME to a folder you can write to"
            ) from None
        # Folders may vanish on the way: other runs remove theirs.
        for folder, _, names in os.walk(self.home):
            for path in (Path(folder, name) for name in names if HALF_WRITTEN.fullmatch(name)):
                with contextlib.suppress(OSError):
                    if now_there - path.stat().st_mtime > STALE:
                        path.unlink()
        for path in (self.home / "scratch").glob("*"):
            with contextlib.suppress(OSError):
                if self.read_stage(path.name) is not None:
                    scratch.clear(self.home, path.name)

    # ---- stages ---------------------------------------------------------------------------------

    def stage_folder(self, key: str) -> Path:
        """Returns the folder of a stage, or of imported weights."""
        return self.home / key if key.startswith(IMPORTED) else self.home / "stages" / key

    def imported(self, method: str) -> list[str]:
        """Returns the names of weights that were imported for a method; they are not read."""
        found = (self.home / IMPORTED).glob(f"{method}*/stage.json")
        return sorted(path.parent.name for path in found)

    def write_stage(self, key: str, state: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Commits the weights of a stage; those that they replace can be read until then.

        Raises:
            JobError: If the disk is full or not writable.
        """
        blob = packed(state)
        record = {"key": key, "weights_sha256": hashlib.sha256(blob).hexdigest(), "facts": facts}
        folder, before = self.stage_folder(key), self._weights(key)
        kept = before and folder / REPLACED.format(hashlib.sha256(before).hexdigest())
        if before and kept:
            write(kept, before)
        write(folder / WEIGHTS, blob)
        write_json(folder / "stage.json", record)
        if kept:
            # No other: another run may be replacing the same stage.
            kept.unlink(missing_ok=True)
        # Its weights may have come between ours and our commit mark, which then names none that are
        # there. Whoever commits last sees it.
        if self._hash(folder / WEIGHTS) not in (record["weights_sha256"], None):
            self.write_stage(key, state, facts)

    def read_stage(self, key: str) -> StoredStage | None:
        """Returns a stored stage, or None if it is missing or damaged in any way."""
        for record, path in self._candidates(key):
            if self._hash(path) == record["weights_sha256"]:
                return StoredStage(key, record["weights_sha256"], record["facts"])
        return None

    def weights_path(self, key: str) -> Path | None:
        """Returns the file of a stored stage's weights, or None."""
        candidates = self._candidates(key)
        return next((p for r, p in candidates if self._hash(p) == r["weights_sha256"]), None)

    def load_stage(self, key: str) -> dict[str, Tensor]:
        """Returns the weights of a stored stage.

        Raises:
            JobError: If it is missing or damaged.
        """
        from safetensors.torch import load

        blob = self._weights(key)
        if blob is None:
            raise JobError(f"stage {key} is missing or damaged; run again to train it")
        return load(blob)

    def _weights(self, key: str) -> bytes | None:
        for record, path in self._candidates(key):
            with contextlib.suppress(OSError):
                blob = path.read_bytes()
                if hashlib.sha256(blob).hexdigest() == record["weights_sha256"]:
                    return blob
        return None

    def _candidates(self, key: str) -> Iterator[tuple[dict[str, Any], Path]]:
        """Yields the record of a stage with each file that may hold its weights."""
        folder = self.stage_folder(key)
        record, before = read_json(folder / "stage.json"), None
        while record is not None and record != before:
            if record.get("key") != key or not {"facts", "weights_sha256"} <= record.keys():
                return
            yield record, folder / WEIGHTS
            yield record, folder / REPLACED.format(record["weights_sha256"])
            # Whoever replaces a stage while it is read commits another record in the end.
            record, before = read_json(folder / "stage.json"), record

    def _hash(self, path: Path) -> str | None:
        """Returns the hash of a file, or None if it cannot be read; it is read once if left alone.

        A plan asks for every stage many times, and weights may be large.
        """
        try:
            about = path.stat()
            state = (about.st_ino, about.st_mtime_ns, about.st_size)
            known, found = self._hashes.get(path, (None, ""))
            if state != known:
                found = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError:
            return None
        # Two changes within a tick of the disk's clock look like one.
        if time.time() - about.st_mtime > SETTLED:
            self._hashes[path] = (state, found)
        return found

    def forget_stage(self, key: str) -> None:
        """Removes a stage's commit mark, so that it counts as missing."""
        (self.stage_folder(key) / "stage.json").unlink(missing_ok=True)

    # ---- cells ----------------------------------------------------------------------------------

    def cell_path(self, task: str, key: str) -> Path:
        """Returns the file of a cell."""
        return self.home / "cells" / task / f"{key}.json"

    def write_cell(self, task: str, cell: Cell) -> None:
        """Commits a cell; its pictures must be there already.

        Raises:
            JobError: If the disk is full or not writable.
        """
        write_json(self.cell_path(task, cell.key), asdict(cell))

    def read_cell(self, task: str, key: str) -> Cell | None:
        """Returns a cell, or None if it is missing or damaged in any way."""
        folder = f"{self.home}/cells/{task}"
        record = read_json(f"{folder}/{key}.json") or {}
        # Equal texts become one object: the cells of a campaign repeat few of them very often.
        once, row = sys.intern, tuple.__new__
        try:
            cell = Cell(
                record["key"],
                {
                    once(name): once(value) if type(value) is str else value
                    for name, value in record["facts"].items()
                },
                # As Row(...), which is slow to call.
                tuple(
                    [
                        row(Row, (once(image), once(metric), value, once(status), once(reason)))
                        for image, metric, value, status, reason in record["rows"]
                    ]
                ),
                record["cost"],
                record["pictures"],
            )
            names = [name for kind, name in cell.pictures.items() if kind != "image"]
        except (AttributeError, TypeError, KeyError, ValueError):
            return None
        there = all(os.path.isfile(f"{folder}/{name}") for name in names)
        return cell if cell.key == key and cell.rows and there else None

    def cells(self, task: str) -> Iterator[Cell]:
        """Yields every intact cell of a task, in the order of their keys."""
        for path in sorted((self.home / "cells" / task).glob("*.json")):
            cell = self.read_cell(task, path.stem)
            if cell is not None:
                yield cell

    def write_picture(self, task: str, name: str, blob: bytes) -> None:
        """Writes a picture beside the cells."""
        write(self.picture_path(task, name), blob)

    def picture_path(self, task: str, name: str) -> Path:
        """Returns the file of a picture."""
        return self.home / "cells" / task / name

    def forget_cell(self, task: str, key: str) -> None:
        """Removes a cell and the pictures that are its own; others share its input and target."""
        for path in self.cell_path(task, key).parent.glob(f"{key}[.-]*"):
            path.unlink(missing_ok=True)

    # ---- failures -------------------------------------------------------------------------------

    def write_failure(self, key: str, failure: Failure) -> None:
        """Records why a job gave no result; best effort, since the disk may be what failed."""
        record = {**asdict(failure), "key": key, "created_utc": now()}
        with contextlib.suppress(JobError):
            write_json(self.home / "failures" / f"{key}.json", record)

    def read_failure(self, key: str) -> Failure | None:
        """Returns the recorded failure of a job, if any."""
        record = read_json(self.home / "failures" / f"{key}.json")
        if record is None:
            return None
        try:
            told = (record[name] for name in ("method", "backbone", "seed", "reason"))
            return Failure(*told, trace=record.get("trace", ""))
        except KeyError:
            return None

    def clear_failure(self, key: str) -> None:
        """Forgets a failure after a success."""
        (self.home / "failures" / f"{key}.json").unlink(missing_ok=True)


def packed(state: Mapping[str, Tensor]) -> bytes:
    """Returns tensors as a safetensors file; of those that share memory each gets a copy."""
    import torch
    from safetensors.torch import save

    layout = torch.contiguous_format
    return save({name: own.detach().clone(memory_format=layout) for name, own in state.items()})


def now() -> str:
    """Returns the time as ISO 8601 text in UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
