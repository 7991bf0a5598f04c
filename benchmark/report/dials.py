"""The tables of dial quality, before they are written as Markdown, LaTeX or HTML."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from benchmark.analysis.dial import DRIFT, FIGURES
from benchmark.metrics.records import METRICS
from benchmark.report import words
from benchmark.report.grids import Cell, Grid, Line, Notes
from benchmark.report.series import Series, labels, ordered

if TYPE_CHECKING:
    import pandas as pd

SIGNED = ("gap-start", "gap-middle", "gap-end")
LISTED = "best-dial"
"""A figure of every level; it is in dial.csv only."""


def dial_grids(
    dials: pd.DataFrame, titles: Mapping[str, str], headline: str, notes: Notes
) -> list[Grid]:
    """Returns one table per data set; figures that no run has are left out.

    Titles name the metric and its unit, or headings do where figures are of several metrics.

    Args:
        dials: Output of ``analysis.dial.dial_table``.
        titles: Title by data set.
        headline: The task's headline metric.
        notes: Takes the reasons of nulls.
    """
    grids = []
    for dataset, title in titles.items():
        own = dials[(dials["dataset"] == dataset) & (dials["figure"] != LISTED)]
        lines = {
            (Series(line.method, line.backbone, line.preset), line.figure, line.metric): line
            for line in own.itertuples()
        }
        known = {key[1:] for key, line in lines.items() if not math.isnan(line.value)}
        shown = sorted(known, key=lambda one: (_column(one), one))
        series = ordered(key[0] for key in lines)
        if not shown:
            continue
        names = labels(series)
        rows = tuple(
            Line(
                names[one],
                tuple(_cell(lines.get((one, *column)), notes) for column in shown),
                one.baseline,
            )
            for one in series
        )
        several = _several(known, headline)
        columns = tuple(_heading(*one, several) for one in shown)
        of = "" if several else f": {words.metric_name(headline)}"
        grids.append(Grid(f"Dial quality on {title}{of}", columns, rows))
    return grids


def remarks(dials: pd.DataFrame, headline: str, grids: list[Grid]) -> list[str]:
    """Returns what every figure shown means, and why the others are not, one line each."""
    known: set[tuple[str, str]] = set()
    reasons: dict[str, list[tuple[str, str]]] = {}
    for (figure, metric), own in dials.groupby(["figure", "metric"], sort=False):
        if figure == LISTED:
            continue
        if bool(own["value"].isna().all()):
            reasons.setdefault(own["reason"].iloc[0], []).append((figure, metric))
        else:
            known.add((figure, metric))
    shown = {figure for figure, _ in known} if grids else set()
    lines = [f"{one.title}: {one.meaning}" for one in FIGURES.values() if one.id in shown]
    for reason, names in reasons.items():
        texts = [", ".join(_heading(*name, _several(names, headline))) for name in names]
        lines.append(f"not shown: {'; '.join(texts)} ({reason})")
    return lines


def _column(column: tuple[str, str]) -> tuple[int, str, int]:
    """Returns the sort key of a column: its group, the metric, then the figure."""
    figure, metric = column
    order = list(FIGURES)
    groups = list(dict.fromkeys(one.group for one in FIGURES.values()))
    first = METRICS[metric].higher_is_better
    return groups.index(FIGURES[figure].group), f"{not first}{metric}", order.index(figure)


def _several(among: Collection[tuple[str, str]], headline: str) -> bool:
    """Whether figures are of more than the headline metric, so that one has to say of which."""
    return bool({metric for _, metric in among} - {headline, DRIFT})


def _heading(figure: str, metric: str, several: bool) -> tuple[str, str]:
    """Returns group and name of a column; colour drift says its metric itself, with its unit."""
    own = FIGURES[figure]
    if metric == DRIFT:
        return f"{own.group}, {METRICS[metric].unit}", own.label
    return own.group + (f", {METRICS[metric].label}" if several else ""), own.label


def _cell(line: Any, notes: Notes) -> Cell:
    if line is None:
        return Cell(words.NULL)
    own = FIGURES[line.figure]
    if math.isnan(line.value):
        return Cell(words.NULL, note=notes.number(f"{own.title}: {line.reason}."))
    digits = METRICS[line.metric].digits if own.digits is None else own.digits
    text = words.number(line.value, digits)
    if not float(text):
        text = text.removeprefix("-")
    elif line.figure in SIGNED and line.value > 0:
        text = f"+{text}"
    if math.isfinite(line.std):
        text += f" ± {words.number(line.std, digits)}"
    return Cell(text)
