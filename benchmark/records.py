"""Files that appear whole or not at all, and records of JSON that end with their check sum.

What cannot be read, or does not match its check sum, is not there. This module imports no torch.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import uuid
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any

from benchmark.errors import JobError, UserError
from benchmark.registry.digest import LENGTH

try:
    from orjson import loads
except ImportError:  # a machine with torch and Lightning alone trains too
    from json import loads

SCHEMA = 1
"""Version of the rows and files; rows of another version are never read."""

HALF_WRITTEN = re.compile(r"\.(?:(.+)\.)?[0-9a-f]{32}\.tmp")
"""Names of files that are being written, here and in ``benchmark.train``; no user's are like that."""

NAMED = 40
"""Characters of its name that a file has while it is being written; those that are swept have no more."""

CHECK = len(',"check":""}') + LENGTH
"""Bytes at the end of a record that hold its check sum."""

BLOCK = 1 << 18
"""Bytes that are read at once; hardly any record is longer."""


def expanded(path: Path | str) -> Path:
    """Returns a path with the home that its tilde stands for.

    Raises:
        UserError: If there is none.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise UserError(f"{path}: nobody here has such a home; write the folder out") from None


def folder_in(variable: str) -> Path | None:
    """Returns the folder that an environment variable names, or None if it is not set.

    Raises:
        UserError: If it names something that is not a folder.
    """
    text = os.environ.get(variable)
    if not text:
        return None
    folder = expanded(text)
    if not folder.is_dir():
        raise UserError(f"{variable} names {folder}, which is not a folder; correct or unset it")
    return folder


def check_places() -> None:
    """Checks what paths are looked up from.

    Raises:
        UserError: If the working folder was removed, which libraries answer by ending the process, or
            a variable names a folder in the home of nobody.
    """
    try:
        os.getcwd()
    except FileNotFoundError:
        raise UserError(
            "the working folder has been removed; change to one that is there"
        ) from None
    for variable in ("DIALBENCH_HOME", "DIALBENCH_DATA", "DIALBENCH_WEIGHTS"):
        expanded(os.environ.get(variable, ""))


def write(path: Path, blob: bytes) -> None:
    """Writes a file in one step: readers see the old or the new content, never a part.

    Raises:
        JobError: If the disk is full or not writable.
    """
    # A name may take 255 bytes, which those of a user may have nearly all.
    temporary = path.with_name(f".{path.name[:NAMED]}.{uuid.uuid4().hex}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as file:
            file.write(blob)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        # Ctrl-C too: in a user's own folder nobody would remove what is half-written.
        with contextlib.suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            raise JobError(disk_trouble(error, path)) from error
        raise


def write_alone(path: Path, blob: bytes) -> None:
    """Writes a file that one process at a time writes: what one that was killed left of it goes first.

    Raises:
        JobError: If the disk is full or not writable.
    """
    sweep(path.parent, (path.name[:NAMED],))
    write(path, blob)


def sweep(folder: Path, names: Container[str]) -> None:
    """Removes what a killed process left half-written of files of these names in a folder.

    Only for files that one process at a time writes: another's would go, too.
    """
    for path in folder.glob(".*.tmp"):
        found = HALF_WRITTEN.fullmatch(path.name)
        if found and found[1] in names:
            with contextlib.suppress(OSError):
                path.unlink()


def disk_trouble(error: OSError, path: Path | str) -> str:
    """Returns one sentence about a failed write."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full: {path} could not be written; free some space and run again"
    return f"{path} could not be written ({error.strerror}); check the folder and run again"


def write_json(path: Path, record: Mapping[str, Any]) -> None:
    """Writes a record with its schema, and last the check sum of what stands before it."""
    body = json.dumps({"schema": SCHEMA, **record}, separators=(",", ":"))[:-1].encode()
    write(path, body + _check(body))


def read_json(path: Path | str) -> dict[str, Any] | None:
    """Returns the record that ``write_json`` wrote, or None if there is no such intact record."""
    try:
        # The bytes are checked, not what they mean: a campaign reads very many.
        blob = _bytes(path)
        if blob[-CHECK:] != _check(blob[:-CHECK]):
            return None
        record = _parsed(blob)
        del record["check"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return record if record.get("schema") == SCHEMA else None


def _bytes(path: Path | str) -> bytes:
    """Returns what is in a file; ``open`` asks the system twice as often, and takes nearly twice as long."""
    descriptor = os.open(path, os.O_RDONLY)
    parts = []
    try:
        while part := os.read(descriptor, BLOCK):
            parts.append(part)
    finally:
        os.close(descriptor)
    return b"".join(parts)


def _parsed(blob: bytes) -> Any:
    try:
        return loads(blob)
    except ValueError:
        # json writes more than orjson reads: NaN, and names that are no UTF-8. (Whole numbers beyond 64
        # bits would become floats; no record holds any.)
        return json.loads(blob)


def _check(body: bytes) -> bytes:
    return b',"check":"%s"}' % hashlib.sha256(body).hexdigest()[:LENGTH].encode()
