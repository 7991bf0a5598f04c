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
"""Letters of names that fit below a panel in one line."""
DIGITS = 40
"""Digits that do."""
GAP = 0.8
"""Least room between two numbers there, in digits."""


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
    """Marks the ends of every line on its axis, and below it the values of the others.

    Where not all ends have room for their values, those of the first whole line stand for all.
    """
    axis = along(task) or 0
    names = words.axis_name(task).split(" / ")
    ends: list[dict[float, str]] = []
    below: dict[float, str] = {}
    lines = strokes(where, axis)
    most = max(map(len, lines))
    for part in lines:
        values = words.physical(task, part[0]).split("/")
        shared = values[:axis] + values[axis + 1 :]
        below[(where[part[0]] + where[part[-1]]) / 2] = "\n".join(shared)
        own = {where[at]: words.physical(task, at).split("/")[axis] for at in (part[0], part[-1])}
        ends.append(own)
    above = {place: text for own in ends for place, text in own.items()}
    low, high = axes.get_xlim()
    whole = [own for own, part in zip(ends, lines, strict=True) if len(part) == most]
    written = _fitting([above, whole[0]], (high - low) / DIGITS) if labelled else {}
    axes.set_xticks(list(above), [written.get(place, "") for place in above])
    axes.set_xticks(
        list(below), list(below.values()) if labelled else [""] * len(below), minor=True
    )
    # A line of one level has the values of all its axes at one place.
    axes.xaxis.remove_overlapping_locs = False
    axes.tick_params(axis="x", which="minor", length=0, pad=17)
    if sum(map(len, below.values())) > LETTERS:
        for text in axes.get_xticklabels(minor=True):
            text.set(rotation=35, ha="right", rotation_mode="anchor")
    axes.grid(False, axis="x", which="minor")
    if labelled:
        axes.set_xlabel("\n".join([names.pop(axis), *names]))


def _fitting(choices: Sequence[dict[float, str]], digit: float) -> dict[float, str]:
    """Returns the first choice of which no texts touch; of the last one, else, those that have room.

    Args:
        choices: Texts by place, in order.
        digit: The width of a digit.
    """

    def apart(one: tuple[float, str], other: tuple[float, str]) -> bool:
        return other[0] - one[0] >= digit * ((len(one[1]) + len(other[1])) / 2 + GAP)

    for choice in choices:
        if all(apart(one, other) for one, other in itertools.pairwise(choice.items())):
            return choice
    kept: list[tuple[float, str]] = []
    for one in choices[-1].items():
        if not kept or apart(kept[-1], one):
            kept.append(one)
    return dict(kept)
