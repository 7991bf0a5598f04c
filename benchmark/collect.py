"""From stored cells to the tidy tables of a report. This module imports no torch."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from benchmark.report.results import CLEAN, INPUT, TARGET, Failure, Results
from benchmark.store import Cell, Store

RUN = ("method", "backbone", "preset", "seed")
"""Columns that identify one trained method."""


def collect(store: Store, cells: Sequence[Cell], failures: Iterable[Failure] = ()) -> Results:
    """Returns cells as tables, in the order of the cells and so always the same.

    Args:
        store: Where the pictures are.
        cells: The cells of one task, in the order to report them.
        failures: What gave no result; repeated ones are listed once.
    """
    rows = [
        {
            **cell.facts,
            **row,
            "value": math.nan if row["value"] is None else row["value"],
        }
        for cell in cells
        for row in cell.rows
    ]
    groups: dict[tuple[Any, ...], list[Cell]] = {}
    for cell in cells:
        groups.setdefault(tuple(cell.facts[name] for name in RUN), []).append(cell)
    costs = [
        {**dict(zip(RUN, run, strict=True)), **group[-1].cost, "ms_per_image": _typical(group)}
        for run, group in groups.items()
    ]
    return Results.of(rows, costs, _pictures(store, cells), tuple(dict.fromkeys(failures)))


def _typical(cells: Sequence[Cell]) -> float:
    """Returns the median milliseconds per image, or NaN if nothing was timed."""
    times = [one.cost["ms_per_image"] for one in cells if one.cost["ms_per_image"] is not None]
    return statistics.median(times) if times else math.nan


def _pictures(store: Store, cells: Iterable[Cell]) -> list[dict[str, Any]]:
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for cell in cells:
        facts, files = cell.facts, cell.pictures
        if not files:
            continue
        roles = {"restored": facts["method"], "input": INPUT, "clean": CLEAN, "target": TARGET}
        for kind, method in roles.items():
            if kind not in files:
                continue
            own = kind == "restored"
            record = {
                "method": method,
                "backbone": facts["backbone"] if own else "",
                "seed": facts["seed"] if own else 0,
                "dataset": facts["dataset"],
                "image": files["image"],
                "level": "" if kind == "clean" else facts["level"],
                "path": str(store.picture_path(facts["task"], files[kind])),
            }
            key = tuple(value for name, value in record.items() if name != "path")
            found.setdefault(key, record)
    return list(found.values())
