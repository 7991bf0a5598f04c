"""What was there before may neither change nor vanish: comparison with a folder or a git revision."""

from __future__ import annotations

import functools
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from benchmark import tasks
from benchmark.amount import amount
from benchmark.errors import UserError
from benchmark.leaderboard import canary, entry, folder, proof, rows
from benchmark.leaderboard.entry import Entry
from benchmark.leaderboard.faults import Fault, shown
from benchmark.records import expanded

EPSILON = 1e-4
"""How far a value may move when an entry is scored again; a board shows two digits fewer."""
MAY_DIFFER = ("files", "metrics", "missing", "rows")
"""Facts with rules of their own; all others stay as they are. Metrics may be added."""
KEPT = "whoever keeps the boards adds it, and checks with --allow-status"

Reader = Callable[[], bytes]


def compare(path: Path, base: str, allow_status: bool) -> list[str]:
    """Returns how entries differ from those of a base, one line each.

    Args:
        path: A folder of leaderboards, of a task, or of an entry.
        base: The git revision to find it in as it was, or the same folder as it was: a path that
            begins with a slash, a dot or a tilde. A revision is never looked for among folders, which
            whoever proposes a change could bring along.
        allow_status: Whether ``verified.json`` may be new, changed or gone.

    Raises:
        UserError: If there is no such folder or revision.
    """
    if base.startswith(("/", ".", "~")):
        there = expanded(base)
        if not there.is_dir():
            raise UserError(f"--base {base}: there is no such folder")
        old = _folder_files(there)
    else:
        old = _git_files(path, base)
    found = []
    for name, own in sorted(_entries(old).items()):
        label = shown(name if name != "." else path.name)
        if not (path / name / entry.NAME).is_file():
            found.append(f"{label}: removed; entries stay")
            continue
        try:
            found += [f"{label}: {text}" for text in _changes(path / name, own)]
            if not allow_status and own.get(proof.NAME, bytes)() != _proof(path / name):
                found.append(f"{label}: {proof.NAME} is not as it was; {KEPT}")
        except Fault as fault:
            found.append(f"{label}: cannot be compared with the base: {fault}")
    for name in sorted(_names(path) - set(_entries(old))):
        if not allow_status and os.path.lexists(path / name / proof.NAME):
            found.append(f"{shown(name)}: a new entry has no {proof.NAME}; {KEPT}")
        found += [f"{shown(name)}: {text}" for text in _outdated(path / name)]
    return found


def _entries(files: Mapping[str, Reader]) -> dict[str, dict[str, Reader]]:
    """Returns the files of every entry folder, by the folder's path."""
    found: dict[str, dict[str, Reader]] = {}
    for name in files:
        inside, _, last = name.rpartition("/")
        if last == entry.NAME and (not inside or inside.split("/")[-2:-1] == [folder.ENTRIES]):
            found[inside or "."] = {
                one: files[path]
                for one in folder.SIZES
                if (path := f"{inside}/{one}" if inside else one) in files
            }
    return found


def _proof(path: Path) -> bytes:
    """Returns ``verified.json``, or nothing if there is none."""
    there = os.path.lexists(path / proof.NAME)
    return folder.read(path / proof.NAME, folder.SIZES[proof.NAME]) if there else b""


def _changes(path: Path, old: Mapping[str, Reader]) -> Iterator[str]:
    """Yields what changed in an entry; equal files need no look at what their hashes stand for."""
    before, after = old[entry.NAME](), folder.read(path / entry.NAME, folder.SIZES[entry.NAME])
    if before == after:
        return
    was, now = entry.parse(before, strict=False), entry.parse(after, strict=False)
    if was.facts["files"].get(canary.NAME) != now.facts["files"].get(canary.NAME):
        yield f"{canary.NAME} changed; it stays as it is"
    for key in sorted(was.facts.keys() | now.facts.keys()):
        if key not in MAY_DIFFER and was.facts.get(key) != now.facts.get(key):
            yield f"{key} changed; an entry stays as it is, make another one"
    gone = [one for one in was.facts["metrics"] if one not in now.facts["metrics"]]
    if gone:
        yield f"metrics: {', '.join(gone)} removed"
    elif any(was.facts["missing"].get(one) != why for one, why in now.facts["missing"].items()):
        yield "missing: another reason than before; it stays as it is"
    elif rows.NAME in old:
        yield from _moved(was, now, old[rows.NAME](), path)


def _moved(was: Entry, now: Entry, before: bytes, path: Path) -> Iterator[str]:
    """Yields whether rows vanished, or values moved further than they may."""
    after = folder.read(path / rows.NAME, folder.SIZES[rows.NAME])
    if before == after:
        return
    values, old = rows.by_key(after, now.layout), rows.by_key(before, was.layout)
    gone = sum(key not in values for key in old)
    if gone:
        yield f"{amount(gone, 'row was', 'rows were')} removed"
    moved = {key: abs(values[key] - value) for key, value in old.items() if key in values}
    far = [key for key, by in moved.items() if by > EPSILON]
    if far:
        worst = max(far, key=moved.__getitem__)
        row = ",".join(map(str, worst))
        many = amount(len(far), "value")
        yield f"{many} changed by more than {EPSILON:g}, row {row} by {moved[worst]:.6f}"


def _names(path: Path) -> set[str]:
    """Returns the folders of entries that are there."""
    files = [one for one in path.rglob(entry.NAME) if not one.is_symlink()]
    return {one.parent.relative_to(path).as_posix() for one in files}


def _outdated(path: Path) -> Iterator[str]:
    """Yields whether a new entry is of a version that its task no longer has."""
    try:
        one = entry.parse(folder.read(path / entry.NAME, folder.SIZES[entry.NAME]), strict=False)
    except Fault:
        return  # What is wrong with it is said elsewhere.
    version, now = one.facts["task_version"], tasks.get(one.facts["task"]).version
    if version < now:
        yield f"a new entry is of the newest version of its task, {now}, not of {version}"


def _folder_files(root: Path) -> dict[str, Reader]:
    def reader(path: Path) -> Reader:
        return lambda: folder.read(path, folder.SIZES[path.name])

    return {
        path.relative_to(root).as_posix(): reader(path)
        for name in folder.SIZES
        for path in root.rglob(name)
    }


def _git_files(path: Path, revision: str) -> dict[str, Reader]:
    def git(*words: str) -> bytes:
        other = "give a folder as a path that begins with / . or ~"
        try:
            done = subprocess.run(
                ["git", "-C", str(path), *words], capture_output=True, check=False
            )
        except FileNotFoundError:
            raise UserError(
                f"--base {revision}: git is not installed here; install it, or {other}"
            ) from None
        if done.returncode:
            # Such as that the repository is of somebody else, which git refuses to read.
            said = done.stderr.decode(errors="replace").partition("\n")[0]
            why = f" ({said})" if said else ""
            raise UserError(
                f"--base {revision}: no git revision of {path}{why}; name one, or {other}"
            )
        return done.stdout

    tree = git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    found: dict[str, Reader] = {}
    for line in git("ls-tree", "-r", "-z", "-l", tree.decode().strip(), "--", ".").split(b"\0"):
        about, _, name = line.partition(b"\t")
        mode, _, blob, size = (about.split() + [b""] * 4)[:4]
        text = name.decode("utf-8", "surrogateescape")
        limit = folder.SIZES.get(text.rpartition("/")[2])
        if mode in (b"100644", b"100755") and limit is not None and int(size) <= limit:
            found[text] = functools.partial(git, "cat-file", "blob", blob.decode())
    return found
