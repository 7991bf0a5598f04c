"""Finding methods, baselines and backbones by their files.

Listing reads source code only (``ast``); a module is imported when its class is created. Besides
the files of ``methods/``, ``baselines/`` and ``baselines/networks/`` there are single files given
by path, and installed packages with entry points in the group ``dialbench.methods``.
This module imports no torch.
"""

from __future__ import annotations

import ast
import functools
import importlib
import importlib.metadata
import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from benchmark.errors import UserError, unknown
from benchmark.registry.digest import ROOT
from benchmark.registry.spec import parse

GROUPS = {"method": "methods", "baseline": "baselines", "network": "baselines.networks"}
ENTRY_POINTS = "dialbench.methods"

METHODS = ["decouple", "dni", "adafm", "cfsnet", "dynamic_net", "ftn", "tunable_conv", "hypernet"]
BASELINES = ["floor", "blend", "experts"]
"""Those that a run compares when no method is named; ``baselines`` has all."""


@dataclass(frozen=True)
class Entry:
    """A method, baseline or network that was found.

    Args:
        name: The file's name, used on the command line.
        group: ``method``, ``baseline`` or ``network``.
        path: The file, or the import path of an entry point.
        summary: First line of the module's docstring.
        error: Why it cannot be used, as far as its source shows.
        imports: What ``dialbench import`` must be given before it can run, if anything.
    """

    name: str
    group: str
    path: str
    summary: str = ""
    error: str | None = None
    imports: str = ""


def default_methods() -> list[str]:
    """Returns what a run compares when no method is named."""
    return [*METHODS, *BASELINES]


@functools.cache
def baselines() -> tuple[str, ...]:
    """Returns the names of all references, which compete with nobody: the files of ``baselines/``."""
    there = {path.stem for path in (ROOT / "baselines").glob("*.py") if path.name[0] != "_"}
    return (*sorted(BASELINES), *sorted(there.difference(BASELINES)))


def entries() -> list[Entry]:
    """Returns everything that can be used, methods first, without importing any of it."""
    found = [
        read_entry(path, group)
        for group, package in GROUPS.items()
        for path in sorted((ROOT / package.replace(".", "/")).glob("*.py"))
        if not path.name.startswith("_")
    ]
    known = {entry.name for entry in found if entry.group != "network"}
    for point in importlib.metadata.entry_points(group=ENTRY_POINTS):
        taken = f"the name is taken by {point.name}.py" if point.name in known else None
        found.append(_offered(point.name, point.value, taken))
    return found


def _offered(name: str, value: str, error: str | None) -> Entry:
    """Returns the entry of a method that an installed package offers."""
    path = _file_of(value)
    if path is None:
        gone = f"its module {value} is not there; reinstall the package"
        return Entry(name, "method", value, error=error or gone)
    about = read_entry(path, "method")
    return replace(about, name=name, path=value, error=error or about.error)


def _file_of(value: str) -> Path | None:
    """Returns the file of an entry point like ``package.module:Class``, importing nothing.

    Where that module only imports the class from another of its package, it is the other's.
    """
    module, name = entry_point(value)
    top, *inner = module.split(".")
    spec = importlib.util.find_spec(top)
    if spec is None:
        return None
    if not inner:
        found = Path(spec.origin) if spec.origin else None
    else:
        paths = [Path(folder, *inner) for folder in spec.submodule_search_locations or ()]
        files = [file for path in paths for file in (path.with_suffix(".py"), path / "__init__.py")]
        found = next((file for file in files if file.is_file()), None)
    return _defining(found, name) if found and name else found


def entry_point(value: str) -> tuple[str, str]:
    """Returns module and class of an entry point like ``package.module:Class [extra]``."""
    point = importlib.metadata.EntryPoint("", value, ENTRY_POINTS)
    return point.module, point.attr or ""


def _defining(path: Path, name: str, seen: frozenset[Path] = frozenset()) -> Path:
    """Returns the file that a class comes from which a file imports from its own package."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return path
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module:
            start = path.parents[node.level - 1] if node.level else _root(path)
            folder = start.joinpath(*node.module.split("."))
            for file in (folder.with_suffix(".py"), folder / "__init__.py"):
                for alias in node.names:
                    imported = (alias.asname or alias.name) == name
                    if imported and file not in seen and file.is_file():
                        return _defining(file, alias.name, seen | {path})
    return path


def _root(path: Path) -> Path:
    """Returns the folder that holds the package of a file."""
    return next(folder for folder in path.parents if not (folder / "__init__.py").is_file())


def read_entry(path: Path, group: str) -> Entry:
    """Returns what the source of a file says about it."""
    try:
        about = path.stat()
    except OSError as error:
        return Entry(path.stem, group, str(path), error=f"cannot be read: {error}")
    return _read(path, group, about.st_mtime_ns, about.st_size)


@functools.cache
def _read(path: Path, group: str, *_changes: int) -> Entry:
    name = path.stem
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError) as error:
        return Entry(name, group, str(path), error=f"cannot be read: {error}")
    summary = (ast.get_docstring(tree) or "").partition("\n")[0]
    missing = [one for one in _imports(tree) if importlib.util.find_spec(one) is None]
    error = f"imports '{missing[0]}', which is not installed" if missing else None
    return Entry(name, group, str(path), summary, error, _class_imports(tree))


def _class_imports(tree: ast.Module) -> str:
    """Returns what the public class of a module says in ``imports``."""
    for node in tree.body:
        if not isinstance(node, ast.ClassDef) or node.name.startswith("_"):
            continue
        for item in ast.walk(node):
            if isinstance(item, ast.Assign | ast.AnnAssign):
                target = item.targets[0] if isinstance(item, ast.Assign) else item.target
                named = getattr(target, "id", getattr(target, "attr", None)) == "imports"
                if named and isinstance(item.value, ast.Constant):
                    return item.value.value
    return ""


def _imports(tree: ast.Module) -> list[str]:
    """Returns the top-level packages that a module imports when it is itself imported."""
    found: list[str] = []
    for node in tree.body:
        if isinstance(node, ast.Import):
            found.extend(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.append(node.module.split(".")[0])
    return [name for name in dict.fromkeys(found) if name != "__future__"]


def find(name: str, groups: Iterable[str]) -> Entry:
    """Returns the entry of a name.

    Raises:
        UserError: If there is none; the message names the choices and the nearest.
    """
    groups = tuple(groups)
    for group in groups:
        path = ROOT / GROUPS[group].replace(".", "/") / f"{name}.py"
        # A name like external/ffdnet would lead into another folder.
        if name.isidentifier() and not name.startswith("_") and path.is_file():
            return read_entry(path, group)
    known = {entry.name: entry for entry in reversed(entries()) if entry.group in groups}
    if name not in known:
        kind = "backbone" if groups == ("network",) else "method"
        raise UserError(unknown(kind, name, sorted(known)))
    return known[name]


def source_of(spec_text: str, file: Path | None = None) -> str:
    """Returns the module (dotted name or path) that holds a method, without importing it.

    Raises:
        UserError: If there is no such method, or no such file.
    """
    if file is not None:
        if not file.is_file():
            raise UserError(f"there is no method file {file}; check the path")
        return str(file)
    entry = find(parse(spec_text).name, ("method", "baseline"))
    if entry.path.endswith(".py"):
        return _dotted(entry)
    found = _file_of(entry.path)
    if found is None:
        raise UserError(f"the entry point {entry.name} = {entry.path} leads nowhere; reinstall it")
    return str(found)


def package_of(spec_text: str) -> Path | None:
    """Returns the folder of the installed package that a method comes from, if it is one.

    Raises:
        UserError: If there is no such method.
    """
    own = source_of(spec_text)
    folder = Path(own).parent
    if not own.endswith(".py") or not (folder / "__init__.py").is_file():
        return None
    while (folder.parent / "__init__.py").is_file():
        folder = folder.parent
    return folder


def backbone_source(spec_text: str) -> str:
    """Returns the dotted name of the module that holds a backbone, without importing it."""
    return _dotted(find(parse(spec_text).name, ("network",)))


def _dotted(entry: Entry) -> str:
    return f"{GROUPS[entry.group]}.{entry.name}"
