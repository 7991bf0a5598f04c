"""The perception-distortion curve, and every metric against the level."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmark.control import level_key
from benchmark.metrics.records import METRICS
from benchmark.report import words
from benchmark.report.averages import KEYS
from benchmark.report.panels import END, FIRST, START, band, legend, panels
from benchmark.report.series import Series, ordered
from benchmark.report.style import Style, drawing, files, styles
from benchmark.report.ticks import along, beside, mark, places, strokes

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from benchmark.tasks import Task

LABEL = 34
"""Letters that fit beside a panel."""
PERCEPTION = ("lpips", "niqe")
"""Metrics that may stand for perception, best first."""


@dataclass(frozen=True)
class Line:
    """One series on one data set: means and deviations over seeds (NaN: unknown) by level text."""

    mean: dict[str, float]
    std: dict[str, float]

    @property
    def levels(self) -> list[str]:
        """The level texts in order."""
        return sorted(self.mean, key=level_key)


def file_name(metric: str) -> str:
    """Returns the stem of a metric's figure: its whole id, whatever else has values."""
    return "levels_" + re.sub(r"[^A-Za-z0-9.-]+", "-", metric)


def curves(long: pd.DataFrame, task: Task) -> dict[str, bytes]:
    """Returns all figures by file name.

    Args:
        long: Output of ``averages.means``.
        task: The task.
    """
    scored = scored_metrics(long, task)
    found = {}
    with drawing("pd_curve"):
        found.update({f"pd_curve.{k}": v for k, v in files(pd_curve(long, task)).items()})
    for metric in scored:
        name = file_name(metric)
        with drawing(name):
            found.update({f"{name}.{k}": v for k, v in files(levels(long, task, metric)).items()})
    return found


def titles(long: pd.DataFrame, task: Task) -> dict[str, str]:
    """Returns the titles of all figures by stem."""
    scored = scored_metrics(long, task)
    found = {file_name(metric): level_title(task, metric) for metric in scored}
    return {"pd_curve": _plane_title(task, pair(scored)), **found}


def level_title(task: Task, metric: str) -> str:
    """Returns the title of a metric's figure."""
    record = METRICS[metric]
    return f"{task.name}: {words.with_unit(record.label, record.unit)} by level"


def _plane_title(task: Task, chosen: tuple[str, str] | None) -> str:
    """Returns the title of the figure of two metrics, or why there is nothing in it."""
    if chosen is None:
        return "Fewer than two metrics have values, so there is no curve to draw."
    across, up = chosen
    if up.startswith(PERCEPTION):
        return f"{task.name}: perception against distortion"
    title = f"{task.name}: {METRICS[up].label} against {METRICS[across].label}"
    if any(one.startswith(PERCEPTION) for one in task.metrics):
        title += " (no perception metric has values)"
    return title


def scored_metrics(long: pd.DataFrame, task: Task) -> list[str]:
    """Returns the task's metrics that have at least one value, headline first."""
    known = set(long.loc[long["mean"].map(math.isfinite), "metric"]) if len(long) else set()
    return sorted((m for m in task.metrics if m in known), key=lambda m: m != task.headline)


def _sets(long: pd.DataFrame, metrics: Sequence[str]) -> list[str]:
    """Returns the data sets on which every one of some metrics has a value."""
    known = long[long["mean"].map(math.isfinite)]
    there = set(zip(known["dataset"], known["metric"], strict=True))
    return [one for one in long["dataset"].unique() if all((one, m) in there for m in metrics)]


def pair(scored: Sequence[str]) -> tuple[str, str] | None:
    """Returns (distortion, perception) metrics, or the two best there are, or None."""
    scored = [m for m in scored if not METRICS[m].of_dial]
    if not scored:
        return None
    perception = next((m for name in PERCEPTION for m in scored if m.startswith(name)), None)
    plain = [m for m in scored if not METRICS[m].of_target]
    distortion = next((m for m in plain if not m.startswith(PERCEPTION)), None)
    if perception is None:
        perception = next((m for m in scored if m != distortion), None)
    return (distortion, perception) if distortion and perception else None


def pd_curve(long: pd.DataFrame, task: Task) -> Figure:
    """Returns perception against distortion, one panel per data set, one line per method.

    Where the level says how bad the input is, all lines run alike; a second row then shows the
    distance of several methods to the best value at every level.
    """
    chosen = pair(scored_metrics(long, task))
    title = _plane_title(task, chosen)
    if chosen is None:
        return _words(title)
    across, up = chosen
    sets = _sets(long, chosen) or list(long["dataset"].unique())
    looks = styles(series_of(long))
    apart = gaps(task, looks)
    # There is no line through a plane of levels, nor through names.
    scattered = task.space.d > 1 or along(task) is None
    figure, rows = panels(len(sets), 2 if apart else 1, title)
    shown: set[Series] = set()
    outside: set[Series] = set()
    for at, dataset in enumerate(sets):
        x, y = (lines_of(long, dataset, metric) for metric in chosen)
        paths = _paths(x, y, {}, {})
        for one, path in paths.items():
            _path(rows[0][at], path, one, looks[one], scattered or one.family == "floor")
        shown |= set(paths)
        outside |= _without_floor(rows[0][at], paths)
        rows[0][at].set(title=dataset, xlabel=_label(across, "→"), ylabel=_label(up, "↑"))
        if apart:
            ahead = best(x, across), best(y, up)
            for one, path in (_paths(x, y, *ahead) if all(ahead) else {}).items():
                if one.family != "floor":
                    _path(rows[1][at], path, one, looks[one], scattered)
            rows[1][at].set(xlabel=_gap_label(across, "→"), ylabel=_gap_label(up, "↑", "\n"))
    extra = dict.fromkeys(outside, " (off the scale)")
    extra |= {one: " (no value)" for one in looks if one not in shown}
    # Where no line joins levels, the last of them all is no end.
    signs = [FIRST] if scattered else [START, END]
    legend(figure, looks, extra, signs, joined=not scattered)
    return figure


Path = list[tuple[float, float]]


def _paths(
    x: dict[Series, Line], y: dict[Series, Line], less_x: dict[str, float], less_y: dict[str, float]
) -> dict[Series, Path]:
    """Returns where each series has both metrics, minus what is given per level."""
    found = {}
    for one in x:
        known = [
            level
            for level in x[one].levels
            if one in y
            and math.isfinite(x[one].mean[level])
            and math.isfinite(y[one].mean.get(level, math.nan))
            and (not less_x or (level in less_x and level in less_y))
        ]
        if known:
            found[one] = [
                (x[one].mean[at] - less_x.get(at, 0.0), y[one].mean[at] - less_y.get(at, 0.0))
                for at in known
            ]
    return found


def _path(axes: Axes, path: Path, one: Series, look: Style, apart: bool) -> None:
    """Draws one series: a line from a hollow start to a filled end; baselines lie below methods."""
    x, y = zip(*path, strict=True)
    kind = {"color": look.color, "marker": look.marker}
    lowest = 1 if one.baseline else 4
    if not apart and one.family != "experts":
        axes.plot(x, y, color=look.color, linestyle=look.line, linewidth=1.3, zorder=lowest)
        axes.plot(x[1:-1], y[1:-1], linestyle="", markersize=3, zorder=lowest + 1, **kind)
    elif len(path) > 2:
        axes.plot(x[1:-1], y[1:-1], linestyle="", markersize=6, zorder=lowest + 1, **kind)
    size = 10 if look.marker == "*" else 7.5
    big = {"linestyle": "", "markersize": size, "zorder": lowest + 2, **kind}
    axes.plot(x[-1:], y[-1:], markeredgecolor=_edge(look), markeredgewidth=_edge_width(look), **big)
    if len(path) > 1:
        hollow = {} if look.marker == "x" else {"markerfacecolor": "none"}
        axes.plot(x[:1], y[:1], markeredgewidth=1.5, **hollow, **big)


def _edge(look: Style) -> str:
    return look.color if look.marker == "x" else "white"


def _edge_width(look: Style) -> float:
    return 1.5 if look.marker == "x" else 0.6


def _without_floor(axes: Axes, points: dict[Series, Path]) -> set[Series]:
    """Keeps a far-away floor from squeezing the methods; returns the series left out of view."""
    near = [point for one, path in points.items() if one.family != "floor" for point in path]
    floors = [one for one in points if one.family == "floor"]
    if len(near) < 2 or not floors:
        return set()
    limits = []
    for values in zip(*near, strict=True):
        room = max(max(values) - min(values), 1e-9)
        limits.append((min(values) - 0.06 * room, max(values) + 0.06 * room, room))
    far = {
        one
        for one in floors
        if any(
            not low - room <= value <= high + room
            for point in points[one]
            for value, (low, high, room) in zip(point, limits, strict=True)
        )
    }
    if far:
        axes.set(xlim=limits[0][:2], ylim=limits[1][:2])
    return far


def levels(long: pd.DataFrame, task: Task, metric: str) -> Figure:
    """Returns one metric against the level, one panel per data set that has values of it.

    Where the level says how bad the input is, all curves fall alike; a second row then shows the
    distance of several methods to the best one at every level, without bands: the deviation of a
    method is not that of its distance to another.
    """
    sets = _sets(long, [metric])
    every = series_of(long)
    apart = gaps(task, every)
    figure, rows = panels(len(sets), 2 if apart else 1, level_title(task, metric))
    looks = styles(every)
    shown: set[Series] = set()
    for at, dataset in enumerate(sets):
        lines = lines_of(long, dataset, metric)
        parts = strokes({v for one in lines.values() for v in one.levels}, along(task))
        where = places(parts)
        ahead = best(lines, metric)
        shifts = dict(zip(every, beside(where, len(every), along(task)), strict=True))
        for one, line in lines.items():
            own = {level: place + shifts[one] for level, place in where.items()}
            if _curve(rows[0][at], line, parts, own, looks[one], {}):
                shown.add(one)
            if apart and ahead and one.family != "floor":
                _curve(rows[1][at], line, parts, own, looks[one], ahead)
        rows[0][at].set(title=dataset, ylabel=_label(metric, "↑"))
        if apart:
            rows[1][at].set(ylabel=_gap_label(metric, "↑", "\n"))
        for row in rows:
            mark(row[at], task, where, labelled=row is rows[-1])
    extra = {one: " (no value)" for one in every if one not in shown}
    seeds = seeds_of(long, metric)
    every_part = strokes(long["level"].unique(), along(task))
    joined = any(len(part) > 1 for part in every_part)
    legend(figure, looks, extra, [band(seeds)] if seeds else [], joined)
    return figure


def _curve(
    axes: Axes,
    line: Line,
    parts: list[list[str]],
    places: dict[str, float],
    look: Style,
    less: dict[str, float],
) -> bool:
    """Draws one series, minus ``less`` at every level; returns whether there was anything."""
    drawn = False
    for part in parts:
        known = [level for level in part if math.isfinite(line.mean.get(level, math.nan))]
        if less:
            known = [level for level in known if level in less]
        if known:
            _stroke(axes, line, known, places, look, less)
            drawn = True
    return drawn


def _stroke(
    axes: Axes,
    line: Line,
    known: list[str],
    places: dict[str, float],
    look: Style,
    less: dict[str, float],
) -> None:
    x = [places[level] for level in known]
    y = [line.mean[level] - less.get(level, 0.0) for level in known]
    spread = [line.std[level] for level in known]
    axes.plot(
        x,
        y,
        color=look.color,
        linestyle=look.line,
        linewidth=1.3,
        marker=look.marker,
        markersize=8 if look.marker == "*" else 5,
        markeredgecolor=_edge(look),
        markeredgewidth=_edge_width(look) if look.marker == "x" else 0.4,
        zorder=4 if look.marker == "*" else 3,
    )
    if not less and any(math.isfinite(value) for value in spread):
        room = [0.0 if math.isnan(value) else value for value in spread]
        low = [value - by for value, by in zip(y, room, strict=True)]
        high = [value + by for value, by in zip(y, room, strict=True)]
        if look.line and len(x) > 1:
            axes.fill_between(x, low, high, color=look.color, alpha=0.15, linewidth=0, zorder=1)
        else:
            axes.vlines(x, low, high, color=look.color, linewidth=1, zorder=3)


def best(lines: dict[Series, Line], metric: str) -> dict[str, float]:
    """Returns the best method's mean at every level (baselines do not count)."""
    values: dict[str, list[float]] = {}
    for one, line in lines.items():
        for level, value in line.mean.items():
            if not one.baseline and math.isfinite(value):
                values.setdefault(level, []).append(value)
    choose = max if METRICS[metric].higher_is_better else min
    return {level: choose(found) for level, found in values.items()}


def seeds_of(long: pd.DataFrame, metric: str) -> list[int]:
    """Returns over how many seeds the deviations of a metric are, fewest first."""
    own = long[(long["metric"] == metric) & long["std"].map(math.isfinite)]
    return sorted(set(own["seeds"].tolist())) if len(own) else []


def series_of(long: pd.DataFrame) -> list[Series]:
    """Returns the distinct series of a table of means, in table order."""
    return ordered(Series(*key) for key in zip(*(long[key] for key in KEYS[:3]), strict=True))


def lines_of(long: pd.DataFrame, dataset: str, metric: str) -> dict[Series, Line]:
    """Returns the lines of one metric on one data set."""
    rows = long[(long["dataset"] == dataset) & (long["metric"] == metric)]
    found: dict[Series, Line] = {}
    columns = [*KEYS[:3], "level", "mean", "std"]
    for *key, level, mean, std in rows[columns].itertuples(index=False, name=None):
        line = found.setdefault(Series(*key), Line({}, {}))
        line.mean[level], line.std[level] = mean, std
    return {one: found[one] for one in ordered(found)}


def gaps(task: Task, every: Iterable[Series]) -> bool:
    """Whether differences to the best method are drawn: one method alone has none."""
    methods = sum(not one.baseline for one in every)
    return task.has_true_level and task.space.dials > 0 and methods > 1


def _label(metric: str, towards: str) -> str:
    better = "higher" if METRICS[metric].higher_is_better else "lower"
    text = f"{words.metric_name(metric)}   {_arrow(metric, towards)} {better} is better"
    return text if len(text) <= LABEL else text.replace("   ", "\n")


def _gap_label(metric: str, towards: str, breaks: str = " ") -> str:
    name, arrow = words.metric_name(metric), _arrow(metric, towards)
    return f"{name}:{breaks}difference to the best {arrow}"


def _arrow(metric: str, towards: str) -> str:
    """Returns where a metric improves, ``towards`` being where an axis grows."""
    return towards if METRICS[metric].higher_is_better else {"→": "←", "↑": "↓"}[towards]


def _words(text: str) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 1.2))
    figure.text(0.5, 0.5, text, ha="center", va="center")
    return figure
