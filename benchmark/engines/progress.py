"""Progress on the terminal: one live line per running job; plain lines when not a terminal."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TextIO

PLAIN_EVERY = 15
"""Seconds between two plain lines of one job."""


class Progress:
    """Shows what runs, what is done and what failed.

    Args:
        total: Number of jobs.
        stream: Where to write.
    """

    def __init__(self, total: int, stream: TextIO | None = None):
        self.total, self.done = total, 0
        self.stream = stream or sys.stderr
        self.live = self.stream.isatty()
        self.lines: dict[str, str] = {}
        self.began: dict[str, float] = {}
        self.told: dict[str, float] = {}
        self.drawn = 0

    def started(self, label: str) -> None:
        """Adds a running job."""
        self.lines[label] = label
        self.began[label] = self.told[label] = time.monotonic()
        self._draw()

    def update(self, label: str, text: str) -> None:
        """Shows how far a running job is."""
        self.lines[label] = f"{label}: {text}"
        if self.live:
            self._draw()
        elif time.monotonic() - self.told[label] >= PLAIN_EVERY:
            self.told[label] = time.monotonic()
            self._print(self.lines[label])

    def finished(self, label: str, failure: str | None = None) -> None:
        """Removes a job and leaves one line about it."""
        self.done += 1
        self.lines.pop(label, None)
        began = self.began.pop(label, None)
        took = "" if began is None else f" ({time.monotonic() - began:.0f} s)"
        outcome = f"failed: {failure}" if failure else f"done{took}"
        self._print(f"[{self.done}/{self.total}] {label} {outcome}")

    def note(self, text: str) -> None:
        """Leaves one line about the run as a whole."""
        self._print(text)

    def close(self) -> None:
        """Removes the live lines."""
        self.lines.clear()
        self._draw()

    def _print(self, text: str) -> None:
        self._erase()
        self.stream.write(text + "\n")
        self._draw()
        self.stream.flush()

    def _erase(self) -> None:
        if self.drawn:
            self.stream.write(f"\x1b[{self.drawn}A\x1b[J")
            self.drawn = 0

    def _draw(self) -> None:
        if not self.live:
            return
        self._erase()
        width = shutil.get_terminal_size().columns - 1
        for line in self.lines.values():
            self.stream.write(f"  {line}"[:width] + "\n")
        self.drawn = len(self.lines)
        self.stream.flush()
