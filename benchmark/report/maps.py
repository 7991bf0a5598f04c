"""What a level for every pixel gives beside the best level that is the same for all of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from benchmark.control import level_key, level_text
from benchmark.metrics.records import METRICS
from benchmark.report import words
from benchmark.report.averages import matched
from benchmark.report.series import Series, labels, ordered
from benchmark.report.strip import APART, read, shown
from benchmark.report.style import drawing, files
from benchmark.results import CLEAN, INPUT, MAP, Results

if TYPE_CHECKING:
    from PIL import Image

    from benchmark.tasks import Task

MOST = 4
"""Methods that are shown."""
SIDE = 2.1
"""Width of a picture, in inches."""


def maps(results: Results, task: Task) -> dict[str, bytes]:
    """Returns ``map.png``: for each method the input, the level map and both results at the last level.

    There is none for tasks whose dial is not set by a map, or without pictures.
    """
    if task.dial != "map" or results.pictures.empty:
        return {}
    from matplotlib.cm import ScalarMappable
    from matplotlib.figure import Figure

    chosen = shown(results.pictures)
    level = max((one for _, one in chosen.paths if one), key=level_key)
    apart = {
        name: chosen.paths.get((Series(name, "", ""), "" if name == CLEAN else level))
        for name in (INPUT, MAP, CLEAN)
    }
    every = ordered(
        one
        for one, at in chosen.paths
        if one.method not in APART and not one.baseline and at == level
    )[:MOST]
    if not every:
        return {}
    rows = matched(results)
    # Another set may have an image of this name.
    own_image = (rows["dataset"] == chosen.dataset) & (rows["image"] == chosen.image)
    rows = rows[own_image & (rows["level"] == level)]
    names, many = labels(every), len(every)
    singles = dict(zip(results.pictures["path"], results.pictures["single"], strict=True))
    with drawing("map"):
        figure = Figure(figsize=(5 * SIDE + 0.4, many * (SIDE + 0.35) + 0.7), layout="constrained")
        figure.suptitle(title(task, chosen.image, level), x=0.01, ha="left", fontsize=11)
        grid = figure.subplots(many, 5, squeeze=False)
        for one, line in zip(every, grid, strict=True):
            own = chosen.paths[one, level]
            seed = rows[rows["seed"] == chosen.seeds[one]]
            values = {
                metric: _value(seed, one, metric) for metric in ("psnr-rgb", "psnr-rgb-single")
            }
            for axes, caption, path in zip(
                line,
                (
                    "input",
                    "level map",
                    f"best single level {values['psnr-rgb-single']}",
                    f"with the map {values['psnr-rgb']}",
                    "clean",
                ),
                (apart[INPUT], apart[MAP], singles[own], own, apart[CLEAN]),
                strict=True,
            ):
                _show(axes, caption, read(path) if path else None)
            line[0].set_ylabel(names[one])
        ends = task.space.first[0], level_key(level)[0]
        texts = [words.physical(task, level_text((one,))) for one in ends]
        bar = figure.colorbar(
            ScalarMappable(cmap="gray"), ax=list(grid[:, 1]), location="bottom", panchor=False
        )
        bar.set_ticks(ends, labels=texts)
        bar.set_label(words.axis_name(task), fontsize=8)
        bar.ax.tick_params(labelsize=8)
        return {"map.png": files(figure)["png"]}


def title(task: Task, image: str, level: str) -> str:
    """Returns what is shown: the image, its pattern, and from where to where the noise rises."""
    first = words.level_name(task, level_text(task.space.first))
    return f"{task.name}: {words.image_name(task, image)}, {first} to {words.physical(task, level)}"


def _value(rows, one: Series, metric: str) -> str:
    own = rows[rows["metric"] == metric]
    for name, value in one._asdict().items():
        own = own[own[name] == value]
    value = float(own["value"].iloc[0]) if len(own) else math.nan
    return f"({words.number(value, METRICS[metric].digits)} dB)"


def _show(axes, title: str, image: Image.Image | None) -> None:
    axes.set_title(title, fontsize=8)
    axes.set(xticks=[], yticks=[])
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set(visible=True, color="#bbbbbb", linewidth=0.6)  # white would merge with the page
    if image is not None:
        axes.imshow(image, interpolation="nearest")
