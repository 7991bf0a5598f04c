"""How far results move with the seed, beside how far methods are apart and how sure images are of it."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from benchmark.analysis.comparison import merits, upwards
from benchmark.analysis.scores import Found, Run, scores
from benchmark.analysis.statistics import centre, interval, mean_and_deviation, ranks
from benchmark.errors import JobError, UserError
from benchmark.planning.request import Choice, Request
from benchmark.registry.discovery import METHODS
from benchmark.report.series import Series
from benchmark.studies.study import Part, Study, Tables

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from benchmark.tasks import Task

KEYS = ("method", "backbone", "dataset")


def with_floor(request: Request) -> list[Request]:
    """Returns the request, with the floor that areas are measured from.

    Raises:
        UserError: If one seed alone was named, or fewer than two methods that compete.
    """
    from benchmark import tasks

    if len(request.seeds) < 2:
        raise UserError("one seed has nothing to be compared with; give several, like --seeds 0,1")
    methods = request.methods
    if sum(not Series(one.method, "", "").baseline for one in methods) < 2:
        raise UserError(
            "one method has nothing to be compared with; give several, like --methods dni,ftn"
        )
    if tasks.get(request.task).perception and not any(one.method == "floor" for one in methods):
        methods = (*methods, Choice("floor"))
    return [dataclasses.replace(request, methods=methods)]


def worth(found: Found, task: Task) -> dict[str, dict[int, dict[Run, np.ndarray]]]:
    """Returns what every image is worth (see ``merits``), by data set, seed and run.

    Raises:
        JobError: If a run has no value with one of the seeds, or there are no two runs or seeds.
    """
    contest = [run for run in found if not Series(*run[:3]).baseline]
    seeds = sorted({seed for run in contest for seed in found[run]})
    few = JobError("it takes two methods and two seeds to compare one with the other")
    if not contest:
        raise few
    values: dict[str, dict[int, dict[Run, np.ndarray]]] = {}
    for dataset in dict.fromkeys(run.dataset for run in contest):
        own = [run for run in contest if run.dataset == dataset]
        values[dataset] = {}
        for seed in seeds:
            one = {run: {seed: by[seed]} for run, by in found.items() if seed in by}
            values[dataset][seed], reasons = merits(one, task, own)
            for run, reason in reasons.items():
                raise JobError(f"{run.method} has no value on {dataset} with seed {seed}: {reason}")
        if len(own) < 2 or len(seeds) < 2:
            raise few
    return values


def spread(found: Found, task: Task) -> Tables:
    """Returns how results differ with the seed.

    Args:
        found: Output of ``scores.scores``.
        task: The task; ranks are by what ranks its methods.

    Returns:
        ``seeds``, a line per method: the ``mean`` over seeds, their deviation (``seed_std``) and
        ends (``lowest``, ``highest``), half the 95 % interval over images of the distance from the
        centre of the field with one seed (``over_images``, the mean over seeds), the ``rank`` of the
        mean over seeds, and the best and worst with one seed alone.
        ``runs``, a line per method and seed. ``pairs``, a line per two methods: their
        ``difference`` and its deviation over seeds, the share of seeds that order them as the mean
        does (``agree``), that tell them apart by images (``apart``), and that do so the other way
        round (``reversed``).

    Raises:
        JobError: If a run has no value with one of the seeds, or there are no two runs or seeds.
    """
    import numpy as np
    import pandas as pd

    runs: list[dict[str, Any]] = []
    pairs: list[dict[str, Any]] = []
    up = upwards(task)
    for seeds in worth(found, task).values():
        own = list(next(iter(seeds.values())))
        together = ranks(
            {run: np.mean([by[run] for by in seeds.values()], axis=0) for run in own}, up
        )
        alone = {seed: ranks(values, up) for seed, values in seeds.items()}
        field = {seed: centre(np.array([*values.values()])) for seed, values in seeds.items()}
        for run, (seed, values) in itertools.product(own, seeds.items()):
            low, high = interval(values[run] - field[seed])
            runs.append(
                {
                    **_named(run),
                    "seed": seed,
                    "value": float(values[run].mean()),
                    "over_images": float(high - low) / 2,
                    "rank": alone[seed][run],
                    "rank_of_mean": together[run],
                }
            )
        pairs += [_pair(one, other, seeds) for one, other in itertools.combinations(own, 2)]
    table = pd.DataFrame(runs)
    about = table.groupby(list(KEYS), sort=False).agg(
        mean=("value", "mean"),
        seed_std=("value", "std"),
        lowest=("value", "min"),
        highest=("value", "max"),
        over_images=("over_images", "mean"),
        rank=("rank_of_mean", "first"),
        best_rank=("rank", "min"),
        worst_rank=("rank", "max"),
        seeds=("seed", "count"),
    )
    table = table.drop(columns="rank_of_mean")
    return {"seeds": about.reset_index(), "runs": table, "pairs": pd.DataFrame(pairs)}


def _named(run: Run) -> dict[str, str]:
    return {key: getattr(run, key) for key in KEYS}


def _pair(one: Run, other: Run, seeds: dict[int, dict[Run, np.ndarray]]) -> dict[str, Any]:
    """Returns how two methods differ from seed to seed; without a difference there is no order."""
    images = [values[one] - values[other] for values in seeds.values()]
    differences = [float(values.mean()) for values in images]
    mean, deviation = mean_and_deviation(differences)
    ends = [interval(values) for values in images]
    apart = [1 if low > 0 else -1 if high < 0 else 0 for low, high in ends]
    count = len(seeds)
    return {
        **_named(one),
        "other": other.method,
        "difference": mean,
        "seed_std": deviation,
        "agree": sum(value * mean > 0 for value in differences) / count if mean else math.nan,
        "apart": sum(map(abs, apart)) / count,
        "reversed": sum(value * mean < 0 for value in apart) / count if mean else math.nan,
        "seeds": count,
    }


def tables(parts: Sequence[Part]) -> Tables:
    """Returns the tables of ``spread``."""
    (part,) = parts
    return spread(scores(part.rows, part.task), part.task)


def draw(tables: Tables, task: Task) -> Figure:
    """Draws every seed's value, a row per method, over the interval that the images of one give."""
    from benchmark.report import words
    from benchmark.studies import drawing

    about, runs = tables["seeds"], tables["runs"]
    groups = list(about.groupby(["dataset", "backbone"], sort=False))
    looks = drawing.looks(dict.fromkeys(about["method"]))
    count = int(about["seeds"].max())
    most = max(len(own) for _, own in groups)
    title = f"{task.name}: {words.merit(task)} with {count} seeds"
    figure, (row,) = drawing.panels(title, len(groups), size=(5.2, 0.9 + 0.34 * most))
    for axes, ((dataset, backbone), own) in zip(row, groups, strict=True):
        ordered = own.sort_values("mean", ascending=upwards(task))
        for at, line in enumerate(ordered.itertuples()):
            mine = runs[(runs["method"] == line.method) & (runs["dataset"] == dataset)]
            _row(axes, at, line, mine["value"], looks[line.method])
        axes.set_yticks(range(len(ordered)), labels=list(ordered["method"]), fontsize=8)
        axes.set(title=f"{dataset}, {backbone}", xlabel=words.merit_name(task))
    _legend(figure)
    return figure


def _row(axes: Axes, at: int, line: Any, values: Any, look: Any) -> None:
    bars = axes.barh(
        at, 2 * line.over_images, left=line.mean - line.over_images, height=0.62, color="#dddddd"
    )
    for bar in bars:
        # Else the axis ends where the first bar begins, as if it were cut off.
        bar.sticky_edges.x.clear()
    axes.plot([line.mean] * 2, [at - 0.31, at + 0.31], color="#444444", linewidth=1.2)
    axes.plot(values, [at] * len(values), color=look.color, marker="o", markersize=5, linestyle="")


def _legend(figure: Figure) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles = [
        Line2D([], [], color="#444444", marker="o", linestyle="", markersize=5, label="one seed"),
        Line2D([], [], color="#444444", linewidth=1.2, label="mean over seeds"),
        Patch(facecolor="#dddddd", label="95 % interval over images, of one seed"),
    ]
    figure.legend(handles=handles, loc="outside lower right", ncols=3, fontsize=8)


STUDY = Study(
    summary="how far results move with the seed, and whether the order of methods holds",
    source="asked by users",
    task="denoise",
    methods=tuple(METHODS),
    tables=tables,
    draw=draw,
    seeds="0,1,2,3,4",
    requests=with_floor,
    scores=True,
)
