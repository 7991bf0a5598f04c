"""Timing things against each other on a noisy machine."""

from __future__ import annotations

import gc
import multiprocessing
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

ROUNDS = 5
"""Times that everything is measured; the median counts."""
SIZE = (321, 481)
"""Height and width of an image of CBSD68."""
PHOTOGRAPHS = ("coffee", "astronaut", "chelsea", "rocket")
"""Images of scikit-image."""


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    Args:
        name: What was measured.
        value: The figure.
        unit: Its unit; ``x`` for a ratio.
        limit: What it must not pass, or None if it is only told.
        at_least: Whether ``limit`` is a lower limit.
        note: What it is made of.
    """

    name: str
    value: float
    unit: str = "x"
    limit: float | None = None
    at_least: bool = False
    note: str = ""

    @property
    def verdict(self) -> str:
        """``ok``, ``MISSED``, or nothing where there is no limit."""
        if self.limit is None:
            return ""
        good = self.value >= self.limit if self.at_least else self.value <= self.limit
        return "ok" if good else "MISSED"


def seconds(run: Callable[[], object]) -> float:
    """Returns how long one call takes."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def rivals(runs: dict[str, Callable[[], object]], rounds: int = ROUNDS) -> dict[str, float]:
    """Returns the median seconds of each of several things, which take turns.

    Whatever slows the machine down for a while then slows all of them. Each runs once before, so
    that nothing is measured cold.
    """
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    gc.collect()
    for turn in range(rounds):
        names = list(runs) if turn % 2 == 0 else list(reversed(runs))
        for name in names:
            taken[name].append(seconds(runs[name]))
    return {name: statistics.median(times) for name, times in taken.items()}


@contextmanager
def elsewhere(
    make: Callable[..., Callable[[], object]], *given: Any
) -> Iterator[Callable[[], None]]:
    """Yields what ``make(*given)`` returns, to be called in a fresh process, as a user's script runs.

    That process has the memory allocator's defaults, which cannot be had back once they were changed.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, make, given), daemon=True)
    process.start()
    theirs.close()

    def run() -> None:
        ours.send(True)
        ours.recv()

    try:
        ours.recv()
        yield run
    finally:
        ours.close()
        process.join()


def _serve(pipe: Connection, make: Callable[..., Callable[[], object]], given: Any) -> None:
    run = make(*given)
    pipe.send(True)
    try:
        while pipe.recv():
            run()
            pipe.send(True)
    except EOFError:
        return
