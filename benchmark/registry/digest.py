"""Digests: what identifies data and code, so that a result is reused exactly when it would not change.

Code is identified by meaning, not by text: comments, docstrings and layout do not count, and only
definitions that can be reached from the starting points do. So a comment edit, or a new operator
beside the one in use, keeps every stored result; a changed operator does not. What is imported from
elsewhere counts by its name; files and folders that lie beside a method file and that it imports count
by their code, wherever Python would look for them: a key must be the same in every process, and under
every Python.
This module imports no torch.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmark.errors import UserError
from benchmark.registry.writing import without_docstrings, written

ROOT = Path(__file__).resolve().parents[2]
"""The folder that holds the packages ``benchmark``, ``baselines`` and ``methods``."""

OWN = ("benchmark", "baselines", "methods")
"""Packages whose code is followed; everything else is a pinned dependency."""

ELSEWHERE = frozenset((*sys.stdlib_module_names, *OWN, "torch"))
"""Modules that lie beside no method file, whatever is called the same there."""

LENGTH = 20

Definition = tuple[str, str]
"""A module (dotted name, or path of a file) and a top-level name in it."""


def canonical(value: Any) -> str:
    """Returns the canonical JSON of plain data and dataclasses: sorted keys, no spaces."""
    return _ENCODER.encode(value)


def digest(value: Any) -> str:
    """Returns the first 20 hexadecimal digits of the SHA-256 of a value's canonical JSON."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:LENGTH]


def weights_digest(hashes: Mapping[str, str]) -> str:
    """Returns one hash for the weights of a method, from those of its stages by name."""
    if len(hashes) == 1:
        return next(iter(hashes.values()))
    return digest(dict(hashes)) if hashes else ""


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {one.name: getattr(value, one.name) for one in dataclasses.fields(value)}
        return {"": type(value).__name__, **fields}
    raise TypeError(f"{type(value).__name__} has no canonical form")


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=_plain)


def code_digest(starts: Iterable[str], inside: Iterable[str] = OWN) -> str:
    """Returns the digest of the code reachable from some starting points.

    Args:
        starts: ``module`` (every definition in it), ``module:name``, ``module:Class.name`` for one
            of its methods, or ``module:TABLE[key]`` for one entry of a dictionary. A module is a
            dotted name or the path of a file.
        inside: Dotted prefixes of modules that are followed; other modules are left out. A table
            (a dictionary of functions or objects in capitals) is not followed, unless its module
            is a starting point; name the entries in use instead.

    Raises:
        UserError: If a dictionary has no such entry.
    """
    inside = tuple(inside)
    todo: list[Definition] = []
    seen: set[Definition] = set()
    whole: set[str] = set()
    texts: list[str] = []
    for start in sorted(set(starts)):
        name, _, symbol = start.partition(":")
        module = _module(name)
        if "[" in symbol:
            table, key = symbol.rstrip("]").split("[")
            known = module.table(table)
            if key not in known:
                raise UserError(f"{table} in {name} has no '{key}'; write it there")
            node = known[key]
            texts += [f"{table}[{key}]={written(node)}", *_foreign(node, module, inside)]
            todo.extend(_uses(node, module, inside))
        elif "." in symbol:
            node = module.method(*symbol.split("."))
            texts += [f"{symbol}={written(node)}", *_foreign(node, module, inside)]
            todo.extend(_uses(node, module, inside))
        elif symbol:
            todo.append((name, symbol))
        else:
            whole.add(name)
            todo.extend((name, one) for one in module.definitions)
            texts += [written(node) for node in module.loose]
            if name.endswith(".py"):
                texts += [f"module {one}={code}" for one, code in beside(Path(name))]
    while todo:
        definition = todo.pop()
        if definition in seen:
            continue
        seen.add(definition)
        module = _module(definition[0])
        nodes = module.definitions.get(definition[1])
        if nodes is None:
            todo.extend(_imported(module, definition[1], inside))
        elif definition[0] in whole or not module.is_table(definition[1]):
            label = Path(definition[0]).stem if definition[0].endswith(".py") else definition[0]
            for at, node in enumerate(nodes):
                texts.append(f"{label}:{definition[1]}:{at}={written(node)}")
                texts += _foreign(node, module, inside)
                todo.extend(_uses(node, module, inside))
    return hashlib.sha256("\n".join(sorted({*texts})).encode()).hexdigest()[:LENGTH]


@functools.cache
def known_digest(starts: tuple[str, ...], inside: tuple[str, ...]) -> str:
    """Returns ``code_digest``, computed once: code that this process has imported stays as it was."""
    return code_digest(starts, inside)


def table_keys(table: str) -> tuple[str, ...]:
    """Returns the keys of a dictionary ``module:TABLE`` as its source has them, importing nothing."""
    module, _, name = table.partition(":")
    return tuple(_module(module).table(name))


def package_digest(folder: Path) -> str:
    """Returns the digest of every module below a folder: its code, or its bytes if it is no Python."""
    files = [(path, path.stat()) for path in sorted(folder.rglob("*.py"))]
    return _package(folder, tuple((path, one.st_mtime_ns, one.st_size) for path, one in files))


@functools.cache
def _package(folder: Path, files: tuple[tuple[Path, int, int], ...]) -> str:
    found = {}
    for path, *_ in files:
        found[path.relative_to(folder).as_posix()] = _code_of(path)
    return digest(found)


def _code_of(path: Path) -> str:
    """Returns the code of a file without docstrings, or its hash if it is no Python of ours."""
    blob = path.read_bytes()
    try:
        return written(without_docstrings(ast.parse(blob)))
    except (SyntaxError, ValueError):  # a template, or code of another Python
        return hashlib.sha256(blob).hexdigest()


class Module:
    """The top-level definitions and imports of one source file, without docstrings.

    A name may be defined more than once (``f = wrapped(f)``, or in both parts of an ``if``). A statement
    that defines none, like ``TABLE["a"] = 1`` or ``register(f)``, counts for every name of the module
    that it mentions, and a condition for every name that is defined or mentioned under it. What counts
    for no name is ``loose``.
    """

    def __init__(self, name: str, source: str):
        self.name = name
        self.definitions: dict[str, list[ast.stmt]] = {}
        self.imports: dict[str, list[tuple[str, str | None]]] = {}
        tree = ast.parse(source)
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    target = alias.name if alias.asname else alias.name.split(".")[0]
                    self.imports.setdefault(alias.asname or target, []).append((target, None))
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                for alias in node.names:
                    known = self.imports.setdefault(alias.asname or alias.name, [])
                    known.append((node.module, alias.name))
        nodes = list(_flat(without_docstrings(tree).body))
        named = [(target, node) for node in nodes for target in _targets(node)]
        known = {target for target, _ in named}
        named += [(name, node) for node in nodes for name in sorted(_mentioned(node) & known)]
        counted = {id(node) for _, node in named}
        self.loose = [node for node in nodes if id(node) not in counted and not _does_nothing(node)]
        for target, node in sorted(named, key=lambda pair: pair[1].lineno):
            self.definitions.setdefault(target, []).append(node)

    def table(self, name: str) -> dict[str, ast.expr]:
        """Returns the expressions of a dictionary by their keys."""
        value = self._value(name)
        if not isinstance(value, ast.Dict):
            raise TypeError(f"{self.name}:{name} is not a dictionary")
        pairs = zip(value.keys, value.values, strict=True)
        return {str(key.value): one for key, one in pairs if isinstance(key, ast.Constant)}

    def method(self, owner: str, name: str) -> ast.stmt:
        """Returns the definition of a method or property of a class."""
        bodies = [node.body for node in self.definitions[owner] if isinstance(node, ast.ClassDef)]
        return next(node for body in bodies for node in body if getattr(node, "name", "") == name)

    def is_table(self, name: str) -> bool:
        """Whether a definition is a dictionary of functions or objects in capitals."""
        value = self._value(name)
        if not name.isupper() or not isinstance(value, ast.Dict):
            return name.isupper() and isinstance(value, ast.DictComp)
        return all(isinstance(one, ast.Name | ast.Lambda | ast.Call) for one in value.values)

    def _value(self, name: str) -> ast.expr | None:
        """Returns what a name was last set to."""
        nodes = [node for node in self.definitions[name] if name in _targets(node)]
        return getattr(nodes[-1], "value", None)


def _flat(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Yields statements, and those inside blocks of a module but for what type checkers read."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node
            continue
        checked = _is_checked(node)
        for part in ("body", "handlers", "orelse", "finalbody"):
            if not (checked and part == "body"):
                yield from _flat(getattr(node, part, ()) or ())
        yield node


def _is_checked(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def _does_nothing(node: ast.stmt) -> bool:
    """Whether a statement changes no number: imports count where they are used."""
    silent = (ast.Import, ast.ImportFrom, ast.Pass, ast.ExceptHandler)
    public = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    return isinstance(node, silent) or public or _is_checked(node)


def _mentioned(node: ast.stmt) -> set[str]:
    """Returns the names that a statement of a module touches without defining them."""
    if _is_checked(node) or isinstance(node, ast.Import | ast.ImportFrom):
        return set()
    if isinstance(node, ast.If | ast.While | ast.For | ast.With | ast.Try):
        inner = [one for one in _flat([node]) if one is not node]
        return {name for one in inner for name in (*_targets(one), *_mentioned(one))}
    if isinstance(node, ast.FunctionDef | ast.ClassDef) or _targets(node):
        return set()
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def _targets(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    names = [
        part.id
        for target in targets
        if target is not None
        for part in ast.walk(target)
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
    ]
    return [name for name in names if name != "__all__"]


def source_path(module: str) -> Path | None:
    """Returns the file of a module given by dotted name or path, or None if it is not our own."""
    if module.endswith(".py"):
        return Path(module)
    path = ROOT.joinpath(*module.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def _module(name: str) -> Module:
    path = source_path(name)
    if path is None:
        raise FileNotFoundError(f"there is no source file of module '{name}'")
    return _parsed(name, path.read_text(encoding="utf-8"))


@functools.cache
def _parsed(name: str, source: str) -> Module:
    return Module(name, source)


def _uses(node: ast.AST, module: Module, inside: tuple[str, ...]) -> list[Definition]:
    """Returns the definitions that a piece of code names."""
    found: list[Definition] = []
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            if part.id in module.definitions:
                found.append((module.name, part.id))
            else:
                found.extend(_imported(module, part.id, inside))
        elif isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name):
            for source, symbol in module.imports.get(part.value.id, ()):
                dotted = f"{source}.{symbol}" if symbol else source
                if _followed(dotted, inside):
                    found.append((dotted, part.attr))
    return found


def _foreign(node: ast.AST, module: Module, inside: tuple[str, ...]) -> Iterator[str]:
    """Yields what a piece of code imports from modules that are not followed."""
    names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
    for name in names & module.imports.keys():
        for source, symbol in module.imports[name]:
            # Modules of our own are followed, or left out, as the caller says.
            if not _followed(source, inside) and source.partition(".")[0] not in OWN:
                yield f"import {name}={source}.{symbol or ''}"


def beside(path: Path) -> Iterator[tuple[str, str]]:
    """Yields files and folders beside a method file that it, or one of them, imports.

    Each as the name that is imported, and its code. Beside an installed module lie other packages, which are nobody's own.
    """
    if path.parent.name in ("site-packages", "dist-packages"):
        return
    todo, seen = [path], {path.stem}
    while todo:
        try:
            module = Module("", todo.pop().read_text(encoding="utf-8"))
        except (SyntaxError, ValueError):  # it cannot be what is imported
            continue
        sources = {source for found in module.imports.values() for source, _ in found}
        names = {source.partition(".")[0] for source in sources} - seen - ELSEWHERE
        for name in sorted(names):
            seen.add(name)
            file, folder = path.with_name(f"{name}.py"), path.with_name(name)
            if file.is_file():
                todo.append(file)
                yield name, _code_of(file)
            elif folder.is_dir():
                todo += sorted(folder.rglob("*.py"))
                yield name, package_digest(folder)


def _imported(module: Module, name: str, inside: tuple[str, ...]) -> list[Definition]:
    found = module.imports.get(name, ())
    return [(source, symbol) for source, symbol in found if symbol and _followed(source, inside)]


def _followed(module: str, inside: tuple[str, ...]) -> bool:
    listed = any(module == prefix or module.startswith(prefix + ".") for prefix in inside)
    return listed and source_path(module) is not None
