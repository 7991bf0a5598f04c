"""``dialbench store``: what is stored, by the names that tables have, and clearing some of it."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from benchmark.config import Preset
from benchmark.planning.keys import preset_text
from benchmark.records import read_json
from benchmark.store import Store

SHARED = "shared"
"""What stands in the place of a method where several share a stage."""

DAY = 86400
DAYS = 100_000
"""The greatest age that may be asked for, in days."""


@dataclass(frozen=True)
class Item:
    """A stored stage or cell.

    Args:
        names: What it is of: ``task``, ``preset``, ``backbone``, ``method`` and ``seed``.
        key: Its key.
        files: Its own files, the commit mark first.
        shared: Pictures of a cell that others have too.
    """

    names: Mapping[str, str]
    key: str
    files: tuple[Path, ...]
    shared: frozenset[Path] | None = None

    @property
    def is_cell(self) -> bool:
        """Whether it is a cell."""
        return self.shared is not None

    def size(self) -> int:
        """Returns the bytes of its own files."""
        return sum(map(_bytes, self.files))

    def changed(self) -> float:
        """Returns the time at which it was committed."""
        try:
            return self.files[0].stat().st_mtime
        except OSError:
            return 0.0


def items(store: Store) -> list[Item]:
    """Returns all stages and cells whose records can be read, those of one name together."""
    found = [*_stages(store), *_cells(store)]
    return sorted(found, key=lambda one: (*one.names.values(), one.is_cell, one.key))


def chosen(
    every: Iterable[Item], patterns: Mapping[str, Iterable[str]], days: float = 0.0
) -> list[Item]:
    """Returns the items that match.

    Args:
        every: Items.
        patterns: By name of what an item is of, patterns as shells have them; one of each must match.
        days: Least age of an item.
    """
    before = time.time() - days * DAY

    def matches(one: Item) -> bool:
        return all(
            any(fnmatchcase(one.names[name], pattern) for pattern in given)
            for name, given in patterns.items()
        )

    return [one for one in every if matches(one) and (not days or one.changed() < before)]


def unmatched(every: Iterable[Item], patterns: Mapping[str, Iterable[str]]) -> list[str]:
    """Returns the patterns that match no item at all, each with what it is of: ``method 'dnii'``."""
    every = list(every)
    return [
        f"{name} '{pattern}'"
        for name, given in patterns.items()
        for pattern in given
        if not chosen(every, {name: (pattern,)})
    ]


def table(found: Iterable[Item]) -> list[list[str]]:
    """Returns one row for all seeds of what has one name: seeds, stages, cells, MB, last change."""
    groups: dict[tuple[str, ...], list[Item]] = {}
    for one in found:
        groups.setdefault(tuple(one.names.values())[:-1], []).append(one)
    rows = [["task", "preset", "backbone", "method", "seeds", "stages", "cells", "MB", "changed"]]
    for names, own in groups.items():
        cells = sum(one.is_cell for one in own)
        day = time.strftime("%Y-%m-%d", time.gmtime(max(one.changed() for one in own)))
        size = sum(one.size() for one in own)
        seeds = ",".join(sorted({one.names["seed"] for one in own}, key=int))
        rows.append([*names, seeds, str(len(own) - cells), str(cells), f"{size / 1e6:.1f}", day])
    return rows


def rest(store: Store, every: Iterable[Item]) -> dict[str, int]:
    """Returns the bytes of what is no item, by the folder or file in the store that holds it."""
    own = {path for one in every for path in one.files}
    found: dict[str, int] = {}
    # Folders may vanish on the way: runs remove theirs.
    for folder, _, names in os.walk(store.home):
        for path in (Path(folder, name) for name in names):
            if path not in own and path.is_file() and not path.is_symlink():
                place = path.relative_to(store.home).parts[0]
                name = "shared pictures" if place == "cells" else place
                found[name] = found.get(name, 0) + _bytes(path)
    return dict(sorted(found.items()))


def clear(store: Store, gone: Iterable[Item], every: Iterable[Item]) -> int:
    """Removes items, and the pictures that no other needs; returns the bytes that came free.

    Commit marks go last: what a stop leaves counts as missing, and is still listed.

    Args:
        store: The store.
        gone: What to remove.
        every: All items.
    """
    gone = list(gone)
    keys = {one.key for one in gone}
    kept = {path for one in every if one.key not in keys for path in one.shared or ()}
    unused = {path for one in gone for path in one.shared or ()} - kept
    size = sum(one.size() for one in gone) + sum(map(_bytes, unused))
    for one in gone:
        for path in reversed(one.files):
            path.unlink(missing_ok=True)
        if not one.is_cell:
            store.clear_failure(one.key)
            with contextlib.suppress(OSError):
                one.files[0].parent.rmdir()
    for path in unused:
        path.unlink(missing_ok=True)
    return size


def _stages(store: Store) -> Iterator[Item]:
    for mark in (store.home / "stages").glob("*/stage.json"):
        try:
            job = (read_json(mark) or {})["facts"]["job"]
            method = job["method"] or SHARED
            names = _names(
                job["task"], _preset(job["preset"]), job["backbone"], method, job["seed"]
            )
            others = [path for path in sorted(mark.parent.iterdir()) if path != mark]
        except (KeyError, TypeError, ValueError, AttributeError, FileNotFoundError):
            continue
        yield Item(names, mark.parent.name, (mark, *others))


def _cells(store: Store) -> Iterator[Item]:
    for mark in (store.home / "cells").glob("*/*.json"):
        try:
            record = read_json(mark) or {}
            facts = record["facts"]
            names = _names(
                mark.parent.name, facts["preset"], facts["backbone"], facts["method"], facts["seed"]
            )
            files = [name for kind, name in record["pictures"].items() if kind != "image"]
            own = [mark.with_name(name) for name in files if name.startswith(mark.stem)]
            shared = [mark.with_name(name) for name in files if not name.startswith(mark.stem)]
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
        yield Item(names, mark.stem, (mark, *own), frozenset(shared))


def _names(task: str, preset: str, backbone: str, method: str, seed: int) -> dict[str, str]:
    names = {"task": task, "preset": preset, "backbone": backbone, "method": method}
    return {**names, "seed": str(int(seed))}


def _preset(record: Mapping[str, Any]) -> str:
    """Returns the name of a preset; one of another version may have other settings."""
    try:
        return preset_text(Preset(**record))
    except TypeError:
        return str(record["name"])


def _bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
