"""What parts of two methods are worth: transitions of FTN, and blocks behind a hypernetwork."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmark.analysis.comparison import level_means, unscored
from benchmark.analysis.scores import scores
from benchmark.errors import JobError
from benchmark.planning.request import Choice, Request
from benchmark.registry import spec
from benchmark.studies.study import Part, Study, Tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from benchmark.tasks import Task

BLOCKS = (1, 2, 4, 16)
"""Residual blocks of the backbone, all of them generated (HyperRes, section 4.2)."""


def requests(request: Request) -> list[Request]:
    """Returns the request, and the hypernetwork on backbones of 1, 2, 4 and 16 blocks."""
    backbone = spec.parse(request.backbone)
    return [request] + [
        dataclasses.replace(
            request,
            methods=(Choice("hypernet"),),
            backbone=str(dataclasses.replace(backbone, options={**backbone.options, "blocks": n})),
        )
        for n in BLOCKS
    ]


def tables(parts: Sequence[Part]) -> Tables:
    """Returns one line per variant (``ablation``), and per variant and level (``levels``).

    ``parameters`` is what a network must store beyond its backbone, ``folded`` what it has at one
    level; ``reason`` says why there is no ``mean``.
    """
    import pandas as pd

    from benchmark.report.words import physical

    lines, levels = [], []
    for at, part in enumerate(parts):
        if part.rows.empty:
            continue
        costs = {name: _sizes(method) for name, method in part.methods.items()}
        found, metric = scores(part.rows, part.task), part.task.headline
        means = level_means(found, metric)
        reasons = unscored(found, metric, means)
        for run in found:
            if run.method not in costs:
                continue
            own = means.get(run, {})
            name = {"what": "blocks" if at else "transitions", "method": run.method}
            name |= {"backbone": run.backbone, "dataset": run.dataset}
            mean = statistics.fmean(own.values()) if own else math.nan
            reason = reasons.get(run, "")
            lines.append({**name, **costs[run.method], "mean": mean, "reason": reason})
            for level, value in own.items():
                text = physical(part.task, level)
                levels.append({**name, "level": level, "physical": text, "value": value})
    if not levels:
        raise JobError("nothing was scored, so there is nothing to compare")
    return {"ablation": pd.DataFrame(lines), "levels": pd.DataFrame(levels)}


def _sizes(method) -> dict[str, int]:
    from benchmark.scoring.cost import parameters_stored
    from benchmark.tuning.layers import parameters_of

    stored = parameters_stored(method)
    folded = parameters_of(method.backbone)
    return {"stored": stored, "folded": folded, "parameters": stored - folded}


def draw(tables: Tables, task: Task) -> Figure:
    """Draws variants of FTN over the level, and the hypernetwork over its size, on one data set."""
    from benchmark.metrics.records import METRICS
    from benchmark.report import words
    from benchmark.studies import drawing

    table, levels = tables["ablation"], tables["levels"]
    metric = METRICS[task.headline]
    first_set = levels["dataset"].iloc[0]
    table, levels = (one[one["dataset"] == first_set] for one in (table, levels))
    figure, grid = drawing.panels(f"{task.name} on {first_set}: what parts are worth", 2, side=2.2)
    own = levels[levels["what"] == "transitions"]
    methods = list(dict.fromkeys(own["method"]))
    looks = drawing.distinct(methods)
    base = own[own["method"] == methods[0]].set_index("level")["value"] if methods else {}
    for method, part in own.groupby("method", sort=False):
        # A method that answers at a few levels only, as experts do, may be the first.
        part = part[part["level"].isin(base.index)].set_index("level")["value"]
        gain = part - base[part.index]
        drawing.line(grid[0][0], part.index.astype(float), gain, looks[str(method)])
    if methods:
        first = own.drop_duplicates("level")
        drawing.level_ticks(grid[0][0], first["level"], first["physical"])
        grid[0][0].set(
            xlabel=words.axis_name(task),
            ylabel=f"{metric.label} less that of {methods[0]}{words.unit(task.headline)}",
        )
    grid[0][0].set_title("transitions of FTN")
    blocks = table[table["what"] == "blocks"].dropna(subset="mean")
    look = drawing.Style(drawing.COLORS[0], "o", "-")
    drawing.line(grid[0][1], blocks["stored"] / 1000, blocks["mean"], look)
    for row in blocks.itertuples():
        count = spec.parse(row.backbone).options["blocks"]
        grid[0][1].annotate(
            f"{count}",
            (row.stored / 1000, row.mean),
            (0, 7),
            textcoords="offset points",
            ha="center",
        )
    grid[0][1].margins(y=0.15)
    grid[0][1].set(
        xlabel="thousand parameters stored", ylabel=f"mean {words.metric_name(task.headline)}"
    )
    grid[0][1].set_title("hypernet, by number of blocks")
    sizes = table[table["what"] == "transitions"].set_index("method")["parameters"]
    texts = {name: f"{name}\n{sizes[name] / 1000:.1f} k beside the backbone" for name in methods}
    drawing.legend(figure, looks, texts, labelspacing=0.9)
    return figure


STUDY = Study(
    summary="FTN's depth, groups and depthwise mixing; a hypernetwork with 1, 2, 4, 16 blocks",
    source="FTN Table 1 and Figure 5, HyperRes section 4.2",
    task="denoise",
    methods=("ftn", "ftn:depth=3", "ftn:depthwise=true", "ftn:groups=4", "ftn:groups=16"),
    tables=tables,
    draw=draw,
    one_dial=True,
    requests=requests,
    scores=True,
)
