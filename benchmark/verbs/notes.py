"""What is said beside a report: what was asked for and is not stored, and which report it replaces."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark import plan as planning
from benchmark.amount import amount
from benchmark.control import level_text
from benchmark.report.home import facts_of
from benchmark.results import Results, as_texts

if TYPE_CHECKING:
    from benchmark.plan import Plan
    from benchmark.store import Store

NAMES = ("", "level", "seed", "test set")
"""What the parts of a wanted cell are called; a method goes by its name alone."""


KINDS = ("preset", "backbone", "dataset", "method")
"""Columns of a report's table in which one report may have less than another."""


def absent(plan: Plan, store: Store) -> str:
    """Returns which cells of a plan are not stored, or an empty text.

    A method, level, seed or set that has none at all is named; what is missing beyond them is
    counted for each method.
    """
    there, gone = [], []
    for job in plan.sweeps.values():
        for (level, dial), _, cell in planning.cells(plan, job, store):
            crossed = "the level x dial matrix" if dial != level else ""
            one = (job.method, level_text(level), str(job.seed), job.dataset, crossed)
            (gone if cell is None else there).append(one)
    parts = []
    for at, name in enumerate((*NAMES, "")):
        have = {one[at] for one in there}
        lost = list(dict.fromkeys(one[at] for one in gone if one[at] not in have))
        gone = [one for one in gone if one[at] in have]
        if lost:
            word = f"{name}{'s' if len(lost) > 1 else ''} " if name else ""
            parts.append(f"{word}{', '.join(lost)}")
    left = Counter(method for method, *_ in gone)
    parts += [f"{amount(number, 'cell')} of {method}" for method, number in left.items()]
    return "; ".join(parts)


def replaced(folder: Path, results: Results) -> str:
    """Returns what to say of the report in a folder, if the one of these results leaves some out.

    That is one of another task, preset, backbone or test set, or with methods that the new one lacks;
    else an empty text.
    """
    try:
        with (folder / "table.csv").open(newline="", encoding="utf-8") as file:
            lines = list(csv.DictReader(file))
        before = {name: dict.fromkeys(one[name] for one in lines) for name in KINDS}
    except (OSError, ValueError, KeyError, csv.Error):
        return ""  # no report, or nothing that one has written
    about = facts_of(folder)
    tasks = {str(about["task"])} - {*results.rows["task"]} if about else set()
    kept = all({*values} <= {*as_texts(results.rows[name])} for name, values in before.items())
    if kept and not tasks:
        return ""
    methods = amount(len(before.pop("method")), "method")
    what = ", ".join([*tasks, *(", ".join(values) for values in before.values())])
    return f"this replaces the report of {what} with {methods}"
