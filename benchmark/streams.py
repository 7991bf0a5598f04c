"""Where a command writes: a terminal, a file on a disk that is full, a pipe that nobody reads on."""

from __future__ import annotations

import contextlib
import io
import os
import sys


def prepare() -> None:
    """Lets both streams take every text: where one has no such character, its number must do."""
    for stream in (sys.stdout, sys.stderr):
        usual = isinstance(stream, io.TextIOWrapper) and not stream.closed
        if usual and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


def say(text: str) -> None:
    """Prints a line beside the output, if there is anywhere to print it."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr)


def finish() -> None:
    """Writes what waits to be written.

    Raises:
        OSError: If it cannot be. It is dropped: Python would try again at the very end, and say so in
            words of its own and with an exit code of its own.
    """
    for stream in (sys.stdout, sys.stderr):
        # A stream that was closed before the start is None.
        if stream is None or stream.closed:
            continue
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            raise
