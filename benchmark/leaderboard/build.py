"""From entries to boards: the same entries give the same bytes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from benchmark import records, store
from benchmark.errors import JobError, UserError
from benchmark.leaderboard import entry, folder, loaded
from benchmark.leaderboard.entry import Entry
from benchmark.leaderboard.faults import Fault

if TYPE_CHECKING:
    from benchmark.leaderboard.standings import Group

T = TypeVar("T")


def board(task: Path) -> dict[str, bytes]:
    """Returns the files of a task's board; none if it has no entries.

    Args:
        task: The folder of the task.

    Raises:
        Fault: If an entry is not as it must be.
    """
    from benchmark.leaderboard.board import csv_text, markdown
    from benchmark.leaderboard.drawing import curves

    groups = compared(task)
    if not groups:
        return {}
    judged = groups[0].standings[0].entry.task
    table = csv_text(groups)
    return {
        "board.md": markdown(groups, judged),
        "board.csv": table,
        "curves.svg": curves(groups, judged, table),
    }


def compared(task: Path) -> list[Group]:
    """Returns the groups of a task's board.

    Args:
        task: The folder of the task.

    Raises:
        Fault: If an entry is not as it must be.
    """
    from benchmark.leaderboard.standings import standings

    return standings(_entries(task))


def _entries(task: Path) -> Iterator[tuple[Entry, bytes]]:
    parent = task / folder.ENTRIES
    if not parent.is_dir():
        return
    for path in sorted(parent.iterdir()):
        if not path.name.startswith("."):
            one, blob = loaded.load(path)
            if one.facts["task"] != task.name:
                raise Fault(f"{one.id}: an entry of {one.facts['task']}")
            yield one, blob


def write(root: Path) -> list[Path]:
    """Writes the boards of all tasks and returns the files that changed.

    Args:
        root: The folder of leaderboards, or of one task.

    Raises:
        UserError: If there is no such folder.
        JobError: If an entry is not as it must be, or the disk is full.
    """
    changed = []
    for task, files in each(root, board):
        records.sweep(task, folder.BOARD)
        for name in folder.BOARD:
            path, blob = task / name, files.get(name)
            if blob is None and path.is_file():
                path.unlink()
                changed.append(path)
            elif blob is not None and not (path.is_file() and path.read_bytes() == blob):
                records.write(path, blob)
                changed.append(path)
    return changed


def pages(root: Path, out: Path, pictures: store.Store | None = None) -> Path:
    """Writes every board and card as a page, and one that leads to the boards; returns that one.

    They are for publishing, and no part of the boards: the look of a page may change without them.

    Args:
        root: The folder of leaderboards, or of one task.
        out: Where to write.
        pictures: Where pictures of the entries' outputs may be found.

    Raises:
        UserError: If there is no such folder.
        JobError: If an entry is not as it must be, or the disk is full.
    """
    from benchmark.leaderboard import drawn
    from benchmark.leaderboard.page import card, card_name, home, page

    def written(task: Path) -> list[Group]:
        groups, place = compared(task), out / task.name
        every = {one.entry.id: one.entry for group in groups for one in group.standings}
        if groups:
            text = page(groups, drawn.results(groups, task, pictures))
            records.write_alone(place / "index.html", text.encode())
        for one in every.values():
            records.write_alone(place / card_name(one), card(one).encode())
        # What was taken back must not stay published.
        cards = [one for one in place.glob("*.html") if re.fullmatch(entry.ID, one.stem)]
        gone = [one for one in cards if one.stem not in every]
        # Beside cards it is ours, and not the page of a report.
        gone += [place / "index.html"] if gone and not groups else []
        for one in gone:
            one.unlink(missing_ok=True)
        return groups

    found = [(task.resolve().name, groups) for task, groups in each(root, written) if groups]
    path = out / "index.html"
    records.write_alone(path, home(found).encode())
    return path


def each(root: Path, make: Callable[[Path], T]) -> Iterator[tuple[Path, T]]:
    """Yields the folder of every task, with what is made of it."""
    if not root.is_dir():
        raise UserError(f"{root} is no folder; give the one that holds the leaderboards")
    alone = (root / folder.ENTRIES).is_dir()
    tasks = [root] if alone else [one for one, fault in folder.task_folders(root) if not fault]
    for task in tasks:
        try:
            made = make(task.resolve())
        except Fault as fault:
            raise JobError(f"{task.name}: {fault}; 'dialbench board check' says more") from None
        yield task, made
