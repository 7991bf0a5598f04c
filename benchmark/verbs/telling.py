"""What commands that take a request say: what a run is of, its headline, what failed, where files are."""

from __future__ import annotations

import argparse
import os
import sys
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.errors import Failure, UserError, spelled
from benchmark.store import Store

if TYPE_CHECKING:
    from benchmark.plan import Plan
    from benchmark.planning.request import Request
    from benchmark.results import Results


def title(args: argparse.Namespace, request: Request) -> str:
    """Returns what a run is of, in one line that needs nothing heavy."""
    if getattr(args, "entry", None):
        return f"{request.task}: {', '.join(one.resolve().name for one in args.entry)}"
    methods = ", ".join(one.method for one in request.methods)
    seeds = f"{'seeds' if len(request.seeds) > 1 else 'seed'} {', '.join(map(str, request.seeds))}"
    preset = ":".join([args.preset, *args.set])
    return f"{request.task}, preset {preset}, backbone {request.backbone}, {seeds}: {methods}"


def note(text: object) -> None:
    """Prints what is worth knowing beside the results."""
    print(f"note: {spelled(text)}", file=sys.stderr, flush=True)


def headline(results: Results, plan: Plan) -> str:
    """Returns the headline metric as text: one line per method, one column per level."""
    from benchmark import report
    from benchmark.metrics import records

    task = plan.task
    metric = records.get(task.headline)
    table = report.table(results, task)
    lines = []
    for dataset, part in table.groupby("dataset", sort=False):
        levels = list(dict.fromkeys(part["level"]))
        lines.append(f"{metric.label} on {dataset}, by level")
        rows = [["", *levels]]
        for method, own in part.groupby("method", sort=False):
            values = dict(zip(own["level"], own[task.headline], strict=True))
            found = (values.get(level) for level in levels)
            texts = (
                "-" if one is None or one != one else f"{one:.{metric.digits}f}" for one in found
            )
            rows.append([method, *texts])
        lines += aligned(rows)
    return "\n".join(lines)


def written(lines: Iterable[tuple[str, bool]]) -> int:
    """Prints lines about what was written, those of failures to the error stream; returns the exit code."""
    failed = 0
    for line, good in lines:
        print(line, file=sys.stdout if good else sys.stderr)
        failed += not good
    return int(failed > 0)


def aligned(rows: list[list[str]], left: int = 1) -> list[str]:
    """Returns rows as lines whose columns are as wide as their longest text.

    Args:
        rows: The texts of each row.
        left: How many columns are aligned to the left: names; numbers are to the right.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    sides = [str.ljust] * left + [str.rjust] * (len(widths) - left)
    return [
        "  ".join(side(text, width) for side, text, width in zip(sides, row, widths, strict=True))
        for row in rows
    ]


def debugs(args: argparse.Namespace) -> bool:
    """Whether tracebacks are wanted."""
    return getattr(args, "debug", False)


def outcome(plan: Plan, store: Store, failed: dict[str, str], debug: bool) -> int:
    """Prints what was left out and what failed, and returns the exit code.

    Args:
        plan: What was planned.
        store: Where failures of jobs are recorded.
        failed: Why jobs failed, by key.
        debug: Whether the tracebacks are printed too.
    """
    for one in dict.fromkeys(plan.skipped):
        note(one)
    from benchmark.planning.jobs import failure_of

    failures, jobs = list(plan.failures), {**plan.trains, **plan.sweeps}
    for key, reason in failed.items():
        # A disk that is full has no record of it.
        failures.append(store.read_failure(key) or failure_of(jobs[key], reason))
    if not failures:
        return 0
    print("failed:" if debug else "failed (--debug shows where):", file=sys.stderr)
    for reason in dict.fromkeys(one.reason for one in failures):
        alike = [one for one in failures if one.reason == reason]
        names = dict.fromkeys(one.method for one in alike)
        print(f"  {', '.join(names)}: {reason}", file=sys.stderr)
        traces(alike, debug)
    return 1


def traces(failures: Sequence[Failure], debug: bool) -> None:
    """Prints the tracebacks of failures, each once, if they are wanted."""
    for trace in dict.fromkeys(one.trace for one in failures if debug and one.trace):
        print(textwrap.indent(trace, "    "), file=sys.stderr)


def shown(path: Path) -> str:
    """Returns a path as one line, as short as it can be from the working folder."""
    here = Path.cwd()
    return spelled(path.relative_to(here) if path.is_relative_to(here) else path)


def into(folder: Path) -> Path:
    """Returns a folder that is there or can be made; refused before anything is computed for it."""
    there = next(one for one in (folder, *folder.absolute().parents) if os.path.lexists(one))
    if not there.is_dir():
        raise UserError(f"{there} is no folder; name another with --to")
    return folder
