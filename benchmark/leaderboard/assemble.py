"""Entries as files, and how they come into being: whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmark import records, store
from benchmark.errors import JobError, UserError
from benchmark.leaderboard import canary, card, check, entry, folder, loaded, rows, schema
from benchmark.leaderboard.entry import Entry
from benchmark.leaderboard.faults import Fault

SAME = ("weights", "licence", "training", "budget")
"""Facts that an entry must have in common with one that is there, besides its rows, to be that entry."""


def assemble(
    facts: Mapping[str, Any],
    values: Mapping[rows.Key, float],
    seen: Mapping[str, Any],
    weights: Mapping[str, bytes],
) -> dict[str, bytes]:
    """Returns the files of an entry by name.

    Args:
        facts: What ``entry.json`` is to hold; the id and what depends on other files is added.
        values: The value of every row.
        seen: What ``canary.json`` is to hold.
        weights: Weights files by name.
    """
    named = {**facts, "id": entry.entry_id(facts)}
    layout = Entry(named).layout
    files = {rows.NAME: rows.pack(layout, values), canary.NAME: schema.written(seen)}
    named["rows"] = sum(layout.counts())
    named["files"] = {
        name: {"sha256": hashlib.sha256(blob).hexdigest(), "bytes": len(blob)}
        for name, blob in files.items()
    }
    text = schema.written(named)
    return {**files, entry.NAME: text, card.NAME: card.card(Entry(named)), **weights}


def place(root: Path, task: str, name: str, files: Mapping[str, bytes]) -> tuple[Path, bool]:
    """Puts an entry where it belongs, in one step, and returns its folder and whether it is new.

    Args:
        root: The folder of leaderboards.
        task: The task.
        name: The entry's id.
        files: Its files.

    Raises:
        UserError: If there is another entry of that name, or the referee would refuse this one.
        JobError: If the disk is full or not writable.
    """
    parent = root / task / folder.ENTRIES
    final = parent / name
    temporary = parent / f".{uuid.uuid4().hex}.tmp"
    _swept(parent)
    if final.exists():
        _same(final, files)
        return final, False
    try:
        for path, blob in files.items():
            records.write(temporary / path, blob)
        found = check.faults(temporary, task, name)
        if found:
            more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
            raise UserError(f"{name} cannot be an entry: {found[0]}{more}")
        temporary.rename(final)
    except OSError as error:
        raise JobError(records.disk_trouble(error, final)) from error
    finally:
        with contextlib.suppress(OSError):
            shutil.rmtree(temporary)
    return final, True


def _swept(parent: Path) -> None:
    """Removes what killed processes left half-written."""
    for path in parent.glob(".*.tmp"):
        with contextlib.suppress(OSError):
            if (
                records.HALF_WRITTEN.fullmatch(path.name)
                and time.time() - path.stat().st_mtime > store.STALE
            ):
                shutil.rmtree(path)


def _same(final: Path, files: Mapping[str, bytes]) -> None:
    """Raises ``UserError`` unless an entry that is there says what the new one says."""
    try:
        told = entry.parse(files[entry.NAME])
    except Fault as fault:
        raise UserError(f"{final.name} cannot be an entry: {fault}") from None
    try:
        there, blob = loaded.load(final)
        other = [name for name in SAME if there.facts[name] != told.facts[name]]
        same = there.layout == told.layout
        if same:
            pair = [rows.read(one, told.layout) for one in (blob, files[rows.NAME])]
            same = not (pair[0] != pair[1]).any()
    except Fault as fault:
        raise UserError(f"{final} is no good entry ({fault}); remove it first") from None
    if not same:
        raise UserError(
            f"{final} holds other numbers of the same run; entries are never overwritten, "
            "remove it first"
        )
    if other:
        raise UserError(
            f"{final} is there already, with other {' and '.join(other)}; remove it to hand it in anew"
        )
