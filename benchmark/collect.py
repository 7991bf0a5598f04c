"""From stored cells to the tidy tables of a report. This module imports no torch."""

from __future__ import annotations

import dataclasses
import itertools
import math
import statistics
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from benchmark import collector
from benchmark.errors import Failure
from benchmark.results import CLEAN, INPUT, MAP, ROW_COLUMNS, TARGET, Results
from benchmark.store import LATER, Cell, Row, Store

if TYPE_CHECKING:
    import pandas as pd

RUN = ("method", "backbone", "preset", "seed")
"""Columns that identify one trained method."""


def collect(store: Store, cells: Sequence[Cell], failures: Iterable[Failure] = ()) -> Results:
    """Returns cells as tables, in the order of the cells and so always the same.

    Args:
        store: Where the pictures are.
        cells: The cells of one task, in the order to report them.
        failures: What gave no result; repeated ones are listed once.
    """
    groups: dict[tuple[Any, ...], list[Cell]] = {}
    for cell in cells:
        groups.setdefault(tuple(cell.facts[name] for name in RUN), []).append(cell)
    costs = [
        {
            **dict(zip(RUN, run, strict=True)),
            **group[-1].cost,
            **{name: _typical(group, name) for name in ("ms_per_image", "switch_ms")},
        }
        for run, group in groups.items()
    ]
    with collector.paused():
        found = Results.of([], costs, _pictures(store, cells), tuple(dict.fromkeys(failures)))
        return dataclasses.replace(found, rows=_rows(cells)) if cells else found


def _rows(cells: Sequence[Cell]) -> pd.DataFrame:
    """Returns all rows, column by column; texts, of which few differ, are categories.

    One dictionary for each row, or one text for each value, would take gigabytes.
    """
    import numpy as np
    import pandas as pd

    cells = [part for cell in cells for part in _by_origin(cell)]
    facts = pd.DataFrame([cell.facts for cell in cells])
    index = np.repeat(np.arange(len(cells)), [len(cell.rows) for cell in cells])
    own = zip(*(row for cell in cells for row in cell.rows), strict=True)
    values: dict[str, Sequence[Any]] = dict(zip(Row._fields, own, strict=True))
    columns: dict[str, Any] = {
        name: pd.Categorical(values[name]) for name in Row._fields if name != "value"
    }
    columns["value"] = np.array(
        [math.nan if value is None else value for value in values["value"]], dtype="float64"
    )
    for name, column in facts.items():
        text = not pd.api.types.is_numeric_dtype(column)
        columns[str(name)] = (column.astype("category") if text else column).array.take(index)
    return pd.DataFrame({name: columns.get(name) for name in ROW_COLUMNS}, copy=False)


def _by_origin(cell: Cell) -> Iterator[Cell]:
    """Yields a cell in parts whose rows were made together; metrics may have been added later."""
    if LATER not in cell.facts:
        yield cell
        return
    facts = dict(cell.facts)
    later = facts.pop(LATER)
    for own, rows in itertools.groupby(cell.rows, lambda row: later.get(row.metric, {})):
        yield dataclasses.replace(cell, facts={**facts, **own}, rows=tuple(rows))


def _typical(cells: Sequence[Cell], name: str) -> float:
    """Returns the median of milliseconds, or NaN if nothing was timed."""
    times = [one.cost.get(name) for one in cells]
    times = [one for one in times if one is not None]
    return statistics.median(times) if times else math.nan


def _pictures(store: Store, cells: Iterable[Cell]) -> list[dict[str, Any]]:
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for cell in cells:
        facts, files = cell.facts, cell.pictures
        if not files:
            continue
        roles = {
            "restored": facts["method"],
            "input": INPUT,
            "clean": CLEAN,
            "target": TARGET,
            "map": MAP,
        }
        for kind, method in roles.items():
            if kind not in files:
                continue
            own = kind == "restored"
            record = {
                "method": method,
                "backbone": facts["backbone"] if own else "",
                "preset": facts["preset"] if own else "",
                "seed": facts["seed"] if own else 0,
                "dataset": facts["dataset"],
                "image": files["image"],
                "level": "" if kind == "clean" else facts["level"],
            }
            path = str(store.picture_path(facts["task"], files[kind]))
            single = ""
            if own and "single" in files:
                single = str(store.picture_path(facts["task"], files["single"]))
            key = tuple(record.values())
            found.setdefault(key, {**record, "path": path, "single": single})
    return list(found.values())
