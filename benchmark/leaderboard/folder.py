"""Folders of entries: what may lie where, how large it may be, and reading no more than that."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from benchmark.leaderboard import canary, card, entry, proof, rows
from benchmark.leaderboard.faults import Fault, shown
from benchmark.records import HALF_WRITTEN

MIB = 1 << 20
SIZES = {
    entry.NAME: MIB,
    rows.NAME: 8 * MIB,
    card.NAME: MIB // 4,
    canary.NAME: MIB // 2,
    proof.NAME: MIB // 16,
}
"""Files of an entry, and the bytes that each may have."""
OPTIONAL = (proof.NAME,)
WEIGHTS = 30 * MIB
"""Bytes that the weights of an entry may have together."""
STAGE = re.compile(entry.STAGE)
ENTRIES = "entries"
BOARD = ("board.md", "board.csv", "curves.svg")
README = "README.md"
BOARD_SIZE = 64 * MIB
TASK = re.compile(entry.TASK)


def children(folder: Path) -> dict[str, os.stat_result]:
    """Returns what lies in a folder: names in order, links not followed."""
    with os.scandir(folder) as found:
        return {
            one.name: one.stat(follow_symlinks=False) for one in sorted(found, key=lambda o: o.name)
        }


def kind_fault(name: str, about: os.stat_result) -> str | None:
    """Returns why a name or its kind cannot be in a folder of entries, or None."""
    if stat.S_ISLNK(about.st_mode):
        return "a symbolic link, which may lead out of the folder"
    if HALF_WRITTEN.fullmatch(name):
        if stat.S_ISDIR(about.st_mode):
            # Of an entry, which another command may be writing just now.
            return (
                "half-written by a command that was killed; remove it, as others do after an hour"
            )
        return "half-written by a command that was killed; run it again, or remove it"
    if name.startswith("."):
        return "a hidden file"
    if not (stat.S_ISREG(about.st_mode) or stat.S_ISDIR(about.st_mode)):
        return "neither a file nor a folder"
    return None


def file_fault(path: str, size: int) -> str | None:
    """Returns why a file cannot be in an entry, by its path in there and its bytes, or None."""
    limit = WEIGHTS if STAGE.fullmatch(path) else SIZES.get(path)
    if limit is None:
        return unknown(path, "file")
    return f"{size} bytes, more than {limit}" if size > limit else None


def _word(about: os.stat_result) -> str:
    return "folder" if stat.S_ISDIR(about.st_mode) else "file"


def unknown(name: str, word: str) -> str:
    """Returns a fault about a file or folder that has no place in a folder."""
    if name.endswith((".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".bin", ".npy", ".npz")):
        return "may hold a pickle, which is never opened; weights are safetensors"
    return f"unknown {word}"


def task_folders(root: Path) -> Iterator[tuple[Path, str | None]]:
    """Yields the folders of tasks under a root, and whatever else is there with a fault."""
    for name, about in children(root).items():
        fault = kind_fault(name, about)
        is_folder = stat.S_ISDIR(about.st_mode)
        if fault is None and not (is_folder and TASK.fullmatch(name)):
            fault = None if name == README and not is_folder else unknown(name, _word(about))
            if fault is None:
                continue
        yield root / name, fault


def entry_folders(task: Path) -> Iterator[tuple[Path, str | None]]:
    """Yields the folders of a task's entries, and whatever else is there with a fault."""
    for name, about in children(task).items():
        is_folder = stat.S_ISDIR(about.st_mode)
        fault = kind_fault(name, about)
        known = (name == ENTRIES and is_folder) or (name in BOARD and not is_folder)
        if fault or not known:
            yield task / name, fault or unknown(name, _word(about))
        elif not is_folder and about.st_size > BOARD_SIZE:
            yield task / name, f"larger than {BOARD_SIZE // MIB} MiB"
        elif is_folder:
            for own, own_about in children(task / name).items():
                own_fault = kind_fault(own, own_about)
                if own_fault is None and not stat.S_ISDIR(own_about.st_mode):
                    own_fault = unknown(own, _word(own_about))
                yield task / name / own, own_fault


def contents(folder: Path) -> tuple[dict[str, int], list[str]]:
    """Returns the sizes of an entry's files by their names, and the faults of whatever else is there."""
    sizes: dict[str, int] = {}
    faults = []
    todo = [("", name, about) for name, about in children(folder).items()]
    for inside, name, about in todo:
        path = f"{inside}{name}"
        fault = kind_fault(name, about)
        is_folder = stat.S_ISDIR(about.st_mode)
        if fault is None and is_folder:
            if path == "weights":
                found = children(folder / name)
                todo += [("weights/", own, own_about) for own, own_about in found.items()]
                continue
            fault = unknown(name, "folder")
        if fault is None:
            fault = file_fault(path, about.st_size)
        if fault is None:
            sizes[path] = about.st_size
        else:
            faults.append(f"{shown(path)}: {fault}")
    faults += [
        f"{name}: missing"
        for name in SIZES
        if name not in OPTIONAL and not os.path.lexists(folder / name)
    ]
    total = sum(size for name, size in sizes.items() if name.startswith("weights/"))
    if total > WEIGHTS:
        faults.append(f"weights: {total} bytes together, more than {WEIGHTS}")
    return sizes, faults


def read(path: Path, limit: int) -> bytes:
    """Returns a file, which may have at most ``limit`` bytes.

    Raises:
        Fault: If it is larger, missing, a link, or no file.
    """
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise Fault(f"{shown(path.name)}: cannot be read ({error.strerror})") from None
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        raise Fault(f"{shown(path.name)}: not a file")
    with open(opened, "rb") as file:
        # Not just limit + 1: Python would set that much memory aside for every small file.
        blob = file.read(min(limit, os.fstat(opened).st_size) + 1)
    if len(blob) > limit:
        raise Fault(f"{shown(path.name)}: more than {limit} bytes")
    return blob
