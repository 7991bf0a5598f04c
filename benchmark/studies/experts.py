"""What one dial costs in quality: a method at each level against a network for that level alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmark.analysis.comparison import level_means, unscored
from benchmark.analysis.dial import experts_of
from benchmark.analysis.scores import scores
from benchmark.errors import JobError
from benchmark.planning.request import Choice, Request
from benchmark.studies.study import Part, Study, Tables

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from benchmark.tasks import Task

KEYS = ["method", "backbone", "dataset", "against"]


def with_experts(request: Request) -> list[Request]:
    """Returns the request with experts among its methods."""
    if any(one.method.startswith("experts") for one in request.methods):
        return [request]
    return [dataclasses.replace(request, methods=(*request.methods, Choice("experts")))]


def gaps(rows: pd.DataFrame, task: Task) -> Tables:
    """Returns the headline metric of methods less that of the experts on the same images.

    Args:
        rows: Rows of a report, experts among them.
        task: The task; a positive difference is better, whatever its headline metric.

    Returns:
        ``experts`` (one line per method: mean and mean absolute difference over the experts'
        levels) and ``levels`` (one line per method and level). Of several kinds of experts, those
        with most levels are compared with, as in a report; ``against`` names them, and ``reason``
        says why a method has no number.

    Raises:
        JobError: If there are no experts, or nothing to compare them with.
    """
    import pandas as pd

    from benchmark.metrics.records import METRICS
    from benchmark.report.words import physical

    found = scores(rows, task)
    means = level_means(found, task.headline)
    reasons = unscored(found, task.headline, means)
    sign = 1.0 if METRICS[task.headline].higher_is_better else -1.0
    sizes = {run: len(own) for run, own in means.items()}
    lines = []
    for run, own in means.items():
        chosen = experts_of(run, sizes)
        if run.family in ("experts", "floor") or chosen is None:
            continue
        other = means[chosen]
        for level in (one for one in own if one in other):
            values = {"value": own[level], "expert": other[level]}
            values["difference"] = sign * (own[level] - other[level])
            place = {"level": level, "physical": physical(task, level)}
            name = {"method": run.method, "backbone": run.backbone, "dataset": run.dataset}
            lines.append({**name, "against": chosen.method, **place, **values})
    if not lines:
        told = "".join(f"; {run.method}: {reason}" for run, reason in reasons.items())
        raise JobError(
            f"no method was scored at the levels of experts, so nothing can be compared{told}"
        )
    table = pd.DataFrame(lines)
    grouped = table.groupby(KEYS, sort=False)["difference"]
    summary = grouped.agg(
        mean="mean", mean_abs=lambda one: one.abs().mean(), worst="min", levels="count"
    )
    about = summary.reset_index().assign(reason="").to_dict("records")
    about += [
        {"method": run.method, "backbone": run.backbone, "dataset": run.dataset, "reason": reason}
        for run, reason in reasons.items()
    ]
    return {"experts": pd.DataFrame(about), "levels": table}


def tables(parts: Sequence[Part]) -> Tables:
    """Returns the differences."""
    (part,) = parts
    return gaps(part.rows, part.task)


def draw(tables: Tables, task: Task) -> Figure:
    """Draws the difference at every level, one panel per data set and backbone."""
    from benchmark.metrics.records import METRICS
    from benchmark.report.words import axis_name, unit
    from benchmark.studies import drawing

    levels = tables["levels"]
    groups = list(levels.groupby(["dataset", "backbone"], sort=False))
    looks = drawing.looks(dict.fromkeys(levels["method"]))
    metric = METRICS[task.headline]
    title = f"{task.name}: {metric.label} against a network for the level alone"
    figure, grid = drawing.panels(title, len(groups), side=2.4)
    for axes, ((dataset, backbone), own) in zip(grid[0], groups, strict=True):
        ticks = own.drop_duplicates("level").sort_values("level", key=lambda one: one.astype(float))
        for method, part in own.groupby("method", sort=False):
            x = part["level"].astype(float)
            drawing.line(axes, x, part["difference"], looks[str(method)])
        axes.axhline(0, color="#444444", linestyle="--", linewidth=1.0, zorder=1)
        drawing.level_ticks(axes, ticks["level"], ticks["physical"])
        axes.set(title=f"{dataset}, {backbone}", xlabel=axis_name(task))
        axes.set_ylabel(f"better (+) or worse (−){unit(task.headline)}")
    texts = {}
    for name, own in tables["experts"].groupby("method", sort=False):
        texts[name] = f"{name}, mean abs. {own['mean_abs'].mean():.2f}"
    drawing.legend(figure, looks, texts)
    return figure


STUDY = Study(
    summary="each level against a network trained for that level alone",
    source="DL Tables 1-3, HyperRes Tables 1-3",
    task="denoise",
    methods=("dni", "ftn", "ftn:groups=16", "decouple", "tunable_conv", "experts"),
    tables=tables,
    draw=draw,
    one_dial=True,
    requests=with_experts,
    scores=True,
)
