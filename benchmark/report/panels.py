"""The frame of the curves: panels under a title, and the legend beside them."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmark.report.series import Series, labels
from benchmark.report.style import Style

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ACROSS = 3
PANEL = (3.9, 3.4)
"""Width and height of a panel in inches."""
LEGEND = 1.9
"""Least width of the legend in inches."""
NAME = 30
"""Letters of a name that is written in one line."""
MARGIN = 0.15
"""Inches above and below the legend, together, and beside it."""
GRAY = "#444444"


@dataclass(frozen=True)
class Sign:
    """What the legend explains beside the series.

    Args:
        label: What it means.
        looks: ``start`` or ``end`` of a curve, or a ``band``.
    """

    label: str
    looks: str


START = Sign("start of the dial", "start")
END = Sign("end of the dial", "end")
FIRST = Sign("first level", "start")


def band(seeds: Sequence[int]) -> Sign:
    """Returns what bands and whiskers mean.

    Args:
        seeds: Over how many seeds they are, fewest first.
    """
    count = " to ".join(map(str, dict.fromkeys((seeds[0], seeds[-1]))))
    # Short lines, which leave the panels their width.
    return Sign(f"bands, whiskers:\n± deviation\nover {count} seeds", "band")


def panels(count: int, rows: int, title: str) -> tuple[Figure, list[list[Axes]]]:
    """Returns a figure and, per row of a panel, its axes by data set.

    Args:
        count: Data sets.
        rows: Rows of a panel, 1 or 2.
        title: Of the figure.
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    across = min(count, ACROSS)
    bands = math.ceil(count / across)
    width = PANEL[0] * across + LEGEND
    height = PANEL[1] * bands * (1.65 if rows > 1 else 1.0)
    figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.06))
    title = textwrap.fill(title, round(11 * width))
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    grid = figure.subplots(
        bands * rows, across, squeeze=False, height_ratios=[1.6, 1][:rows] * bands
    )
    for spare in range(count, bands * across):
        for row in range(rows):
            grid[(spare // across) * rows + row][spare % across].set_visible(False)
    return figure, [
        [grid[(at // across) * rows + row][at % across] for at in range(count)]
        for row in range(rows)
    ]


def legend(
    figure: Figure,
    looks: Mapping[Series, Style],
    extra: Mapping[Series, str],
    signs: Sequence[Sign],
    joined: bool = True,
) -> None:
    """Writes the legend beside the panels and below the title; a figure grows until it has room.

    Args:
        figure: The figure.
        looks: Style by series, in the order of the legend.
        extra: What follows the names of some.
        signs: What else there is to explain.
        joined: Whether lines are drawn; else markers stand alone here as well.
    """
    from matplotlib.lines import Line2D

    names = labels(looks)
    handles: list[Artist] = [
        Line2D(
            [],
            [],
            color=look.color,
            linestyle=look.line if joined else "",
            marker=look.marker,
            markersize=8 if look.marker == "*" else 6,
            label=_lines(names[one]) + extra.get(one, ""),
        )
        for one, look in looks.items()
    ]
    handles += [_handle(sign) for sign in signs]
    written = figure.legend(handles=handles, loc="upper right", handlelength=3.2, labelspacing=0.7)
    (title,) = figure.texts
    above = title.get_window_extent().height / figure.dpi
    wide, high = written.get_window_extent().size / figure.dpi + MARGIN
    width = figure.get_figwidth() + max(wide - LEGEND, 0.0)
    height = max(figure.get_figheight(), above + high)
    figure.set_size_inches(width, height)
    written.set_bbox_to_anchor((0, 0, 1, 1 - above / height))
    figure.get_layout_engine().set(rect=(0, 0, 1 - wide / width, 1))


def _lines(name: str) -> str:
    """Returns a name as it stands in the legend: a long one with its backbone in another line."""
    return name if len(name) <= NAME else name.replace(" · ", " ·\n")


def _handle(sign: Sign) -> Artist:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    if sign.looks == "band":
        return Patch(facecolor=GRAY, alpha=0.3, linewidth=0, label=sign.label)
    hollow = {"markerfacecolor": "white"} if sign.looks == "start" else {}
    plain = {"color": GRAY, "linestyle": "", "marker": "o", "markersize": 7}
    return Line2D([], [], label=sign.label, **plain, **hollow)
