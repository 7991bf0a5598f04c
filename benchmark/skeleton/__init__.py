"""``dialbench new``: a folder with a method that works, to be replaced by one of your own."""

from __future__ import annotations

import importlib.util
import keyword
import re
import shlex
import shutil
import tempfile
from importlib.resources import files
from pathlib import Path
from string import Template

from benchmark.errors import JobError, UserError
from benchmark.records import disk_trouble
from benchmark.registry import discovery

METHOD = {"$name.py": "method.py", "test_$name.py": "test.py"}
"""Names of files, with the templates that they are made from."""
PACKAGE = {"pyproject.toml": "pyproject.toml", "README.md": "README.md", ".gitignore": "gitignore"}


def main(name: str, parent: Path, package: bool) -> str:
    """Writes the folder, and returns what it holds and what to do with it."""
    folder = write(name, parent, package)
    file = shlex.quote(str(folder / f"{name}.py"))
    lines = [
        f"{folder}: {', '.join(sorted(path.name for path in folder.iterdir()))}",
        f"check: dialbench test {file}",
        f"run:   dialbench run denoise --methods dni,floor --method {file} --preset smoke",
    ]
    if package:
        lines.append(
            f"or install it, and say '{name}' for it: pip install {shlex.quote(str(folder.resolve()))}"
        )
    return "\n".join(lines)


def write(name: str, parent: Path, package: bool = False) -> Path:
    """Writes the folder ``parent/name`` whole, or not at all, and returns it.

    Args:
        name: What the method will be called: the name of its file and folder.
        parent: Where the folder goes.
        package: Whether the folder can be installed.

    Raises:
        UserError: If the name cannot be used, or the folder is there.
        JobError: If the disk is full or not writable.
    """
    _check(name)
    folder = parent / name
    if folder.exists():
        raise UserError(f"{folder} is there already; choose another name, or a place with --at")
    words = {
        "name": name,
        "kind": "".join(part.capitalize() for part in name.split("_")),
        "title": name.replace("_", " ").strip().capitalize(),
        "project": name.replace("_", "-").strip("-"),
    }
    half = None
    try:
        parent.mkdir(parents=True, exist_ok=True)
        half = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=parent))
        half.chmod(0o755)
        for file, template in {**METHOD, **(PACKAGE if package else {})}.items():
            source = files(__name__) / f"{template}.txt"
            text = Template(source.read_text(encoding="utf-8")).substitute(words)
            (half / Template(file).substitute(words)).write_text(text, encoding="utf-8")
        half.rename(folder)
    except OSError as error:
        if half is not None:
            shutil.rmtree(half, ignore_errors=True)
        raise JobError(disk_trouble(error, folder)) from error
    return folder


def _check(name: str) -> None:
    """Refuses names that are no names, or that something else has."""
    if not re.fullmatch("[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise UserError(
            f"'{name}' cannot name a method; use small letters, digits and underscores, like my_method"
        )
    if name in {entry.name for entry in discovery.entries()}:
        raise UserError(f"dialbench has a '{name}' already; choose another name")
    found = importlib.util.find_spec(name)
    if found is not None and found.origin is not None:
        raise UserError(f"Python has a module '{name}' already; choose another name")
