"""``python -m benchmark.perf [SUITE ...]`` prints the table and keeps its history as CSV."""

from __future__ import annotations

import argparse
import csv
import importlib
import platform
import sys
from pathlib import Path

from benchmark.engines.local import cores, threads_each
from benchmark.engines.process import settle
from benchmark.errors import unknown
from benchmark.perf.measure import Figure
from benchmark.store import Store, now

SUITES = ("forward", "scoring", "sweeping", "training", "campaign", "boards", "gpu")
COLUMNS = ("utc", "machine", "cores", "suite", "name", "value", "unit", "limit", "verdict", "note")


def main() -> int:
    """Runs the suites and returns 1 if a limit was missed."""
    options = argparse.ArgumentParser(prog="python -m benchmark.perf", description=__doc__)
    options.add_argument("suites", nargs="*", metavar="SUITE", help=", ".join(SUITES))
    chosen = options.parse_args().suites or SUITES
    for name in chosen:
        if name not in SUITES:
            options.error(unknown("suite", name, SUITES))
    settle(threads_each(1))
    history = Store().home / "perf" / "history.csv"
    missed = 0
    for name in chosen:
        print(f"\n{name}", flush=True)
        measured = 0
        for figure in importlib.import_module(f"benchmark.perf.{name}").figures():
            print(told(figure), flush=True)
            keep(history, name, figure)
            missed += figure.verdict == "MISSED"
            measured += 1
        if not measured:
            print("  nothing to measure on this machine")
    print(f"\nhistory: {history}")
    return 1 if missed else 0


def told(figure: Figure) -> str:
    """Returns a figure as one line of the table."""
    sign = ">=" if figure.at_least else "<="
    limit = "" if figure.limit is None else f"{sign} {figure.limit:g}"
    line = (
        f"  {figure.name:<52} {figure.value:>9.3f} {figure.unit:<8} {limit:<9} {figure.verdict:<7}"
    )
    return f"{line} {figure.note}".rstrip()


def keep(history: Path, suite: str, figure: Figure) -> None:
    """Adds a figure to the history."""
    history.parent.mkdir(parents=True, exist_ok=True)
    fresh = not history.exists()
    with open(history, "a", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        if fresh:
            table.writerow(COLUMNS)
        table.writerow(
            [now(), platform.machine(), cores(), suite, figure.name, f"{figure.value:.6g}"]
            + [figure.unit, "" if figure.limit is None else figure.limit, figure.verdict]
            + [figure.note]
        )


if __name__ == "__main__":
    sys.exit(main())
