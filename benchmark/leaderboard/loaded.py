"""An entry as its folder holds it, with its status: of entries that the referee has found valid."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from benchmark.leaderboard import entry, folder, proof, rows
from benchmark.leaderboard.entry import Entry
from benchmark.leaderboard.faults import Fault, shown


def load(path: Path) -> tuple[Entry, bytes]:
    """Returns an entry with its status, and its rows as packed, sure that they belong together.

    It checks far less than ``check.faults`` does: enough to build a board of entries that were checked.

    Raises:
        Fault: If they do not.
    """
    text = folder.read(path / entry.NAME, folder.SIZES[entry.NAME])
    one, blob = (
        entry.parse(text, strict=False),
        folder.read(path / rows.NAME, folder.SIZES[rows.NAME]),
    )
    if one.id != path.name:
        raise Fault(f"{shown(path.name)}: it is entry {one.id}")
    if hashlib.sha256(blob).hexdigest() != one.facts["files"][rows.NAME]["sha256"]:
        raise Fault(f"{one.id}/{rows.NAME}: not what its check sum in {entry.NAME} says")
    return Entry(one.facts, *status(path, one)), blob


def status(path: Path, one: Entry) -> tuple[str, float]:
    """Returns what is known of the entry in a folder, and what share of its headline that is about.

    Raises:
        Fault: If its ``verified.json`` is not as it must be.
    """
    if not os.path.lexists(path / proof.NAME):
        return "claimed", 0.0
    blob = folder.read(path / proof.NAME, folder.SIZES[proof.NAME])
    found = proof.parse(blob, one, sums(path))
    about = found["rows"][one.facts["metrics"][0]]
    return proof.MODES[found["mode"]], about["compared"] / about["of"]


def status_known(path: Path) -> str:
    """Returns the status of the entry in a folder; ``claimed`` if its record is not as it must be."""
    try:
        return load(path)[0].status
    except Fault:
        return "claimed"


def sums(path: Path) -> dict[str, str]:
    """Returns the SHA-256 of the files of an entry that ``verified.json`` is about."""
    blobs = {name: folder.read(path / name, folder.SIZES[name]) for name in proof.COVERED}
    return {name: hashlib.sha256(blob).hexdigest() for name, blob in blobs.items()}
