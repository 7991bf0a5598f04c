"""The referee: what makes an entry, and a folder of leaderboards, valid. It trusts nothing it reads."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmark.errors import UserError
from benchmark.leaderboard import base as before
from benchmark.leaderboard import (
    build,
    canary,
    card,
    drawing,
    entry,
    folder,
    loaded,
    proof,
    rows,
    weights,
)
from benchmark.leaderboard.entry import Entry
from benchmark.leaderboard.faults import Fault, shown


@dataclass
class Verdict:
    """What a check found.

    Args:
        entries: Number of entries looked at.
        faults: One line each.
    """

    entries: int = 0
    faults: list[str] = field(default_factory=list)


def check(path: Path, base: str | None = None, allow_status: bool = False) -> Verdict:
    """Checks a folder of leaderboards, the folder of a task, or one entry.

    Args:
        path: The folder.
        base: A folder or git revision to compare with: what is there may not change or vanish.
        allow_status: Whether statuses may differ from those of the base.

    Raises:
        UserError: If there is no such folder, or no such base.
    """
    if path.is_symlink() or not path.is_dir():
        raise UserError(f"{path} is no folder; give the one that holds the leaderboards")
    if path.resolve().name == folder.ENTRIES:
        raise UserError(
            f"{path} holds the entries of a task; give the folder above it, or one entry"
        )
    verdict = Verdict()
    if path.resolve().parent.name == folder.ENTRIES:
        _entry(path, verdict)
    elif (path / folder.ENTRIES).is_dir() or any((path / one).is_file() for one in folder.BOARD):
        _task(path, verdict)
    else:
        for one, fault in folder.task_folders(path):
            if fault:
                verdict.faults.append(f"{shown(one.name)}: {fault}")
            else:
                _task(one, verdict)
    if base is not None:
        verdict.faults += before.compare(path, base, allow_status)
    return verdict


def _task(path: Path, verdict: Verdict) -> None:
    """Checks all entries of a task, then whether its board is what they make."""
    good = True
    for one, fault in folder.entry_folders(path):
        if fault:
            verdict.faults.append(f"{path.name}/{_below(one, path)}: {fault}")
            good = good and one.parent.name != folder.ENTRIES
        elif one.parent.name == folder.ENTRIES:
            good = _entry(one, verdict, path.name) and good
    if not good:
        return
    try:
        made = build.board(path)
    except Fault as fault:
        verdict.faults.append(f"{path.name}: {fault}")
        return
    for name in folder.BOARD:
        try:
            found = folder.read(path / name, folder.BOARD_SIZE)
        except Fault:
            same = not (path / name).exists() and name not in made
        else:
            same = found == made.get(name)
            if name == "curves.svg" and made:
                same = drawing.current(found, made[name], made["board.csv"])
        if not same:
            verdict.faults.append(
                f"{path.name}/{name}: not what the entries make; run 'dialbench board build'"
            )


def _below(path: Path, root: Path) -> str:
    return shown(path.relative_to(root).as_posix())


def _entry(path: Path, verdict: Verdict, task: str | None = None) -> bool:
    verdict.entries += 1
    task = path.resolve().parent.parent.name if task is None else task
    found = [f"{task}/{shown(path.name)}/{fault}" for fault in faults(path, task, path.name)]
    verdict.faults += found
    return not found


def faults(path: Path, task: str, name: str) -> list[str]:
    """Returns what is wrong with the entry in a folder, one line each.

    Args:
        path: The folder.
        task: The task that it is an entry of.
        name: The name that the folder has, or is to get.
    """
    sizes, found = folder.contents(path)
    if entry.NAME not in sizes:
        return found
    try:
        one = entry.parse(folder.read(path / entry.NAME, folder.SIZES[entry.NAME]))
    except Fault as fault:
        return [*found, str(fault)]
    for key, must in (("task", task), ("id", name)):
        if one.facts[key] != must:
            found.append(f"{entry.NAME}: {key} {one.facts[key]} lies in a folder of {shown(must)}")
    for part in (_files, _rows, _canary, _card, _weights, _proof):
        found += part(path, one, sizes)
    return found


def _files(path: Path, one: Entry, sizes: dict[str, int]) -> Iterator[str]:
    for name, about in one.facts["files"].items():
        if name not in sizes:
            continue
        with open(path / name, "rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != about["sha256"] or sizes[name] != about["bytes"]:
            yield f"{name}: changed; its check sum is not the one in {entry.NAME}"


def _rows(path: Path, one: Entry, sizes: dict[str, int]) -> Iterator[str]:
    if rows.NAME in sizes:
        try:
            rows.read(folder.read(path / rows.NAME, folder.SIZES[rows.NAME]), one.layout)
        except Fault as fault:
            yield str(fault)


def _canary(path: Path, one: Entry, sizes: dict[str, int]) -> Iterator[str]:
    if canary.NAME in sizes:
        try:
            canary.parse(folder.read(path / canary.NAME, folder.SIZES[canary.NAME]), one)
        except Fault as fault:
            yield str(fault)


def _card(path: Path, one: Entry, sizes: dict[str, int]) -> Iterator[str]:
    if card.NAME in sizes and folder.read(path / card.NAME, sizes[card.NAME]) != card.card(one):
        yield f"{card.NAME}: not what {entry.NAME} makes"


def _proof(path: Path, one: Entry, sizes: dict[str, int]) -> Iterator[str]:
    if proof.NAME in sizes and all(name in sizes for name in proof.COVERED):
        try:
            loaded.status(path, one)
        except Fault as fault:
            yield str(fault)


def _weights(path: Path, one: Entry, sizes: dict[str, int]) -> Iterator[str]:
    named = {about["file"]: about for about in one.facts["weights"] if about["file"]}
    for name in sizes:
        if name.startswith("weights/") and name not in named:
            yield f"{shown(name)}: {entry.NAME} does not name it"
    for name, about in named.items():
        if name not in sizes:
            yield f"{name}: missing"
            continue
        try:
            weights.check_file(path / name, name, about["sha256"], about["bytes"])
        except Fault as fault:
            yield str(fault)
