"""Where levels lie along a horizontal axis, and how they are marked there."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmark.report import words
from benchmark.report.series import level_key

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from benchmark.tasks import Task

TICKS = 9


def strokes(levels: Sequence[str]) -> list[list[str]]:
    """Returns levels in parts that a line may join: those that differ on the last axis only."""
    ordered = sorted(levels, key=level_key)
    return [list(part) for _, part in itertools.groupby(ordered, lambda one: level_key(one)[:-1])]


def places(levels: Sequence[str]) -> dict[str, float]:
    """Returns where levels lie: at their value for one axis; for several, line after line."""
    if all(len(level_key(level)) == 1 and math.isfinite(level_key(level)[0]) for level in levels):
        return {level: level_key(level)[0] for level in levels}
    found, at = {}, 0.0
    for part in strokes(levels):
        for level in part:
            found[level] = at
            at += 1
        at += 0.5
    return found


def mark(axes: Axes, task: Task, where: dict[str, float], labelled: bool) -> None:
    """Marks levels, with their physical values, leaving out those that would touch."""
    low, high = min(where.values()), max(where.values())
    margin = 0.05 * (high - low) or 0.5
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
    """Marks the ends of every line on the last axis, and below it the values of the others."""
    *others, last = words.axis_name(task).split(" / ")
    above: dict[float, str] = {}
    below: dict[float, str] = {}
    parts = strokes(list(where))
    for part in parts:
        *shared, _ = words.physical(task, part[0]).split("/")
        below[(where[part[0]] + where[part[-1]]) / 2] = "\n" + "\n".join(shared)
        # With many short lines, the ends of the first one stand for those of all.
        for level in {part[0], part[-1]} if 2 * len(parts) <= TICKS + 1 or part is parts[0] else ():
            above[where[level]] = words.physical(task, level).split("/")[-1]
    axes.set_xticks(list(above), list(above.values()) if labelled else [""] * len(above))
    axes.set_xticks(
        list(below), list(below.values()) if labelled else [""] * len(below), minor=True
    )
    axes.tick_params(axis="x", which="minor", length=0)
    axes.grid(False, axis="x", which="minor")
    if labelled:
        axes.set_xlabel("\n".join([last, *others]))
