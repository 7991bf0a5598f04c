"""Where levels lie along a horizontal axis, and how they are marked there."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from benchmark.control import level_key
from benchmark.report import words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from benchmark.tasks import Task

TICKS = 9
SPREAD = 0.7
"""Part of the room between two names that markers side by side take."""
LETTERS = 35
"""Letters that fit below a panel in one line."""


def along(task: Task) -> int | None:
    """Returns the axis that lines run along: the last one whose values have no names, if any."""
    return max((at for at, axis in enumerate(task.space.axes) if not axis.names), default=None)


def strokes(levels: Iterable[str], axis: int | None = 0) -> list[list[str]]:
    """Returns levels in parts that a line may join: those that differ on one axis only.

    Without an axis no line joins any: names such as operators have no order.
    """

    def shared(level: str) -> tuple[float, ...]:
        key = level_key(level)
        return key if axis is None else (*key[:axis], *key[axis + 1 :])

    ordered = sorted(levels, key=lambda one: (shared(one), level_key(one)))
    return [list(part) for _, part in itertools.groupby(ordered, shared)]


def places(parts: Sequence[Sequence[str]]) -> dict[str, float]:
    """Returns where the levels of strokes lie: at their value for one axis; else line after line."""
    levels = [level for part in parts for level in part]
    if all(len(level_key(level)) == 1 and math.isfinite(level_key(level)[0]) for level in levels):
        return {level: level_key(level)[0] for level in levels}
    found, at = {}, 0.0
    for part in parts:
        for level in part:
            found[level] = at
            at += 1
        at += 0.5
    return found


def beside(where: dict[str, float], count: int, axis: int | None) -> list[float]:
    """Returns how far each of several series is drawn beside the places of levels.

    Where no line joins them, markers would cover each other, so they stand side by side.

    Args:
        where: Output of ``places``.
        count: How many series there are.
        axis: The axis that lines run along, if any.
    """
    width = _width(where, axis)
    return [width * ((at + 0.5) / count - 0.5) for at in range(count)]


def _width(where: dict[str, float], axis: int | None) -> float:
    """Returns how much room markers side by side take."""
    stops = sorted(where.values())
    if axis is not None or len(stops) < 2:
        return 0.0
    return SPREAD * min(high - low for low, high in itertools.pairwise(stops))


def mark(axes: Axes, task: Task, where: dict[str, float], labelled: bool) -> None:
    """Marks levels, with their physical values, leaving out those that would touch."""
    low, high = min(where.values()), max(where.values())
    margin = (0.05 * (high - low) or 0.5) + _width(where, along(task)) / 2
    axes.set_xlim(low - margin, high + margin)
    if task.space.d > 1:
        _mark_strokes(axes, task, where, labelled)
        return
    kept: list[str] = []
    for level, place in where.items():
        last = where[kept[-1]] if kept else -math.inf
        if place - last >= (high - low) / TICKS - 1e-9 or high == low:
            kept.append(level)
    axes.set_xticks([where[level] for level in kept], [""] * len(kept))
    if not labelled:
        return
    name = words.axis_name(task)
    both = words.has_physical(task)
    short = ["/".join(f"{value:.3g}" for value in level_key(level)) for level in kept]
    physical = [f"\n{words.physical(task, level)}" if both else "" for level in kept]
    axes.set_xticklabels([a + b for a, b in zip(short, physical, strict=True)])
    axes.set_xlabel(f"level\n{name}" if both else f"level ({name})")


def _mark_strokes(axes: Axes, task: Task, where: dict[str, float], labelled: bool) -> None:
    """Marks the ends of every line on its axis, and below it the values of the others."""
    axis = along(task) or 0
    names = words.axis_name(task).split(" / ")
    above: dict[float, str] = {}
    below: dict[float, str] = {}
    parts = strokes(where, axis)
    for part in parts:
        values = words.physical(task, part[0]).split("/")
        shared = values[:axis] + values[axis + 1 :]
        below[(where[part[0]] + where[part[-1]]) / 2] = "\n".join(shared)
        # With many short lines, the ends of the first one stand for those of all.
        ends = (part[0], part[-1])
        for level in ends if 2 * len(parts) <= TICKS + 1 or part is parts[0] else ():
            above[where[level]] = words.physical(task, level).split("/")[axis]
    axes.set_xticks(list(above), list(above.values()) if labelled else [""] * len(above))
    axes.set_xticks(
        list(below), list(below.values()) if labelled else [""] * len(below), minor=True
    )
    axes.tick_params(axis="x", which="minor", length=0, pad=17)
    if sum(map(len, below.values())) > LETTERS:
        for text in axes.get_xticklabels(minor=True):
            text.set(rotation=35, ha="right", rotation_mode="anchor")
    axes.grid(False, axis="x", which="minor")
    if labelled:
        axes.set_xlabel("\n".join([names.pop(axis), *names]))
