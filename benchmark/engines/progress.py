"""Progress on the terminal: one live line per running job; plain lines when not a terminal."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TextIO

PLAIN_EVERY = 15
"""Seconds between two plain lines of one job, at the least."""

PLAIN_GAP = 1
"""Seconds between two plain lines of any jobs that run."""

DRAW_EVERY = 0.2
"""Seconds between two drawings of the live lines, where a job only says how far it is."""


class Progress:
    """Shows what runs, what is done and what failed.

    Args:
        total: Number of jobs.
        stream: Where to write. When it is gone, as a terminal that closes, nothing is shown any more.
    """

    def __init__(self, total: int, stream: TextIO | None = None):
        self.total, self.done = total, 0
        self.stream: TextIO | None = stream or sys.stderr
        self.live = self.stream.isatty()
        self.lines: dict[str, str] = {}
        self.began: dict[str, float] = {}
        self.told: dict[str, float] = {}
        self.drawn = 0
        self.drawn_at = self.told_at = float("-inf")

    def started(self, label: str) -> None:
        """Adds a running job."""
        self.lines[label] = label
        self.began[label] = self.told[label] = time.monotonic()
        if self._due() or len(self.lines) <= _room():
            self._draw()

    def update(self, label: str, text: str) -> None:
        """Shows how far a running job is."""
        self.lines[label] = f"{label}: {text}"
        now = time.monotonic()
        if self.live:
            if self._due():
                self._draw()
            return
        # So all have their turn, however many run.
        quiet = max(PLAIN_EVERY, PLAIN_GAP * len(self.lines))
        if now - self.told[label] >= quiet and now - self.told_at >= PLAIN_GAP:
            self.told[label] = self.told_at = now
            self._write(self.lines[label] + "\n")

    def finished(self, label: str, failure: str | None = None) -> None:
        """Removes a job and leaves one line about it."""
        self.done += 1
        self.lines.pop(label, None)
        began = self.began.pop(label, None)
        took = "" if began is None else f" ({time.monotonic() - began:.0f} s)"
        outcome = f"failed: {failure}" if failure else f"done{took}"
        self._write(f"{self._erased()}[{self.done}/{self.total}] {label} {outcome}\n")
        self._draw()

    def note(self, text: str) -> None:
        """Leaves one line about the run as a whole."""
        self._write(f"{self._erased()}{text}\n")
        self._draw()

    def close(self) -> None:
        """Removes the live lines."""
        self.lines.clear()
        self._write(self._erased())

    def _due(self) -> bool:
        """Whether the last drawing was not a moment ago."""
        return time.monotonic() - self.drawn_at >= DRAW_EVERY

    def _draw(self) -> None:
        if not self.live:
            return
        width, room = shutil.get_terminal_size().columns, _room()
        shown = [f"  {line}" for line in self.lines.values()]
        if len(shown) > room:
            shown[room - 1 :] = [f"  ... and {len(shown) - room + 1} more"]
        self._write(self._erased() + "".join(line[: width - 1] + "\n" for line in shown))
        self.drawn, self.drawn_at = len(shown), time.monotonic()

    def _erased(self) -> str:
        """Returns what takes the live lines off the screen."""
        up, self.drawn = self.drawn, 0
        return f"\x1b[{up}A\x1b[J" if up else ""

    def _write(self, text: str) -> None:
        if self.stream is None or not text:
            return
        try:
            self.stream.write(text)
            self.stream.flush()
        except OSError:
            # Work goes on: what a terminal that closes is to end gets a signal.
            self.stream = None


def _room() -> int:
    """Returns how many live lines fit the screen."""
    # The way back up ends at the top of the screen, where the cursor has a line of its own.
    return max(1, shutil.get_terminal_size().lines - 2)
