"""The errors a user can meet; each message is one sentence: what is wrong, and what to do."""

import difflib
from collections.abc import Iterable

LONGEST = 300
"""Characters of what others wrote in an error that are shown."""


class UserError(Exception):
    """Bad usage or bad input. The command line prints the message and exits with 2."""


class JobError(Exception):
    """One job cannot produce its result (for example a NaN loss). It is recorded; other jobs go on."""


class LevelError(UserError, ValueError):
    """A level lies outside the control space, or has the wrong number of axes."""


def unknown(kind: str, name: str, choices: Iterable[str]) -> str:
    """Returns the message for a name that is not among the choices; it suggests the nearest."""
    choices = list(choices)
    near = difflib.get_close_matches(name, choices, n=1)
    hint = f" (did you mean '{near[0]}'?)" if near else ""
    return f"unknown {kind} '{name}'{hint}; choose from: {', '.join(choices)}"


def one_line(error: BaseException) -> str:
    """Returns the kind of an error that others raised, and its message as one line."""
    text = " ".join(str(error).split()) or "no message"
    text = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
    return f"{type(error).__name__}: {text}"
