"""The data of the page's interactive curves: plain values that only have to be drawn."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from benchmark.analysis.field import field_intervals
from benchmark.analysis.scores import Found, Run
from benchmark.control import level_key
from benchmark.metrics.records import METRICS
from benchmark.report import marks, words
from benchmark.report.curves import best, gaps, lines_of, pair, scored_metrics, series_of
from benchmark.report.series import Series, labels
from benchmark.report.style import Style, styles
from benchmark.report.summary import COST_COLUMNS
from benchmark.report.ticks import along, beside, places, strokes

if TYPE_CHECKING:
    import pandas as pd

    from benchmark.tasks import Task

DIGITS = 6
"""Decimals of the values to draw."""
NAMES = {
    "params_stored": "stored parameters, millions",
    "params_folded": "folded parameters, millions",
    "macs": "GMACs of a 256 x 256 input",
    "ms_per_image": "milliseconds per test image",
    "switch_ms": "milliseconds of setting another level",
    "train_steps": "training steps",
}
"""Costs in full."""


def plots(long: pd.DataFrame, task: Task, found: Found | None = None) -> dict[str, Any]:
    """Returns what the curves show, as JSON takes it.

    Args:
        long: Output of ``averages.means``.
        task: The task.
        found: The scores behind it, for the bands; without them there are none.

    Returns:
        ``axis`` (what levels are) and ``along`` (the dial that lines run along), ``levels`` (key, texts and place of each, the part of a line that it belongs to, and where the sliders stand), ``dials`` (a slider for each
        axis: name and values), ``series`` (name, looks, and how far beside the places it is drawn), ``sets`` (per data set what its series are called and its metrics; per metric the values, bands and texts of every
        series at every level).
    """
    every = series_of(long)
    looks = _looks(long)
    names = labels(every)
    lines = strokes(long["level"].unique(), along(task)) if len(long) else []
    levels = [level for part in lines for level in part]
    metrics = scored_metrics(long, task)
    chosen = pair(metrics)
    where = places(lines)
    parts = {level: at for at, part in enumerate(lines) for level in part}
    physical = words.has_physical(task) and not _named(task)
    columns = [sorted(set(column)) for column in zip(*map(level_key, levels), strict=True)]
    return {
        "axis": _axis(task),
        "along": along(task) or 0,
        "gaps": gaps(task, every),
        "plane": [metrics.index(one) for one in chosen] if chosen else None,
        "levels": [
            {
                "key": level,
                "text": words.physical(task, level) if _named(task) else words.rounded(level),
                "physical": words.physical(task, level) if physical else "",
                "name": _level(task, level),
                "at": where[level],
                "part": parts[level],
                "dials": [
                    column.index(value)
                    for column, value in zip(columns, level_key(level), strict=True)
                ],
            }
            for level in levels
        ],
        "dials": _dials(task, levels, len(columns)),
        "series": [
            _series(one, names[one], looks[one], shift)
            for one, shift in zip(every, beside(where, len(every), along(task)), strict=True)
        ],
        "sets": [
            {
                "name": dataset,
                "names": _names(long, dataset, every),
                "metrics": [
                    _metric(long, dataset, metric, every, levels, found) for metric in metrics
                ],
            }
            for dataset in (long["dataset"].unique() if len(long) else ())
        ],
    }


def _looks(long: pd.DataFrame) -> dict[Series, Style]:
    """Returns the styles of the series: a page shows one data set at a time.

    Where each has one preset, methods look the same on all of them, and as in every figure.
    """
    every = series_of(long)
    trained = long.groupby("dataset")["preset"].nunique() if len(long) else ()
    plain = {one: one._replace(preset="") if max(trained, default=0) < 2 else one for one in every}
    looks = styles(plain.values())
    return {one: looks[plain[one]] for one in every}


def _names(long: pd.DataFrame, dataset: str, every: list[Series]) -> list[str]:
    """Returns what every series is called on a data set: what all have in common there is left out."""
    known = labels(series_of(long[long["dataset"] == dataset]))
    return [known.get(one, "") for one in every]


def _named(task: Task) -> bool:
    """Whether a task's only axis has names: where they lie between 0 and 1 says nothing."""
    return task.space.d == 1 and along(task) is None


def _axis(task: Task) -> str:
    """Returns what the levels of curves are: of several axes, the one that lines run along first."""
    if task.space.d > 1:
        names = words.axis_name(task).split(" / ")
        return f"{names.pop(along(task) or 0)}; below: {' / '.join(names)}"
    name = words.axis_name(task)
    if _named(task):
        return name
    return f"level, {name}" if words.has_physical(task) else f"level ({name})"


def _dials(task: Task, levels: list[str], count: int) -> list[dict[str, Any]]:
    """Returns the name of every axis and its values as text, in order."""
    if count < 2:
        name = "Dial" if task.protocol.pairs else "Level"
        texts = [_level(task, level) for level in levels]
        return [{"name": name, "short": name, "texts": texts}] * count
    names = words.axis_name(task).split(" / ")
    found = []
    for at, (name, axis) in enumerate(zip(names, task.space.axes, strict=True)):
        texts = {level_key(one)[at]: words.physical(task, one).split("/")[at] for one in levels}
        ordered = [texts[value] for value in sorted(texts)]
        found.append({"name": name, "short": axis.name, "texts": ordered})
    return found


def cost_data(cost: pd.DataFrame, every: list[Series]) -> list[dict[str, Any]]:
    """Returns what the page can draw the headline metric against.

    Args:
        cost: Output of ``averages.costs``.
        every: The series, in the order of the curves.
    """
    spent = {Series(line.method, line.backbone, line.preset): line for line in cost.itertuples()}
    found = []
    for name, key, scale, digits, _ in COST_COLUMNS:
        values = [float(getattr(spent.get(one), key, math.nan)) * scale for one in every]
        if len({value for value in values if math.isfinite(value)}) > 1:
            points = [
                {"at": _plain(value), "text": words.number(value, digits)}
                if math.isfinite(value)
                else None
                for value in values
            ]
            found.append({"name": NAMES.get(key, name), "values": points})
    return found


def rules(long: pd.DataFrame) -> str:
    """Returns the colours of the series as CSS."""
    return marks.css(list(_looks(long).values()))


def _level(task: Task, level: str) -> str:
    """Returns what the slider says: physical values, axis by axis, and the level of a single axis."""
    if task.space.d > 1:
        names = [axis.name for axis in task.space.axes]
        values = words.physical(task, level).split("/")
        return ", ".join(f"{name} {value}" for name, value in zip(names, values, strict=True))
    if not words.has_physical(task) or _named(task):
        return words.level_name(task, level)
    return f"level {words.rounded(level)} ({words.level_name(task, level)})"


def _series(one: Series, name: str, look: Style, shift: float) -> dict[str, Any]:
    return {
        "name": name,
        "beside": round(shift, DIGITS),
        "baseline": one.baseline,
        "floor": one.family == "floor",
        "dash": marks.dash(look),
        "marker": marks.marker(look.marker),
        "stroke": look.marker == "x",
    }


def _metric(
    long: pd.DataFrame,
    dataset: str,
    metric: str,
    every: list[Series],
    levels: list[str],
    found: Found | None,
) -> dict[str, Any]:
    lines = lines_of(long, dataset, metric)
    ahead = best(lines, metric)
    unit = METRICS[metric].unit
    field = [run for run in found or {} if not Series(*run[:3]).baseline]
    ends = field_intervals(found, dataset, metric, field) if found else {}

    def line(one: Series) -> dict[str, Any] | None:
        if one not in lines:
            return None
        own = lines[one]
        bands = [ends.get((Run(*one, dataset), at), (math.nan, math.nan)) for at in levels]
        return {
            "y": [_plain(own.mean.get(at, math.nan)) for at in levels],
            "low": [_plain(low) for low, _ in bands],
            "high": [_plain(high) for _, high in bands],
            "text": [
                words.mean_and_deviation(metric, own.mean[at], own.std[at])
                if at in own.mean
                else words.NULL
                for at in levels
            ],
            "band": [
                f"{words.fixed(metric, low)} to {words.fixed(metric, high)}"
                if math.isfinite(low)
                else ""
                for low, high in bands
            ],
        }

    return {
        "name": words.metric_name(metric),
        "title": METRICS[metric].label + (f" ({unit})" if unit else ""),
        "label": f"{words.metric_name(metric)} {words.arrow(metric)}",
        "arrow": words.arrow(metric),
        "digits": METRICS[metric].digits,
        "better": words.better(metric),
        "best": [_plain(ahead.get(at, math.nan)) for at in levels],
        "lines": [line(one) for one in every],
    }


def _plain(value: float) -> float | None:
    return round(value, DIGITS) + 0.0 if math.isfinite(value) else None
