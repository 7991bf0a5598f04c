"""Tables of how sure a number is, and of which methods can be told apart."""

from __future__ import annotations

import itertools
import math
from collections.abc import Container, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from benchmark.analysis.plane import won
from benchmark.analysis.scores import Found, NoValue, Run, Scores, harmed, in_order
from benchmark.analysis.statistics import (
    ONE_IMAGE,
    holm,
    interval,
    mean_and_deviation,
    paired,
    ranks,
)
from benchmark.metrics.records import METRICS

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from benchmark.tasks import Task


class Table(NamedTuple):
    """The values of a run, (levels, images), with the dial at the true level; mean over seeds."""

    levels: tuple[str, ...]
    images: tuple[str, ...]
    values: np.ndarray

    def over(self, levels: Sequence[str]) -> np.ndarray:
        """Returns the mean over some levels for every image."""
        return self.values[[self.levels.index(level) for level in levels]].mean(axis=0)

    def judged(self, task: Task, levels: Sequence[str]) -> np.ndarray:
        """Returns what a task judges every image by: its mean over some levels.

        On pairs of images, whose level nobody knows, it is the value at the level of best mean.
        """
        if not task.protocol.pairs:
            return self.over(levels)
        means = self.values.mean(axis=1)
        higher = METRICS[task.headline].higher_is_better
        return self.values[int(means.argmax() if higher else means.argmin())]


def over_seeds(parts: Sequence[Scores]) -> Table | None:
    """Returns the mean over seeds, or None if they differ in levels or images, or lack a value."""
    first = parts[0]
    if any((one.levels(), one.images) != (first.levels(), first.images) for one in parts):
        return None
    try:
        values = sum(one.matched() for one in parts) / len(parts)
    except NoValue:
        return None
    return Table(tuple(first.levels()), first.images, values)


def level_means(found: Found, metric: str) -> dict[Run, dict[str, float]]:
    """Returns the mean over images and seeds at every level; runs that lack a score are left out."""
    means = {}
    for run, seeds in found.items():
        parts = [own[metric] for _, own in sorted(seeds.items()) if metric in own]
        table = over_seeds(parts) if parts else None
        if table is not None:
            means[run] = dict(zip(table.levels, table.values.mean(axis=1).tolist(), strict=True))
    return means


def unscored(found: Found, metric: str, means: Container[Run]) -> dict[Run, str]:
    """Returns why runs that ``level_means`` left out have no means."""
    return {
        run: next(
            (own[metric].reason for own in seeds.values() if metric in own and own[metric].reason),
            "not every level and image was scored with every seed",
        )
        for run, seeds in found.items()
        if run not in means
    }


def stats_table(found: Found) -> pd.DataFrame:
    """Returns one line per run, level and metric: mean, deviation over seeds, interval over images.

    Args:
        found: Output of ``scores.scores``.
    """
    import pandas as pd

    lines = []
    for run, seeds in found.items():
        for metric in sorted({name for own in seeds.values() for name in own}):
            parts = [own[metric] for _, own in sorted(seeds.items()) if metric in own]
            lines += _stats(run, metric, parts)
    columns = [*Run._fields, "level", "metric", "images", "seeds", "mean", "std", "low", "high"]
    return pd.DataFrame(lines, columns=[*columns, "reason"])


def _stats(run: Run, metric: str, seeds: Sequence[Scores]) -> list[dict]:
    import numpy as np

    lines = []
    reason = next((one.reason for one in seeds if one.reason), "")
    for level in in_order(level for one in seeds for level in one.levels()):
        own = [one for one in seeds if (level, level) in one.cells]
        line = {**run._asdict(), "level": level, "metric": metric}
        line |= {"images": len({name for one in own for name in one.images}), "seeds": len(own)}
        values = np.array([one.cells[level, level] for one in own if one.images == own[0].images])
        if len(values) < len(own) or np.isnan(values).any():
            line |= dict.fromkeys(("mean", "std", "low", "high"), math.nan)
            line["reason"] = reason or "not every image was scored with every seed"
        else:
            low, high = interval(values.mean(axis=0))
            mean, deviation = mean_and_deviation(values.mean(axis=1).tolist())
            line |= {"mean": mean, "std": deviation, "low": float(low), "high": float(high)}
            line["reason"] = "" if line["images"] > 1 else ONE_IMAGE
        lines.append(line)
    return lines


def contestants(found: Found, dataset: str, metric: str) -> dict[Run, Table]:
    """Returns the values of every run that is complete on a data set."""
    tables = {}
    for run, seeds in found.items():
        parts = [own[metric] for _, own in sorted(seeds.items()) if metric in own]
        table = over_seeds(parts) if run.dataset == dataset and parts else None
        if table is not None:
            tables[run] = table
    return tables


def counted(found: Found, task: Task) -> Found:
    """Returns scores without those of harmless levels (``scores.harmed``)."""
    return {
        run: {seed: harmed(own, task) for seed, own in seeds.items()}
        for run, seeds in found.items()
    }


def pairs_table(found: Found, task: Task) -> pd.DataFrame:
    """Returns one line per data set and pair of runs: how their headline metric differs.

    Each image counts with its mean over the levels that both runs have, but for harmless ones; on
    pairs of images, with its value at the level that is best for the run. Values are averaged over
    seeds, so ``p_value`` holds no variation over seeds; ``p_holm`` is corrected for all pairs of the
    data set, and ``seeds_agree`` is the share of seeds that order the two as their mean does.
    """
    import pandas as pd

    found, lines = counted(found, task), []
    for dataset in sorted({run.dataset for run in found}):
        values = contestants(found, dataset, task.headline)
        own = []
        for one, other in itertools.combinations(values, 2):
            ours, theirs = values[one], values[other]
            levels = [level for level in ours.levels if level in theirs.levels]
            if not levels or ours.images != theirs.images:
                continue
            result = paired(ours.judged(task, levels), theirs.judged(task, levels))
            own.append(
                {
                    "dataset": dataset,
                    **dict(zip(("method", "backbone", "preset"), one, strict=False)),
                    **dict(zip(("other", "other_backbone", "other_preset"), other, strict=False)),
                    "metric": task.headline,
                    "levels": len(levels),
                    "images": len(ours.images),
                    **result._asdict(),
                    "seeds_agree": _agreement(
                        found[one], found[other], task, levels, result.difference
                    ),
                    "reason": _reasons(result.reason, found[one], found[other], task),
                    "tie": result.tie,
                }
            )
        corrected = holm([line["p_value"] for line in own])
        lines += [{**line, "p_holm": p} for line, p in zip(own, corrected, strict=True)]
    columns = ["dataset", "method", "backbone", "preset", "other", "other_backbone"]
    columns += ["other_preset", "metric", "levels", "images", "difference", "low", "high"]
    columns += ["p_value", "p_holm", "seeds_agree", "reason", "tie"]
    return pd.DataFrame(lines, columns=columns)


def _reasons(
    reason: str,
    ours: Mapping[int, Mapping[str, Scores]],
    theirs: Mapping[int, Mapping[str, Scores]],
    task: Task,
) -> str:
    """Returns why values of a comparison are missing, seeds that differ among the reasons."""
    one, other = (
        {seed for seed, own in run.items() if task.headline in own} for run in (ours, theirs)
    )
    apart = "" if one == other else "they were not scored with the same seeds"
    return "; ".join(filter(None, (reason, apart)))


def _agreement(
    ours: Mapping[int, Mapping[str, Scores]],
    theirs: Mapping[int, Mapping[str, Scores]],
    task: Task,
    levels: Sequence[str],
    difference: float,
) -> float:
    """Returns the share of seeds whose mean difference has the sign of that of their mean.

    NaN with one seed, where seeds are not the same, and without a difference.
    """
    one, other = (
        {
            seed: over_seeds([own[task.headline]])
            for seed, own in run.items()
            if task.headline in own
        }
        for run in (ours, theirs)
    )
    if len(one) < 2 or one.keys() != other.keys() or not difference:
        return math.nan
    same = [
        (one[seed].judged(task, levels) - other[seed].judged(task, levels)).mean() * difference > 0
        for seed in one
    ]
    return sum(same) / len(same)


def ranking(found: Found, task: Task, contest: Sequence[Run]) -> dict[Run, tuple[int | None, str]]:
    """Returns the rank of every contestant on its data set, or None and the reason.

    Ranks are by the headline metric, averaged over all levels for every image, or by the area won in
    the plane where the task has one; on pairs of images, whose level nobody knows, at the level that is
    best for the run. Harmless levels do not count.

    Args:
        found: Output of ``scores.scores``.
        task: The task.
        contest: The runs to rank; those of one data set compete.
    """
    placed: dict[Run, tuple[int | None, str]] = {}
    for dataset in sorted({run.dataset for run in contest}):
        own = [run for run in contest if run.dataset == dataset]
        values, reasons = merits(found, task, own)
        order = ranks(values, upwards(task))
        placed.update({run: (order.get(run), reasons.get(run, "")) for run in own})
    return placed


def upwards(task: Task) -> bool:
    """Whether more of what ranks the methods of a task (see ``merits``) is better."""
    return bool(task.perception) or METRICS[task.headline].higher_is_better


def merits(
    found: Found, task: Task, contest: Sequence[Run]
) -> tuple[dict[Run, np.ndarray], dict[Run, str]]:
    """Returns what every image is worth by which ``ranking`` ranks, and why other runs have nothing.

    Args:
        found: Output of ``scores.scores``.
        task: The task.
        contest: Runs of one data set.
    """
    found, dataset = counted(found, task), contest[0].dataset
    tables = contestants(found, dataset, task.headline)
    values = {run: table for run, table in tables.items() if run in contest}
    levels = in_order(level for table in values.values() for level in table.levels)
    images = {image for table in values.values() for image in table.images}
    whole = {
        run: table
        for run, table in values.items()
        if list(table.levels) == levels and set(table.images) == images
    }
    reasons = dict.fromkeys(contest, "not every level and image was scored")
    if len(images) == 1:
        return {}, dict.fromkeys(contest, ONE_IMAGE)
    if task.perception:
        other = contestants(found, dataset, task.perception)
        worth, reason = _areas(whole, tables, other, task)
        reasons.update(dict.fromkeys(whole, reason))
    else:
        worth = {run: table.judged(task, levels) for run, table in whole.items()}
    return worth, {run: reason for run, reason in reasons.items() if run not in worth}


def _areas(
    whole: dict[Run, Table], tables: dict[Run, Table], other: dict[Run, Table], task: Task
) -> tuple[dict[Run, np.ndarray], str]:
    """Returns the area that runs win on every image, and why others have none.

    Args:
        whole: The headline metric of the runs to rank, all of one data set.
        tables: The headline metric of all runs on it.
        other: The perception metric of all runs on it.
        task: A task that has one.
    """
    metric = METRICS[task.perception].label
    floors = [run for run in tables if run.family == "floor"]
    if not floors:
        return {}, "it is the area won over the floor, which was not scored; add the method 'floor'"
    lacking = f"it is an area in the plane of two metrics, and {metric} is missing"
    floor = floors[0]
    if floor not in other:
        return {}, lacking
    merits = {
        run: won(
            task, (table.values, other[run].values), (tables[floor].values, other[floor].values)
        )
        for run, table in whole.items()
        if run in other and (other[run].levels, other[run].images) == (table.levels, table.images)
        if table.images == tables[floor].images == other[floor].images
    }
    return merits, lacking
