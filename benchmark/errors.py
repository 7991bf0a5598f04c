"""The errors a user can meet; each message is one sentence: what is wrong, and what to do."""

from __future__ import annotations

import contextlib
import difflib
import re
import shlex
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

LONGEST = 300
"""Characters of what others wrote in an error that are shown."""


class UserError(Exception):
    """Bad usage or bad input. The command line prints the message and exits with 2."""


class JobError(Exception):
    """One job cannot produce its result (for example a NaN loss). It is recorded; other jobs go on."""


class LevelError(UserError, ValueError):
    """A level lies outside the control space, or has the wrong number of axes."""


@dataclass(frozen=True)
class Failure:
    """A training or sweep that gave no result; it is reported, never silent.

    Args:
        method: Canonical text of the method.
        backbone: Canonical text of the backbone.
        seed: The seed, or None if the failure does not depend on one.
        reason: One sentence.
        trace: The traceback, where an error was raised; two failures are the same without it.
    """

    method: str
    backbone: str
    seed: int | None
    reason: str
    trace: str = field(default="", compare=False, repr=False)

    def __str__(self) -> str:
        return f"{self.method}: {self.reason}"


def unknown(kind: str, name: str, choices: Iterable[str]) -> str:
    """Returns the message for a name that is not among the choices; it suggests the nearest."""
    choices = list(choices)
    near = difflib.get_close_matches(name, choices, n=1)
    hint = f" (did you mean '{near[0]}'?)" if near else ""
    return f"unknown {kind} '{name}'{hint}; choose from: {', '.join(choices)}"


def to_get(extra: str) -> str:
    """Returns what to do where what an extra of the project installs is missing.

    dialbench is on no index, so pip has to take it from its own folder. Where it was installed without
    one, what is missing is named itself.
    """
    import importlib.metadata

    required: list[str] = []
    if not in_own_folder():
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            required = importlib.metadata.requires("dialbench") or []
    found = [re.match(rf"""([^;\s]+)\s*;\s*extra == ["']{extra}["']$""", one) for one in required]
    named = [shlex.quote(one[1]) for one in found if one]
    if named:
        return f"run: pip install {' '.join(named)}"
    return f"in the folder of dialbench run: pip install -e '.[{extra}]'"


def not_installed(error: ModuleNotFoundError) -> str | None:
    """Returns what to do about a package that is not there; None if it is a module of our own."""
    package = (error.name or "").partition(".")[0]
    if package in ("", "benchmark", "baselines", "methods"):
        return None
    get = "run make setup in the folder of dialbench and take its .venv/bin/dialbench"
    if not in_own_folder():
        get = "install dialbench again, with all that it requires"
    return f"{sys.executable} does not have the package {package}, which this needs; {get}"


def in_own_folder() -> bool:
    """Whether this code lies in the project's own folder, with all that make needs."""
    return (Path(__file__).parents[1] / "pyproject.toml").is_file()


@contextlib.contextmanager
def utf8_names() -> Iterator[None]:
    """Refuses images, and folders of them, whose names are not UTF-8: digests and tables are.

    Raises:
        UserError: If such a name is met within.
    """
    try:
        yield
    except UnicodeEncodeError as error:
        name = error.object.partition("\n")[0]
        raise UserError(
            f"{name}: this name is not UTF-8, or the locale is not; rename it, or set LC_ALL=C.UTF-8"
        ) from None


def spelled(text: object) -> str:
    """Returns text as one line: what a terminal would act on, like line breaks, is spelled out."""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in str(text))


def one_line(error: BaseException) -> str:
    """Returns the kind of an error that others raised, and its message as one line."""
    text = " ".join(str(error).split()) or "no message"
    text = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
    return f"{type(error).__name__}: {text}"
