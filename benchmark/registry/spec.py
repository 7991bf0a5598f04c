"""Specification strings: a name with options, such as ``ftn:groups=4`` or ``small:width=32:blocks=8``.

This module imports no torch.
"""

from __future__ import annotations

import ast
import inspect
from dataclasses import dataclass, field

from benchmark.errors import UserError

Value = int | float | bool | str


@dataclass(frozen=True)
class Spec:
    """A method or backbone with its constructor options; ``str`` gives the canonical text."""

    name: str
    options: dict[str, Value] = field(default_factory=dict)

    def __str__(self) -> str:
        parts = [f"{key}={_text(self.options[key])}" for key in sorted(self.options)]
        return ":".join([self.name, *parts])


def parse(text: str) -> Spec:
    """Parses ``name`` or ``name:key=value:key=value``.

    Raises:
        UserError: If the text has another form or gives a key twice.
    """
    name, *parts = text.strip().split(":")
    options: dict[str, Value] = {}
    for part in parts:
        key, equals, value = part.partition("=")
        if not equals or not key.isidentifier() or key in options:
            raise UserError(f"'{text}' is not a specification; write name:key=value:key=value")
        options[key] = _value(value)
    if not name:
        raise UserError(f"'{text}' names nothing; write name or name:key=value")
    return Spec(name, options)


def plain(text: str, kind: type) -> str:
    """Returns the one text of a specification, without options that say what goes without saying.

    Args:
        text: A specification that can be constructed.
        kind: The class that it is of.
    """
    spec, accepted = parse(text), inspect.signature(kind).parameters
    said = {key: value for key, value in spec.options.items() if accepted[key].default != value}
    return str(Spec(spec.name, said))


def _value(text: str) -> Value:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return text
    return value if isinstance(value, int | float | str) else text


def _text(value: Value) -> str:
    if isinstance(value, str):
        return value if _value(value) == value else repr(value)
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)
