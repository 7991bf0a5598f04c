"""What the figures of studies share."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from benchmark.report.series import Series
from benchmark.report.style import COLORS, LINES, MARKERS, Style, styles

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL = (3.9, 3.2)
"""Width and height of a panel in inches."""


def looks(methods: Iterable[str]) -> dict[str, Style]:
    """Returns a style per method, the same as in reports."""
    return {one.method: look for one, look in styles(Series(m, "", "") for m in methods).items()}


def distinct(names: Iterable[str]) -> dict[str, Style]:
    """Returns styles of things that are no methods; ten or more still differ by marker and line."""
    return {
        name: Style(
            COLORS[at % len(COLORS)],
            MARKERS[at % len(MARKERS)],
            LINES[at // len(COLORS) % len(LINES)],
        )
        for at, name in enumerate(dict.fromkeys(names))
    }


def panels(
    title: str, across: int, down: int = 1, size: tuple[float, float] = PANEL, side: float = 0.0
) -> tuple[Figure, Any]:
    """Returns a figure and its axes (down, across), with a title at the upper left.

    Args:
        title: The title.
        across: Panels side by side.
        down: Rows of panels.
        size: Width and height of a panel in inches.
        side: Room for a legend beside them, in inches.
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    engine = ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.06)
    # A title of one line needs about a thirteenth of an inch a letter.
    width = max(size[0] * across + side, len(title) / 13 + 0.2)
    figure = Figure(figsize=(width, size[1] * down + 0.4), layout=engine)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    return figure, figure.subplots(down, across, squeeze=False)


def line(axes: Axes, x: Iterable[float], y: Iterable[float], look: Style) -> None:
    """Draws one series with its colour, line and marker; what has no value is left out."""
    pairs = [(a, b) for a, b in zip(x, y, strict=True) if math.isfinite(b)]
    axes.plot(
        [a for a, _ in pairs],
        [b for _, b in pairs],
        color=look.color,
        marker=look.marker,
        linestyle=look.line or "none",
        markersize=5,
        linewidth=1.3,
    )


def legend(
    figure: Figure,
    chosen: Mapping[str, Style],
    texts: Mapping[str, str] | None = None,
    axes: Axes | None = None,
    **more: Any,
) -> None:
    """Puts one legend beside all panels, or into one of them.

    Args:
        figure: The figure.
        chosen: Styles by name.
        texts: What to write instead of names.
        axes: The panel, if not beside all.
        more: What matplotlib's legends take.
    """
    from matplotlib.lines import Line2D

    handles = [
        Line2D(
            [],
            [],
            color=look.color,
            marker=look.marker,
            linestyle=look.line or "none",
            markersize=5,
            label=(texts or {}).get(name, name),
        )
        for name, look in chosen.items()
    ]
    if axes is not None:
        axes.legend(handles=handles, fontsize=8, **more)
    else:
        figure.legend(handles=handles, loc="outside right center", fontsize=8, **more)


def level_ticks(axes: Axes, levels: Iterable[str], texts: Iterable[str]) -> None:
    """Marks levels at their places on the x axis with what they physically are."""
    axes.set_xticks([float(level) for level in levels])
    axes.set_xticklabels(list(texts), fontsize=8)
