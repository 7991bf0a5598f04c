"""What a board's page draws: the best entries, as the results that reports are made of.

Pictures are no part of entries. Where the store of this machine holds what the same weights gave,
which it does after the run that was handed in, they are shown.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark import tasks
from benchmark.analysis.scores import pictures
from benchmark.collect import collect
from benchmark.leaderboard import folder, loaded, rows
from benchmark.leaderboard.drawing import panels
from benchmark.leaderboard.standings import Group, Standing
from benchmark.results import Results

if TYPE_CHECKING:
    import pandas as pd

    from benchmark.store import Cell, Store


def results(groups: Sequence[Group], task: Path, store: Store | None = None) -> Results:
    """Returns all metrics of the entries that are drawn, one data set for each group.

    Args:
        groups: The groups of a board.
        task: The folder of the task.
        store: Where to look for pictures.

    Raises:
        Fault: If rows are not as they must be.
    """
    lines: list[dict[str, Any]] = []
    costs: list[dict[str, Any]] = []
    pictures = []
    for panel in panels(groups, floor=True):
        name = ", ".join(filter(None, (panel.name, panel.preset)))
        for one in panel.shown:
            _, blob = loaded.load(task / folder.ENTRIES / one.entry.id)
            lines += _rows(one, blob, name)
            costs += [_cost(one, seed) for seed in one.entry.layout.seeds]
        if store is not None:
            cells = list(_cells(panel.shown, task.name, store))
            pictures.append(collect(store, cells).pictures.assign(dataset=name))
    found = Results.of(lines, costs, [])
    return Results(found.rows, found.costs, _joined(pictures, found.pictures))


def _joined(parts: list[pd.DataFrame], none: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    parts = [part for part in parts if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else none


def _rows(one: Standing, blob: bytes, name: str) -> Iterator[dict[str, Any]]:
    entry = one.entry
    series = dict(zip(("method", "backbone", "preset"), entry.series, strict=True))
    for key, value in rows.by_key(blob, entry.layout).items():
        metric, dataset, seed, level, dial, image = key
        if dataset == one.question.dataset:
            yield {
                **series,
                "dataset": name,
                "seed": seed,
                "metric": metric,
                "level": level,
                "set_level": dial,
                "image": image,
                "value": value,
                "status": "ok",
            }


def _cost(one: Standing, seed: int) -> dict[str, Any]:
    facts = one.entry.facts
    # Times are left out: entries were timed on different machines.
    return {
        **{name: facts[name] for name in ("method", "backbone", "preset")},
        **{
            name: facts["cost"][name]
            for name in ("folds", "params_stored", "params_folded", "macs")
        },
        "seed": seed,
        "ms_per_image": math.nan,
        "train_steps": facts["budget"]["steps"],
    }


def _cells(drawn: Sequence[Standing], task: str, store: Store) -> Iterator[Cell]:
    """Yields the stored cells that the weights of entries gave on the images of their group."""
    wanted = {
        (*one.entry.series, seed, one.entry.facts["weights_sha256"][str(seed)]): one.question
        for one in drawn
        for seed in one.entry.layout.seeds
    }
    names = ("method", "backbone", "preset", "seed", "weights_sha256")
    judged = tasks.get(task)
    for cell in store.cells(task):
        facts = cell.facts
        question = wanted.get(tuple(facts[name] for name in names))
        if (
            question is not None
            and {*pictures([cell.pictures.get("image", "")], judged)} <= {*question.images}
            and facts["dataset"] == question.dataset
            and facts["level"] in question.levels
        ):
            yield cell
