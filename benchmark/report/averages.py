"""From rows to one line per method, data set and level."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from benchmark.analysis.statistics import mean_and_deviation
from benchmark.control import level_key
from benchmark.report import words
from benchmark.report.series import Series, place
from benchmark.results import Results, as_texts

if TYPE_CHECKING:
    import pandas as pd

    from benchmark.tasks import Task

KEYS = ["method", "backbone", "preset", "dataset", "level"]
TIMES = ["ms_per_image", "switch_ms"]
COSTS = ["params_stored", "params_folded", "macs", *TIMES, "train_steps"]
"""Costs that are numbers; the other one is whether a method folds."""
DIGITS = 6
"""Decimals kept in table.csv."""


def matched(results: Results) -> pd.DataFrame:
    """Returns the rows whose dial was set to the true level.

    The others belong to the level x dial matrix. Keys are texts without nulls.
    """
    rows = results.rows
    keys = [*KEYS, "metric", "image", "level_physical", "set_level"]
    rows = rows.assign(**{key: as_texts(rows[key]) for key in keys})
    return rows.loc[(rows["set_level"] == rows["level"]) | (rows["set_level"] == "")]


def means(results: Results) -> pd.DataFrame:
    """Returns means: over the images of a seed first, then over seeds.

    A mean that lacks a part is null: numbers over different images are not comparable.

    Returns:
        One line per method, backbone, preset, data set, level and metric, with ``level_physical``,
        ``seeds`` and ``images`` (counts), ``mean``, ``std`` (over seeds, null for one seed) and
        ``reason`` (empty unless the mean is null).
    """
    import pandas as pd

    rows = matched(results)
    rows = rows.assign(
        value=pd.to_numeric(rows["value"], errors="coerce").where(rows["status"] == "ok"),
        reason=as_texts(rows["reason"]),
    )
    rows = rows.sort_values([*KEYS, "metric", "seed", "image"], kind="stable")
    cell = [*KEYS, "metric"]
    grouped = rows.groupby(cell, sort=True)
    lines = grouped.agg(level_physical=("level_physical", "first"), images=("image", "nunique"))
    per_seed: dict[tuple[str, ...], list[float]] = {}
    for (*key, _), mean in rows.groupby([*cell, "seed"], sort=True)["value"].mean().items():
        per_seed.setdefault(tuple(key), []).append(float(mean))
    missing: dict[tuple[str, ...], list[str]] = {}
    without = rows[rows["value"].isna()]
    for *key, reason in zip(*(without[name] for name in (*cell, "reason")), strict=True):
        missing.setdefault(tuple(key), []).append(reason)
        per_seed[tuple(key)] = [math.nan] * len(per_seed[tuple(key)])
    parts = [per_seed[key] for key in lines.index]
    lines.insert(1, "seeds", [len(values) for values in parts])
    over_seeds = [mean_and_deviation(values) for values in parts]
    lines["mean"] = [mean for mean, _ in over_seeds]
    lines["std"] = [deviation for _, deviation in over_seeds]
    sizes = zip(lines.index, grouped.size(), strict=True)
    lines["reason"] = [_why(missing.get(key, []), count) for key, count in sizes]
    return _in_order(lines.reset_index(), ["metric"])


def _why(reasons: list[str], scores: int) -> str:
    """Returns why there is no mean, from the reasons of the scores that are missing."""
    if not reasons:
        return ""
    reason = next(filter(None, reasons), "no reason was recorded")
    if len(reasons) == scores:
        return reason
    return f"{reason} ({len(reasons)} of {scores} scores, so there is no mean)"


def _in_order(lines: pd.DataFrame, more: list[str]) -> pd.DataFrame:
    """Sorts lines into table order: data set, method, level."""
    if lines.empty:
        return lines
    ranks = lines.assign(
        _place=[place(Series(*key)) for key in zip(*(lines[key] for key in KEYS[:3]), strict=True)],
        _level=lines["level"].map(level_key),
    )
    ranks = ranks.sort_values(["dataset", "_place", "_level", *more], kind="stable")
    return lines.loc[ranks.index].reset_index(drop=True)


def costs(results: Results) -> pd.DataFrame:
    """Returns costs per method, backbone and preset: counts, and run times averaged over seeds."""
    import pandas as pd

    lines = results.costs
    lines = lines.assign(
        **{key: as_texts(lines[key]) for key in KEYS[:3]},
        **{key: pd.to_numeric(lines[key], errors="coerce") for key in COSTS},
    )
    lines = lines.sort_values([*KEYS[:3], "seed"], kind="stable")
    grouped = lines.groupby(KEYS[:3], sort=True)
    merged = grouped[COSTS].mean()
    merged["folds"] = grouped["folds"].first()
    return merged.reset_index()


def metric_ids(results: Results, task: Task) -> list[str]:
    """Returns the task's metrics, then whatever else was scored."""
    extra = sorted(set(results.rows["metric"].dropna().map(str)) - set(task.metrics))
    return [*task.metrics, *extra]


def table(results: Results, task: Task) -> pd.DataFrame:
    """Returns one line per method, backbone, preset, data set and (true) level.

    Columns: the keys, ``level_physical``, ``seeds`` (how many), for every metric id its mean and
    ``<id>_std``, and the costs. Nulls stay null.
    """
    import pandas as pd

    long = means(results)
    ids = metric_ids(results, task)
    keys = [*KEYS, "level_physical"]
    lines = long.groupby(keys, sort=False, as_index=False)["seeds"].max()
    for metric in ids:
        one = long[long["metric"] == metric]
        one = one[[*keys, "mean", "std"]].rename(columns={"mean": metric, "std": f"{metric}_std"})
        lines = lines.merge(one, on=keys, how="left")
    lines = lines.merge(costs(results)[[*KEYS[:3], *COSTS, "folds"]], on=KEYS[:3], how="left")
    lines["folds"] = lines["folds"].map(words.yes_or_no)
    for column in COSTS:
        if column not in TIMES:
            lines[column] = pd.to_numeric(lines[column]).round().astype("Int64")
    values = [column for metric in ids for column in (metric, f"{metric}_std")]
    lines[[*values, *TIMES]] = lines[[*values, *TIMES]].astype(float).round(DIGITS)
    return lines
