"""What is lost, and what is saved, when only one layer depends on the level."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from benchmark.analysis.comparison import level_means, unscored
from benchmark.analysis.scores import scores
from benchmark.errors import JobError
from benchmark.studies.study import Part, Study, Tables, unfolded

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor, nn

    from benchmark.tasks import Task

SIDE = 128
ROUNDS = 9


def changed(one: nn.Module, other: nn.Module) -> list[str]:
    """Returns the modules whose own parameters or buffers differ between two tuned networks."""
    import torch

    mine, theirs = one.state_dict(), other.state_dict()
    names = [name for name, value in mine.items() if not torch.equal(value, theirs[name])]
    return list(dict.fromkeys(name.rpartition(".")[0] for name in names))


def until(
    network: nn.Module, names: Sequence[str], x: Tensor, reading: Callable[[], float]
) -> float:
    """Returns the share of a forward pass, on some clock, before the first of some modules runs.

    What lies behind has to run again when the weights of these modules change; what lies before
    could be kept.

    Args:
        network: A tuned network.
        names: The modules.
        x: Input (1, 3, h, w).
        reading: The clock: seconds, or operations so far.
    """
    import torch

    seen: list[float] = []
    handles = [
        network.get_submodule(name).register_forward_pre_hook(lambda *_: seen.append(reading()))
        for name in names
    ]
    began = reading()
    with torch.no_grad():
        network(x)
    ended = reading()
    for handle in handles:
        handle.remove()
    return (seen[0] - began) / max(ended - began, 1e-12)


def again(network: nn.Module, names: Sequence[str], x: Tensor, timed: bool) -> tuple[float, float]:
    """Returns the share of arithmetic, and of time (NaN if not timed), that a switch runs again."""
    from benchmark.scoring.cost import counting

    if not names:
        return 0.0, 0.0
    with counting() as counter:
        work = 1 - until(network, names, x, counter.get_total_flops)
    if not timed:
        return work, float("nan")
    times = [1 - until(network, names, x, time.perf_counter) for _ in range(ROUNDS + 1)]
    return work, statistics.median(times[1:])


def tables(parts: Sequence[Part]) -> Tables:
    """Returns one line per method (``single_layer``), and its scores (``levels``)."""
    import pandas as pd
    import torch

    from benchmark.report.words import physical
    from benchmark.scoring.cost import parameters_stored

    (part,) = parts
    task = part.task
    found = scores(part.rows, task)
    means = level_means(found, task.headline)
    reasons = unscored(found, task.headline, means)
    if not means:
        raise JobError("nothing was scored, so there is nothing to compare")
    x, lines, levels = torch.rand(1, 3, SIDE, SIDE), [], []
    for name, method in part.methods.items():
        ends = method.tuned(task.space.first), method.tuned(task.space.last)
        names = changed(*ends)
        work, spent = again(ends[0], names, x, part.timed)
        stored = parameters_stored(method)
        for run in found:
            if run.method != name:
                continue
            own = means.get(run, {})
            lines.append(
                {
                    "method": name,
                    "dataset": run.dataset,
                    "mean": statistics.fmean(own.values()) if own else math.nan,
                    "layers": len(names),
                    "stored": stored,
                    "macs_again": work,
                    "time_again": spent,
                    "reason": reasons.get(run, ""),
                }
            )
            levels += [
                {
                    "method": name,
                    "dataset": run.dataset,
                    "level": level,
                    "physical": physical(task, level),
                    "value": value,
                }
                for level, value in own.items()
            ]
    return {"single_layer": pd.DataFrame(lines), "levels": pd.DataFrame(levels)}


def draw(tables: Tables, task: Task) -> Figure:
    """Draws quality at every level, and how much of the network runs again after a switch."""
    from benchmark.report.words import axis_name, metric_name
    from benchmark.studies import drawing

    table, levels = tables["single_layer"], tables["levels"]
    first = levels["dataset"].iloc[0]
    table, levels = (one[one["dataset"] == first] for one in (table, levels))
    looks = drawing.looks(dict.fromkeys(table["method"]))
    figure, grid = drawing.panels(f"{task.name} on {first}: one layer or all", 2)
    for method, own in levels.groupby("method", sort=False):
        drawing.line(grid[0][0], own["level"].astype(float), own["value"], looks[str(method)])
    ticks = levels.drop_duplicates("level")
    drawing.level_ticks(grid[0][0], ticks["level"], ticks["physical"])
    grid[0][0].set(xlabel=axis_name(task), ylabel=metric_name(task.headline))
    drawing.legend(figure, looks, axes=grid[0][0])
    spots = range(len(table))
    bars = {"macs_again": "arithmetic", "time_again": "time"}
    known = [column for column in bars if table[column].notna().any()]
    for at, column in enumerate(known):
        color = drawing.COLORS[list(bars).index(column) + 4]
        places = [spot + 0.4 * (at - (len(known) - 1) / 2) for spot in spots]
        grid[0][1].bar(places, 100 * table[column], 0.36, color=color, label=bars[column])
    grid[0][1].set_xticks(list(spots), table["method"])
    grid[0][1].set_xlim(-0.6, len(table) - 0.4)
    grid[0][1].set_ylabel("runs again after a switch, %")
    grid[0][1].legend(fontsize=8)
    return figure


STUDY = Study(
    summary="only one layer depends on the level: quality, and what a switch makes run again",
    source="DL's extension",
    task="denoise",
    methods=("decouple", "decouple_fast"),
    tables=tables,
    draw=draw,
    one_dial=True,
    scores=True,
    refuses=unfolded,
)
