"""Shapes of plain data: small functions that raise a ``Fault`` unless a value is as they say.

Texts are held to patterns, and what is left of free text is held to prose: letters, digits and
common punctuation, nothing that a browser or an interpreter could take for instructions.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from benchmark.leaderboard.faults import Fault, shown

Shape = Callable[[Any, str], None]
"""Takes a value and the words for where it stands; raises ``Fault``."""

MARKUP = re.compile(
    r"[<>]|://|(?<![^\W_])www\.|&#|&\w+;|\b(?:javascript|vbscript|data)\s*:", re.IGNORECASE
)
CODE = re.compile(
    r"\w\(|[`{}\\$|]|__|\[\s*['\"\d]|#!|!!|\b(?:eval|exec|getattr|subprocess)\b"
    r"|\blambda\b[^:]*:|\b(?:os|sys)\.\w|\bimport\s+(?:os|sys|subprocess|torch|pickle)\b"
)
LOOKED_AT = 1000
"""Characters of a text that is refused that are searched for the reason."""
PROSE = re.compile(r"[\w .,;:()'\"%+\-–—/·±²=*#@~!?×&]*")


def parsed(blob: bytes, name: str) -> Any:
    """Returns the value of JSON text.

    Raises:
        Fault: If it is not JSON, names a key twice, or holds NaN or an infinity.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise Fault(f"{name}: '{shown(_twice(key for key, _ in pairs))}' is there twice")
        return found

    def never(text: str) -> None:
        raise Fault(f"{name}: {text} is not a finite number")

    try:
        return json.loads(blob.decode("utf-8"), object_pairs_hook=once, parse_constant=never)
    except UnicodeDecodeError:
        raise Fault(f"{name}: not UTF-8 text") from None
    except RecursionError:
        raise Fault(f"{name}: nested too deeply") from None
    except ValueError as error:
        raise Fault(f"{name}: not JSON ({shown(error)})") from None


def _twice(values: Iterable[Any]) -> Any:
    """Returns a value that is there more than once; one is."""
    # Not values.count for each: a file may have a hundred thousand.
    return next(one for one, times in Counter(values).items() if times > 1)


def written(value: Any) -> bytes:
    """Returns the one way in which a value is written as JSON."""
    return (json.dumps(value, indent=1, sort_keys=True) + "\n").encode()


def canonical(blob: bytes, value: Any, name: str) -> None:
    """Raises ``Fault`` unless a value is written in the one way."""
    try:
        same = written(value) == blob
    except (ValueError, RecursionError):
        same = False
    if not same:
        raise Fault(f"{name}: not written as 'dialbench board submit' writes it")


def text(pattern: str) -> Shape:
    """Text that matches a pattern as a whole."""
    # Digits and letters of other scripts are not meant.
    compiled = re.compile(pattern, re.ASCII)

    def check(value: Any, where: str) -> None:
        fits = type(value) is str and compiled.fullmatch(value) is not None
        if not fits or (MARKUP.search(value) and not value.startswith("https://")):
            raise Fault(f"{where}: {_trouble(value)}")

    return check


def prose(longest: int) -> Shape:
    """A sentence for people."""

    def check(value: Any, where: str) -> None:
        good = type(value) is str and len(value) <= longest and PROSE.fullmatch(value)
        if not good or MARKUP.search(value) or CODE.search(value) or ".." in value:
            raise Fault(f"{where}: {_trouble(value)}")

    return check


def is_prose(value: str, longest: int) -> bool:
    """Whether ``prose`` accepts a text."""
    try:
        prose(longest)(value, "")
    except Fault:
        return False
    return True


def _trouble(value: Any) -> str:
    """Returns what is wrong with a value that should have been another text."""
    if type(value) is not str:
        return f"must be text, not {type(value).__name__}"
    # A file may be one long text, over which some patterns go once for each of its words.
    value = value[:LOOKED_AT]
    if MARKUP.search(value):
        return f"holds HTML, script or an address: {shown(value)}"
    if CODE.search(value):
        return f"holds code: {shown(value)}"
    if ".." in value or value.startswith(("/", "~")) or re.match(r"[A-Za-z]:[\\/]", value):
        return f"is a path that leaves the folder: {shown(value)}"
    return f"'{shown(value)}' is not allowed here"


def choice(*values: Any) -> Shape:
    """One of some values."""

    def check(value: Any, where: str) -> None:
        if not any(type(value) is type(one) and value == one for one in values):
            trouble = _trouble(value) if type(value) is str else f"{shown(value)} is not allowed"
            raise Fault(f"{where}: {trouble}")

    return check


def whole(low: int, high: int) -> Shape:
    """A whole number in a range."""

    def check(value: Any, where: str) -> None:
        if type(value) is not int or not low <= value <= high:
            raise Fault(f"{where}: {shown(value)} is not a whole number from {low} to {high}")

    return check


def real(low: float, high: float) -> Shape:
    """A finite number in a range."""

    def check(value: Any, where: str) -> None:
        number = type(value) in (int, float) and -1e300 < value < 1e300
        if not number or not math.isfinite(value) or not low <= value <= high:
            raise Fault(f"{where}: {shown(value)} is not a number from {low:g} to {high:g}")

    return check


def none_or(shape: Shape) -> Shape:
    """Null, or something else."""

    def check(value: Any, where: str) -> None:
        if value is not None:
            shape(value, where)

    return check


def items(shape: Shape, least: int, most: int, distinct: bool = False) -> Shape:
    """A list of things of one shape."""

    def check(value: Any, where: str) -> None:
        if type(value) is not list or not least <= len(value) <= most:
            raise Fault(f"{where}: must be a list of {least} to {most} things")
        for one in value:
            shape(one, where)
        if distinct and len(set(value)) < len(value):
            raise Fault(f"{where}: '{shown(_twice(value))}' is there twice")

    return check


def table(key: Shape, value: Shape, most: int) -> Shape:
    """An object with free keys."""

    def check(found: Any, where: str) -> None:
        if type(found) is not dict or len(found) > most:
            raise Fault(f"{where}: must be an object of at most {most} things")
        for name, one in found.items():
            key(name, where)
            value(one, f"{where}.{shown(name)}")

    return check


def record(fields: Mapping[str, Shape]) -> Shape:
    """An object with exactly these keys."""

    def check(found: Any, where: str) -> None:
        if type(found) is not dict:
            raise Fault(f"{where}: must be an object")
        for name in found:
            if name not in fields:
                raise Fault(f"{where}: unknown field '{shown(name)}'")
        for name, shape in fields.items():
            if name not in found:
                raise Fault(f"{where}: '{name}' is missing")
            shape(found[name], f"{where}: {name}")

    return check
