"""Entries elsewhere: in a folder, or in a repository of the Hugging Face hub.

A place has the layout of a folder of leaderboards, ``<task>/entries/<id>/``. What is pulled is read
within the referee's bounds, must be good in its eyes, and is claimed: what somebody else found when
computing it again stays there.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from benchmark import assets, records
from benchmark.errors import JobError, UserError
from benchmark.leaderboard import assemble, check, entry, folder, proof
from benchmark.leaderboard.faults import Fault, shown

REPOSITORY = re.compile(r"([A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95})(?:@([\w./-]{1,100}))?")
ENTRY = re.compile(rf"({entry.TASK})/{folder.ENTRIES}/({entry.ID})/(.+)")
ABOUT = """---
license: other
library_name: dialbench
tags: [image-restoration, dialbench]
---

# dialbench entries

Restoration networks with a dial, one folder for each entry: `<task>/entries/<id>/`. `card.md` in it says what the
network was trained for and on, its licence and its limits; weights are safetensors.

`dialbench board pull` gets entries from here, and `dialbench board verify` computes their numbers again.
"""
"""What the front page of a new repository says."""

Files = dict[str, bytes]


@dataclass(frozen=True)
class Disk:
    """A folder.

    Args:
        root: The folder.
    """

    root: Path

    def exists(self) -> bool:
        """Whether there is anything yet."""
        return self.root.is_dir()

    def sizes(self) -> dict[str, int]:
        """Returns the bytes of every file of every entry, by its path."""
        if not self.root.is_dir():
            raise UserError(f"there is no folder {self.root}")
        found: dict[str, int] = {}
        for parent, _, names in os.walk(self.root):
            for name in names:
                path = Path(parent, name)
                inside = path.relative_to(self.root).as_posix()
                if ENTRY.fullmatch(inside):
                    found[inside] = path.lstat().st_size
        return found

    def read(self, path: str, limit: int) -> bytes:
        return folder.read(self.root / path, limit)

    def write(self, files: Mapping[str, bytes], message: str) -> None:
        for path, blob in files.items():
            # What one that was killed left would be refused when it is pulled.
            records.write_alone(self.root / path, blob)


@dataclass(frozen=True)
class Hub:
    """A repository of the Hugging Face hub; the client finds the user's token by itself.

    Args:
        repository: Its name.
        revision: Branch, tag or commit.
    """

    repository: str
    revision: str = "main"

    def exists(self) -> bool:
        """Whether there is anything yet."""
        from huggingface_hub import HfApi

        return HfApi().repo_exists(self.repository)

    def sizes(self) -> dict[str, int]:
        """Returns the bytes of every file of every entry, by its path."""
        from huggingface_hub import HfApi
        from huggingface_hub.hf_api import RepoFile

        tree = HfApi().list_repo_tree(self.repository, recursive=True, revision=self.revision)
        files = [one for one in tree if isinstance(one, RepoFile)]
        return {one.path: one.size for one in files if ENTRY.fullmatch(one.path)}

    def read(self, path: str, limit: int) -> bytes:
        from huggingface_hub import hf_hub_download

        with tempfile.TemporaryDirectory() as here:
            got = hf_hub_download(self.repository, path, revision=self.revision, local_dir=here)
            return folder.read(Path(got), limit)

    def write(self, files: Mapping[str, bytes], message: str) -> None:
        """Adds files in one commit: all of them or none."""
        from huggingface_hub import CommitOperationAdd, HfApi

        api = HfApi()
        api.create_repo(self.repository, exist_ok=True)
        if not api.file_exists(self.repository, folder.README, revision=self.revision):
            files = {folder.README: ABOUT.encode(), **files}
        api.create_commit(
            self.repository,
            [CommitOperationAdd(path, blob) for path, blob in files.items()],
            commit_message=message,
            revision=self.revision,
        )


Place = Disk | Hub


def place(text: str) -> Place:
    """Returns what ``file:///folder``, a path or ``user/repository[@revision]`` names.

    A path begins with a slash, a dot or a tilde: everything else is a repository.

    Raises:
        UserError: If it is neither.
    """
    if "\0" in unquote(text):
        raise UserError(f"{text} is no place; no folder has a zero byte in its name")
    if text.startswith("file://"):
        parts = urlsplit(text)
        if parts.netloc not in ("", "localhost"):
            raise UserError(f"'{text}' names a machine, {parts.netloc}; write file:///folder")
        return Disk(Path(unquote(parts.path)))
    if text.startswith(("/", ".", "~")):
        return Disk(records.expanded(text))
    found = REPOSITORY.fullmatch(text)
    if found is None:
        raise UserError(f"'{text}' is no place; give user/repository, ./folder or file:///folder")
    return Hub(found[1], found[2] or "main")


def push(path: Path, there: Place) -> None:
    """Copies an entry to a place.

    Args:
        path: The entry's folder.
        there: Where to.

    Raises:
        UserError: If the referee refuses the entry.
        JobError: If the place cannot be reached or written.
    """
    path = path.resolve()
    task = path.parent.parent.name
    found = check.faults(path, task, path.name)
    if found:
        raise UserError(f"it is not pushed: {found[0]}")
    inside = f"{task}/{folder.ENTRIES}/{path.name}"
    files = {
        f"{inside}/{name}": folder.read(path / name, size)
        for name, size in folder.contents(path)[0].items()
    }
    # A record of verification may come along later; what the entry says stays.
    fixed = [one for one in files if not one.endswith(f"/{proof.NAME}")]
    known = _reached(there, there.sizes) if _reached(there, there.exists) else {}
    for one in fixed:
        if one in known and (
            known[one] != len(files[one])
            or _reached(there, lambda one=one: there.read(one, known[one])) != files[one]
        ):
            raise UserError(f"another entry of that name is there: {one} differs; remove it first")
    _reached(there, lambda: there.write(files, f"{task}: {path.name}"))


def pull(there: Place, root: Path, wanted: str = "") -> Iterator[tuple[str, str, bool]]:
    """Copies entries from a place; yields each one's name, the outcome, and whether it is here now.

    Args:
        there: Where from.
        root: The folder of leaderboards.
        wanted: A task, or ``task/id``; all by default.

    Raises:
        UserError: If there is no such entry.
        JobError: If the place cannot be reached.
    """
    entries: dict[tuple[str, str], dict[str, int]] = {}
    for path, size in _reached(there, there.sizes).items():
        found = ENTRY.fullmatch(path)
        if found and wanted in ("", found[1], f"{found[1]}/{found[2]}"):
            entries.setdefault((found[1], found[2]), {})[found[3]] = size
    if not entries:
        raise UserError(f"there is no entry{' of ' + wanted if wanted else ''}; nothing was pulled")
    for (task, name), sizes in sorted(entries.items()):
        try:
            files = _files(there, f"{task}/{folder.ENTRIES}/{name}", sizes)
            path, new = assemble.place(root, task, name, files)
        except (Fault, UserError) as error:
            yield f"{task}/{name}", f"refused: {error}", False
        else:
            yield f"{task}/{name}", str(path) if new else f"{path} is there already", True


def _files(there: Place, inside: str, sizes: Mapping[str, int]) -> Files:
    """Returns the files of an entry elsewhere; nothing is fetched before all sizes are known good.

    Raises:
        Fault: If there is a file that no entry has, or one that is too large.
    """
    for name, size in sizes.items():
        fault = folder.file_fault(name, size)
        if fault:
            raise Fault(f"{shown(name)}: {fault}")
    if sum(size for name, size in sizes.items() if name.startswith("weights/")) > folder.WEIGHTS:
        raise Fault(f"weights: more than {folder.WEIGHTS} bytes together")
    if entry.NAME not in sizes:
        raise Fault(f"{entry.NAME}: missing")
    names = [name for name in sizes if name != proof.NAME]
    return {
        name: _reached(there, lambda name=name: there.read(f"{inside}/{name}", sizes[name]))
        for name in names
    }


def _reached(there: Place, act: Any) -> Any:
    """Returns what ``act`` returns; whatever goes wrong with the hub becomes one sentence.

    Raises:
        JobError: If the hub cannot be reached, or refuses.
    """
    if isinstance(there, Disk):
        return act()
    try:
        from huggingface_hub import constants
        from huggingface_hub.errors import HfHubHTTPError
    except ImportError:
        raise UserError("the hub needs a package: pip install huggingface_hub") from None
    why = (
        "HF_HUB_OFFLINE is set"
        if constants.HF_HUB_OFFLINE
        else assets.unreachable(constants.ENDPOINT)
    )
    if why:
        raise JobError(f"the hub cannot be reached ({why}); try again later, or give a folder")
    try:
        return act()
    except (Fault, UserError, JobError):
        raise
    except HfHubHTTPError as error:
        code = getattr(getattr(error, "response", None), "status_code", None)
        what = {
            401: "wants a login (hf auth login)",
            403: "does not allow it",
            404: "has no such repository",
        }
        raise JobError(f"the hub {what.get(code, f'answers {code}')}: {there.repository}") from None
    except Exception as error:  # noqa: BLE001 - the client has dozens of kinds
        text = " ".join(str(error).split()) or type(error).__name__
        raise JobError(f"the hub could not do it: {text[:200]}") from None
