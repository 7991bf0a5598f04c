"""Whether the best dial at a true level is the level itself."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from benchmark.analysis import matrix
from benchmark.analysis.matrix import Matrix
from benchmark.analysis.scores import NoValue, Run, places, scores
from benchmark.errors import JobError
from benchmark.studies.study import Part, Study, Tables

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from benchmark.tasks import Task


def matrices(rows: pd.DataFrame, task: Task, dataset: str = "") -> dict[Run, Matrix | str]:
    """Returns the level x dial matrix of every run, averaged over seeds, or why it has none.

    Args:
        rows: Rows of a report.
        task: Their task.
        dataset: The only data set that is looked at, if not all are.

    Raises:
        JobError: If no run has a complete one.
    """
    every = matrix.averaged(scores(rows, task), task)
    every = {run: one for run, one in every.items() if dataset in ("", run.dataset)}
    if not any(isinstance(one, Matrix) for one in every.values()):
        reasons = "; ".join(f"{run.method}: {reason}" for run, reason in every.items())
        raise JobError(reasons or "no dial was set wrong, so there is no matrix")
    return every


def fits(found: Mapping[Run, Matrix | str], task: Task) -> Tables:
    """Returns how straight the best dials lie (``linearity``), and the dials (``best_dials``)."""
    import pandas as pd

    from benchmark.report.words import physical

    points, lines = [], []
    for run, one in found.items():
        name = {"method": run.method, "dataset": run.dataset}
        if isinstance(one, str):
            lines.append({**name, "reason": one})
            continue
        try:
            dials = matrix.best_dials(one)
            away = matrix.deviations(one)
            fit = {"mean_deviation": statistics.fmean(away), "max_deviation": max(away)}
            fit["r2"] = matrix.linearity(one)
        except NoValue as error:
            lines.append({**name, "reason": str(error)})
            continue
        lines.append({**name, **fit, "images": len(one.images), "reason": ""})
        for level, place, dial in zip(one.levels, places(one.levels), dials, strict=True):
            values = {"physical": physical(task, level), "best_dial": dial, "off": dial - place}
            points.append({**name, "level": level, **values})
    columns = ["method", "dataset", "r2", "mean_deviation", "max_deviation", "images", "reason"]
    return {
        "linearity": pd.DataFrame(lines, columns=columns),
        "best_dials": pd.DataFrame(
            points, columns=["method", "dataset", "level", "physical", "best_dial", "off"]
        ),
    }


def tables(parts: Sequence[Part]) -> Tables:
    """Returns the fits and the best dials."""
    (part,) = parts
    return fits(matrices(part.rows, part.task), part.task)


def draw(tables: Tables, task: Task) -> Figure:
    """Draws the best dial against the true level, and how far it is off the straight line."""
    from benchmark.report.words import axis_name
    from benchmark.studies import drawing

    points, fit = tables["best_dials"], tables["linearity"]
    methods = list(dict.fromkeys(fit["method"]))
    looks = drawing.looks(methods)
    sets = list(dict.fromkeys(fit["dataset"]))
    figure, grid = drawing.panels(
        f"{task.name}: the best dial at every true level", 2, len(sets), side=2.1
    )
    for row, dataset in zip(grid, sets, strict=True):
        own = points[points["dataset"] == dataset]
        for method, part in own.groupby("method", sort=False):
            x = part["level"].astype(float)
            drawing.line(row[0], x, part["best_dial"], looks[str(method)])
            drawing.line(row[1], x, part["off"], looks[str(method)])
        ticks = own.drop_duplicates("level").sort_values("level", key=lambda one: one.astype(float))
        for axes in row:
            drawing.level_ticks(axes, ticks["level"], ticks["physical"])
            axes.set_xlabel(f"true level, {axis_name(task)}")
        ends = [ticks["level"].astype(float).min(), ticks["level"].astype(float).max()]
        row[0].plot(ends, ends, color="#444444", linestyle="--", linewidth=1.0, zorder=1)
        row[1].axhline(0, color="#444444", linestyle="--", linewidth=1.0, zorder=1)
        row[0].set_ylabel("best dial (level)")
        row[1].set_ylabel("best dial less true level")
        row[0].set_title(dataset)
    first = fit.drop_duplicates("method").set_index("method")
    texts = {
        name: f"{name}\nR² {_number(row['r2'])}, mean off {_number(row['mean_deviation'])}"
        for name, row in first.iterrows()
    }
    drawing.legend(figure, looks, texts, labelspacing=0.9, title=f"on {sets[0]}")
    return figure


def _number(value: float) -> str:
    return "—" if math.isnan(value) else f"{value:.3f}"


STUDY = Study(
    summary="best dial at every true level against the straight line: R², mean and max deviation",
    source="FTN Figure 6, HyperRes Figure 5",
    task="denoise",
    methods=("dni", "ftn", "ftn:groups=16", "decouple", "tunable_conv"),
    tables=tables,
    draw=draw,
    one_dial=True,
    scores=True,
    matrix=True,
)
