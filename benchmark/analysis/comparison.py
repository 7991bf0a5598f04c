"""Tables of how sure a number is, and of which methods can be told apart."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmark.analysis.scores import NoValue, Run, Scores, in_order
from benchmark.analysis.statistics import (
    ONE_IMAGE,
    Comparison,
    interval,
    mean_and_deviation,
    paired,
    ranks,
)
from benchmark.metrics.records import METRICS

if TYPE_CHECKING:
    import pandas as pd

    from benchmark.tasks import Task

Found = dict[Run, dict[int, dict[str, Scores]]]
"""Output of ``scores.scores``: by run, seed and metric."""


def over_images(seeds: dict[int, Scores]) -> pd.DataFrame | None:
    """Returns level x image values, the mean over seeds, or None if any is missing."""
    try:
        parts = [one.matched() for _, one in sorted(seeds.items())]
    except NoValue:
        return None
    first = parts[0]
    if any(not one.axes[0].equals(first.axes[0]) for one in parts):
        return None
    if any(not one.axes[1].equals(first.axes[1]) for one in parts):
        return None
    return sum(parts[1:], first) / len(parts)


def stats_table(found: Found) -> pd.DataFrame:
    """Returns one line per run, level and metric: mean, deviation over seeds, interval over images.

    Args:
        found: Output of ``scores.scores``.
    """
    import pandas as pd

    lines = []
    for run, seeds in found.items():
        for metric in sorted({name for own in seeds.values() for name in own}):
            parts = {seed: own[metric] for seed, own in seeds.items() if metric in own}
            lines += _stats(run, metric, parts)
    columns = [*Run._fields, "level", "metric", "images", "seeds", "mean", "std", "low", "high"]
    return pd.DataFrame(lines, columns=[*columns, "reason"])


def _stats(run: Run, metric: str, seeds: dict[int, Scores]) -> list[dict]:
    import pandas as pd

    lines = []
    for level in in_order(level for one in seeds.values() for level in one.levels()):
        rows = [
            one.table.loc[(level, level)]
            for _, one in sorted(seeds.items())
            if (level, level) in one.table.index
        ]
        if not rows:
            continue
        values = pd.concat(rows, axis=1)
        line = {**run._asdict(), "level": level, "metric": metric}
        line |= {"images": len(values), "seeds": len(rows)}
        reason = next((one.reason for _, one in sorted(seeds.items()) if one.reason), "")
        if bool(values.isna().to_numpy().any()):
            line |= dict.fromkeys(("mean", "std", "low", "high"), math.nan)
            reason = reason or "not every image was scored with every seed"
        else:
            per_image = values.mean(axis=1).to_numpy()
            low, high = interval(per_image)
            mean, deviation = mean_and_deviation(values.mean(axis=0).tolist())
            line |= {"mean": mean, "std": deviation, "low": float(low), "high": float(high)}
            reason = "" if len(values) > 1 else ONE_IMAGE
        lines.append({**line, "reason": reason})
    return lines


def contestants(found: Found, dataset: str, metric: str) -> dict[Run, pd.DataFrame]:
    """Returns the level x image values of every run that is complete on a data set."""
    values = {}
    for run, seeds in found.items():
        parts = {seed: own[metric] for seed, own in seeds.items() if metric in own}
        if run.dataset == dataset and parts:
            table = over_images(parts)
            if table is not None:
                values[run] = table
    return values


def pairs_table(found: Found, task: Task) -> pd.DataFrame:
    """Returns one line per data set and pair of runs: how their headline metric differs.

    Each image counts with its mean over the levels that both runs have.
    """
    import pandas as pd

    lines = []
    for dataset in sorted({run.dataset for run in found}):
        values = contestants(found, dataset, task.headline)
        for one, other in itertools.combinations(values, 2):
            ours, theirs = values[one], values[other]
            levels = [level for level in ours.index if level in set(theirs.index)]
            if not levels or not ours.columns.equals(theirs.columns):
                continue
            result = paired(ours.loc[levels].mean(), theirs.loc[levels].mean())
            lines.append(
                {
                    "dataset": dataset,
                    **dict(zip(("method", "backbone", "preset"), one, strict=False)),
                    **dict(zip(("other", "other_backbone", "other_preset"), other, strict=False)),
                    "metric": task.headline,
                    "levels": len(levels),
                    "images": ours.shape[1],
                    **result._asdict(),
                    "tie": result.tie,
                }
            )
    columns = ["dataset", "method", "backbone", "preset", "other", "other_backbone"]
    columns += ["other_preset", "metric", "levels", "images", *Comparison._fields, "tie"]
    return pd.DataFrame(lines, columns=columns)


def ranking(found: Found, task: Task, contest: Sequence[Run]) -> dict[Run, tuple[int | None, str]]:
    """Returns the rank of every contestant on its data set, or None and the reason.

    Ranks are by the headline metric, averaged over all levels for every image.

    Args:
        found: Output of ``scores.scores``.
        task: The task.
        contest: The runs to rank; those of one data set compete.
    """
    placed: dict[Run, tuple[int | None, str]] = {}
    for dataset in sorted({run.dataset for run in contest}):
        own = [run for run in contest if run.dataset == dataset]
        values = {
            run: table
            for run, table in contestants(found, dataset, task.headline).items()
            if run in own
        }
        levels = in_order(level for table in values.values() for level in table.index)
        images = sorted({image for table in values.values() for image in table.columns})
        whole = {
            run: table.mean()
            for run, table in values.items()
            if list(table.index) == levels and list(table.columns) == images
        }
        for run in own:
            placed[run] = (None, "not every level and image was scored")
        if len(images) < 2:
            placed.update(dict.fromkeys(own, (None, ONE_IMAGE)))
        elif whole:
            order = ranks(whole, METRICS[task.headline].higher_is_better)
            placed.update({run: (rank, "") for run, rank in order.items()})
    return placed
