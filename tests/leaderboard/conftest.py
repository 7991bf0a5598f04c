"""A small folder of leaderboards, and a way to spoil its entries."""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmark.leaderboard import assemble, check, entry, rows, schema, synthetic


@pytest.fixture
def boards(tmp_path) -> Path:
    """An empty folder for leaderboards."""
    root = tmp_path / "leaderboards"
    root.mkdir()
    return root


@pytest.fixture
def put(boards) -> Callable[..., Path]:
    """Returns a function that makes up an entry and puts it in its place."""

    def put(task: str = "sr", **options) -> Path:
        files = synthetic.make(task, **options)
        # Not parsed, since some entries are made up to be refused.
        name = json.loads(files[entry.NAME])["id"]
        return assemble.place(boards, task, name, files)[0]

    return put


@pytest.fixture
def faults() -> Callable[[Path], list[str]]:
    """Returns a function that lists the faults of an entry's folder, without its path."""
    return lambda path: check.faults(path, path.parent.parent.name, path.name)


@pytest.fixture
def edit() -> Callable[..., None]:
    """Returns a function that changes facts of an entry, and keeps them well written."""

    def edit(path: Path, **changes) -> None:
        file = path / entry.NAME
        facts = {**json.loads(file.read_bytes()), **changes}
        file.write_bytes(schema.written(facts))

    return edit


@pytest.fixture
def reseal(edit) -> Callable[[Path, bytes], None]:
    """Returns a function that replaces the text of the rows and corrects the check sum."""

    def reseal(path: Path, text: bytes) -> None:
        blob = gzip.compress(text, 9, mtime=0)
        (path / rows.NAME).write_bytes(blob)
        files = json.loads((path / entry.NAME).read_bytes())["files"]
        files[rows.NAME] = {"sha256": hashlib.sha256(blob).hexdigest(), "bytes": len(blob)}
        edit(path, files=files)

    return reseal


@pytest.fixture
def hub() -> Iterator[Any]:
    """A running server of ``hub.py``; test files cannot import each other."""
    path = Path(__file__).with_name("hub.py")
    about = importlib.util.spec_from_file_location("dialbench_hub", path)
    module = importlib.util.module_from_spec(about)
    about.loader.exec_module(module)
    server = module.Hub()
    yield server
    server.shutdown()
