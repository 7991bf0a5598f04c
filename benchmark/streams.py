"""Where a command writes: a terminal, a file on a disk that is full, a pipe that nobody reads on."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import TextIO


def prepare() -> None:
    """Lets both streams take every text: where one has no such character, its number must do."""
    for stream in (sys.stdout, sys.stderr):
        usual = isinstance(stream, io.TextIOWrapper) and not stream.closed
        if usual and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


def say(text: str) -> None:
    """Prints a line beside the output, if there is anywhere to print it."""
    # One that was closed before the start is None, in whose place print would take the output.
    if sys.stderr is None or _closed(sys.stderr):
        return
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr)


def finish() -> None:
    """Writes what waits to be written.

    Raises:
        OSError: If it cannot be. In the process's own streams it is dropped: Python would try again
            at the very end, and say so in words of its own and with an exit code of its own.
    """
    for stream, own in ((sys.stdout, sys.__stdout__), (sys.stderr, sys.__stderr__)):
        # What a caller put in the place of a stream may take text and no more.
        if not hasattr(stream, "flush") or _closed(stream):
            continue
        try:
            stream.flush()
        except OSError:
            if stream is own:
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            raise


def _closed(stream: TextIO) -> bool:
    return getattr(stream, "closed", False)
