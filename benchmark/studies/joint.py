"""What it costs to serve many operators with one network, against one network for each."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from benchmark.analysis.scores import pictures
from benchmark.errors import JobError, UserError
from benchmark.planning.request import Choice, Request
from benchmark.studies.study import Part, Study, Tables

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from benchmark.tasks import Task

FILTERS = {name: f"filter-{name.lower()}" for name in ("L0", "WLS", "RTV", "RGF", "WMF", "shock")}
RESTORATIONS = ("SR", "denoise", "deblock", "derain")
JOINT = {
    "operators-10": ("operators-10", "operators-6", "operators-4"),
    "operators-6": ("operators-6",),
    "operators-4": ("operators-4",),
}
"""Joint tasks to compare, by the task that was asked for."""
STRENGTHS = 3


def requests(request: Request) -> list[Request]:
    """Returns the joint tasks, then the same operators one network each.

    A filter with a dial is learned by the same method on the filter's own task; the shock filter
    and the restorations, which have no dial there, by plain networks from scratch. All have the
    steps of one joint stage.

    Raises:
        UserError: If the task is not a joint one, or several methods are named.
    """
    from benchmark import tasks

    if request.task not in JOINT:
        raise UserError(f"this study needs one of: {', '.join(JOINT)}; {request.task} is not joint")
    if len(request.methods) != 1:
        named = ", ".join(one.method for one in request.methods)
        raise UserError(f"this study compares one method with itself; choose one of: {named}")

    def of(task: str, *methods: Choice) -> Request:
        levels = tasks.get(task).space.lattice(STRENGTHS)
        return dataclasses.replace(
            request, task=task, methods=methods or request.methods, levels=levels
        )

    names = JOINT[request.task]
    wanted = [of(name) for name in names]
    if set(names) & {"operators-10", "operators-6"}:
        wanted += [of(task) for name, task in FILTERS.items() if name != "shock"]
        wanted += [of(FILTERS["shock"], Choice("experts:alone=True"))]
    if set(names) & {"operators-10", "operators-4"}:
        wanted += [of("operators-4", Choice("experts:alone=True:count=4"))]
    return wanted


def values(rows: pd.DataFrame, task: Task) -> Iterator[tuple[str, str, str, float]]:
    """Yields (operator, strength, image, value) of the headline metric with the dial at the level.

    The strength of a filter is its level. That of a restoration is unseen and part of the image's
    name; the level's says nothing then.
    """
    from benchmark.control import parse_level

    own = rows[(rows["metric"] == task.headline) & (rows["status"] == "ok")]
    own = own[(own["set_level"] == own["level"]) | (own["set_level"] == "")]
    images = list(dict.fromkeys(own["image"]))
    picture_of = {images[at]: name for name, of in pictures(images, task).items() for at in of}
    for level, image, value in zip(own["level"], own["image"], own["value"], strict=True):
        physical = dict(zip(task.space.axes, task.space.physical(parse_level(level)), strict=True))
        names = [axis.text(at) for axis, at in physical.items() if axis.names]
        operator = names[0] if names else _operator_of(task)
        picture = picture_of[image]
        unseen = image.removeprefix(picture).partition("=")[2]
        strength = level.partition("/")[0] if operator in FILTERS else unseen
        yield operator, strength, picture, float(value)


def _operator_of(task: Task) -> str:
    (name,) = [name for name, own in FILTERS.items() if own == task.base]
    return name


def compare(single: pd.DataFrame, joint: pd.DataFrame) -> pd.DataFrame:
    """Returns one line per operator: single, each joint training, and the drops.

    Args:
        single: Columns operator, strength, image, value.
        joint: The same, with the joint task in ``task``.

    Only strengths and images that both sides have are compared.
    """
    import pandas as pd

    keys = ["operator", "strength", "image"]
    pairs = joint.groupby(["task", *keys], sort=False)["value"].mean().reset_index()
    pairs = pairs.merge(single.groupby(keys)["value"].mean().reset_index(), on=keys)
    means = pairs.groupby(["operator", "task"], sort=False)[["value_x", "value_y"]].mean()
    counts = pairs.groupby(["operator", "task"], sort=False)["image"].count()
    table = means.rename(columns={"value_x": "joint", "value_y": "single"}).reset_index()
    table["drop"] = table["single"] - table["joint"]
    table["pairs"] = counts.to_numpy()
    order = {name: at for at, name in enumerate((*FILTERS, *RESTORATIONS))}
    table = table.sort_values("operator", key=lambda one: one.map(order), kind="stable")
    average = table.groupby("task")["drop"].mean()
    return pd.DataFrame(table.reset_index(drop=True)).assign(
        mean_drop=table["task"].map(average).to_numpy()
    )


def tables(parts: Sequence[Part]) -> Tables:
    """Returns the comparison."""
    import pandas as pd

    joint, single = [], []
    for part in parts:
        if part.rows.empty:
            continue
        here = part.plan.request.task in JOINT and part.plan.request.methods == (
            parts[0].plan.request.methods
        )
        for found in values(part.rows, part.task):
            line = dict(zip(("operator", "strength", "image", "value"), found, strict=True))
            (joint if here else single).append({"task": part.task.name, **line})
    if not joint or not single:
        raise JobError("either the joint or the single networks gave no scores; see what failed")
    return {"joint": compare(pd.DataFrame(single).drop(columns="task"), pd.DataFrame(joint))}


def draw(tables: Tables, task: Task) -> Figure:
    """Draws what each operator loses when it shares its network."""
    from benchmark.metrics.records import METRICS
    from benchmark.studies import drawing

    table = tables["joint"]
    operators, joint = (list(dict.fromkeys(table[key])) for key in ("operator", "task"))
    width = max(4.2, 0.62 * len(operators) + 1.2)
    figure, grid = drawing.panels(
        "Operators that share one network", 1, size=(width, 3.2), side=1.6
    )
    axes, share = grid[0][0], 0.8 / len(joint)
    looks = drawing.distinct(joint)
    joint_of = {one: sorted(own["task"], key=joint.index) for one, own in table.groupby("operator")}
    for name in joint:
        own = table[table["task"] == name].set_index("operator")["drop"]
        spots = [operators.index(one) + _beside(joint_of[one], name) * share for one in own.index]
        axes.bar(spots, own, 0.9 * share, color=looks[name].color, label=name)
    axes.axhline(0, color="#444444", linewidth=0.8)
    axes.set_xticks(range(len(operators)), operators)
    metric = METRICS[task.headline]
    axes.set_ylabel(f"{metric.label} lost against one\nnetwork for the operator, {metric.unit}")
    figure.legend(loc="outside right center", fontsize=8)
    return figure


def _beside(names: list[str], name: str) -> float:
    """Returns where a bar stands among those of its operator, in bars from their middle."""
    return names.index(name) - (len(names) - 1) / 2


STUDY = Study(
    summary="one network for 4, 6 or 10 operators against one for each, at equal steps",
    source="DL Table 4",
    task="operators-10",
    methods=("decouple",),
    tables=tables,
    draw=draw,
    requests=requests,
    own_levels=True,
    scores=True,
)
