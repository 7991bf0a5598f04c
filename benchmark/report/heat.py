"""The level x dial matrix as heat maps: what a wrong dial costs at every true level."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from benchmark.analysis.matrix import averaged, best, psnr
from benchmark.analysis.scores import NO_MATRIX, Found, Run
from benchmark.metrics.records import METRICS
from benchmark.report import words
from benchmark.report.marks import contrast
from benchmark.report.series import Series, labels, place
from benchmark.report.style import drawing, files

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    from benchmark.tasks import Task

ACROSS = 10.8
"""Inches that panels take side by side."""
PANEL = 2.7
"""Least width and height of a panel in inches."""
AROUND = 0.6
"""What the labels of a panel take of it."""
CELL = 0.13
"""Least width and height of a cell, which leave room for its label."""
LETTER = 0.065
"""Width of a letter of such a label."""
BAR = 1.3
MAP = "cividis_r"
"""Even in lightness, and the same to colour-blind readers."""
POINT: dict[str, Any] = {"color": "black", "linestyle": "", "marker": "o", "markersize": 6}
MOST_NUMBERS = 9
"""Levels up to which the cells hold numbers."""

Panel = tuple[tuple[str, ...], "np.ndarray"] | str
"""Levels and means (levels, dials), larger is better; or why there are none."""


def heat(found: Found, task: Task) -> dict[str, bytes]:
    """Returns ``matrix.svg`` and ``matrix.png``, or nothing if no dial was ever set wrong."""
    every = panels(found, task)
    if not every:
        return {}
    with drawing("matrix"):
        return {f"matrix.{suffix}": blob for suffix, blob in files(matrix(every, task)).items()}


def panels(found: Found, task: Task) -> dict[Run, Panel]:
    """Returns a panel for every run of which any cell off the diagonal was scored; baselines last."""
    every = averaged(found, task)
    return {
        run: one if isinstance(one, str) else (one.levels, one.over(one.images))
        for run, one in sorted(every.items(), key=lambda item: place(Series(*item[0][:3])))
        if one != NO_MATRIX
    }


def shades(panels: dict[Run, Panel]) -> tuple[dict[Run, np.ndarray], Normalize]:
    """Returns what every dial loses against the best one at its level, and the common colour scale."""
    from matplotlib.colors import PowerNorm

    losses = {
        run: panel[1].max(axis=1, keepdims=True) - panel[1]
        for run, panel in panels.items()
        if not isinstance(panel, str)
    }
    top = max((float(loss.max()) for loss in losses.values()), default=0.0)
    # The square root spreads out the small losses around the best dial, which matter most.
    return losses, PowerNorm(0.5, vmin=0.0, vmax=top or 1.0)


def shade(
    value: float, norm: Normalize, colours: str = MAP
) -> tuple[tuple[float, float, float], str]:
    """Returns the colour of a value (from 0 to 1), and a colour for text on it."""
    import matplotlib

    red, green, blue, _ = matplotlib.colormaps[colours](norm(value))
    seen = [255 * part for part in (red, green, blue)]
    dark = contrast(seen, (255, 255, 255)) > contrast(seen, (0, 0, 0))
    return (red, green, blue), "white" if dark else "black"


def loss_text(value: float) -> str:
    """Returns a loss with as many decimals as a cell has room for."""
    return words.number(value, 2 if value < 9.95 else 1)


def title(task: Task) -> str:
    """Returns the title of the figure."""
    return f"{task.name}: {METRICS[psnr(task)].label} lost when the dial is set to another level"


def matrix(panels: dict[Run, Panel], task: Task) -> Figure:
    """Returns a heat map for every run, true levels downwards and dials to the right."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    losses, norm = shades(panels)
    most = max((loss.shape[0] for loss in losses.values()), default=0)
    side = max(PANEL, AROUND + CELL * most)
    across = max(1, min(len(panels), int(ACROSS / side)))
    bands = math.ceil(len(panels) / across)
    size = (side * across + BAR, side * bands + 0.9)
    figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.06))
    figure.suptitle(title(task), x=0.01, ha="left", fontsize=11)
    grid = figure.subplots(bands, across, squeeze=False)
    for spare in range(len(panels), bands * across):
        grid[spare // across][spare % across].set_visible(False)
    names, several = names_of(panels), len({run.dataset for run in panels}) > 1
    for at, (run, panel) in enumerate(panels.items()):
        axes = grid[at // across][at % across]
        axes.set_title(f"{names[run]} on {run.dataset}" if several else names[run], fontsize=9)
        if isinstance(panel, str):
            _say(axes, panel)
        else:
            _map(axes, losses[run], norm)
            _label(axes, [words.physical(task, level) for level in panel[0]], side)
        axes.set_xlabel("dial" if at + across >= len(panels) else "")
        axes.set_ylabel("true level" if at % across == 0 else "")
    bar = figure.colorbar(ScalarMappable(norm, MAP), ax=grid, shrink=0.8, aspect=30, pad=0.02)
    bar.set_label(f"loss against the level's best dial{words.unit(psnr(task))}")
    bar.outline.set_visible(False)
    _legend(figure, task)
    return figure


def _map(axes: Axes, loss: np.ndarray, norm: Normalize) -> None:
    count = len(loss)
    edges = [at - 0.5 for at in range(count + 1)]
    axes.pcolormesh(edges, edges, loss, cmap=MAP, norm=norm, edgecolors="white", linewidth=0.5)
    for at in range(count):
        for frame in _frame((at - 0.45, at - 0.45), 0.9):
            axes.add_patch(frame)
    chosen = best(-loss)
    axes.plot(chosen, range(count), **POINT)
    for row in range(count if count <= MOST_NUMBERS else 0):
        for column in range(count):
            if column != chosen[row]:
                value = float(loss[row, column])
                axes.text(
                    column,
                    row,
                    loss_text(value),
                    ha="center",
                    va="center",
                    fontsize=6.5 if count <= 7 else 5.5,
                    color=shade(value, norm)[1],
                )
    axes.set(xticks=range(count), yticks=range(count), aspect="equal", ylim=(count - 0.5, -0.5))
    bare(axes)


def bare(axes: Axes) -> None:
    """Leaves cells to speak for themselves: no ticks, grid or frame."""
    axes.tick_params(length=0)
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _frame(corner: tuple[float, float], side: float) -> list[Rectangle]:
    """Returns a frame of two lines, one of which shows on any colour."""
    from matplotlib.patches import Rectangle

    looks = (("black", 2.2), ("white", 0.9))
    return [
        Rectangle(corner, side, side, fill=False, edgecolor=color, linewidth=width, zorder=2)
        for color, width in looks
    ]


def _label(axes: Axes, texts: Sequence[str], side: float) -> None:
    """Writes the levels beside the cells, upright where they are wider than these."""
    wide = max(map(len, texts)) * LETTER > (side - AROUND) / len(texts)
    axes.set_xticklabels(texts, fontsize=7.5, rotation=90 if wide else 0)
    axes.set_yticklabels(texts, fontsize=7.5)


def _say(axes: Axes, text: str) -> None:
    import textwrap

    axes.set(xticks=[], yticks=[])
    axes.grid(False)
    axes.text(0.5, 0.5, textwrap.fill(text, 26), ha="center", va="center", fontsize=8)


def names_of(panels: dict[Run, Panel]) -> dict[Run, str]:
    """Returns short names of runs, which tell those of one data set apart."""
    found = {}
    for dataset in {run.dataset for run in panels}:
        own = {run: Series(*run[:3]) for run in panels if run.dataset == dataset}
        short = labels(own.values())
        found |= {run: short[one] for run, one in own.items()}
    return found


def _legend(figure: Figure, task: Task) -> None:
    from matplotlib.lines import Line2D

    frame = tuple(_frame((0, 0), 1))
    point = Line2D([], [], **POINT)
    figure.legend(
        handles=[frame, point],
        labels=["linear dial: set to the true level", "best dial at the true level"],
        loc="outside lower left",
        ncols=2,
        fontsize=8,
        title=f"Levels are {words.axis_name(task)}",
        title_fontsize=8,
        alignment="left",
    )
