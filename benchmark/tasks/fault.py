"""What is wrong with a task, found before anything is trained for it. Imports no torch."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Iterator
from typing import Any

from benchmark.control import Axis, ControlSpace
from benchmark.errors import UserError, unknown
from benchmark.metrics.protocol import Protocol
from benchmark.metrics.records import METRICS
from benchmark.registry.digest import table_keys
from benchmark.tasks.base import Objective, Task, Term

KINDS = ("degradation", "objective", "operator")
DIALS = ("level", "map", "estimate")
TABLES = {
    "degradation": "benchmark.degradations:DEGRADATIONS",
    "operator": "benchmark.operators:OPERATORS",
    "target": "benchmark.objectives.targets:TARGETS",
    "loss term": "benchmark.objectives:TERMS",
}
"""Where what a task names is registered."""
PLAIN = {"str": str, "int": int, "float": (int, float)}


def fault(task: Any, name: str, others: Collection[str]) -> str:
    """Returns the first thing that is wrong with a task, as part of a sentence, or an empty text.

    Args:
        task: What a task file holds as ``TASK``.
        name: What the file calls it.
        others: The names of all tasks.
    """
    return next(_faults(task, name, others), "")


def _faults(task: Any, name: str, others: Collection[str]) -> Iterator[str]:
    if not isinstance(task, Task):
        yield f"TASK is a {type(task).__name__}, not a benchmark.tasks.Task"
        return
    yield from _types(task)
    if task.name != name:
        yield f"its name is '{task.name}', its file's is '{name}'"
    for what, value, choices in (
        ("kind", task.kind, KINDS),
        ("dial", task.dial, DIALS),
        ("headline", task.headline, task.metrics),
        ("perception", task.perception, ("", *task.metrics)),
    ):
        if value not in choices:
            yield unknown(what, value, [one for one in choices if one])
    for metric in task.metrics:
        if metric not in METRICS:
            yield unknown("metric", metric, METRICS)
    if (task.kind == "operator") != bool(task.operator):
        yield f"kind '{task.kind}' does not go with operator '{task.operator}'"
    if task.version < 1 or task.scale < 1 or not 0 < task.effort < math.inf:
        yield "version and scale start at 1, and effort is more than 0"
    spaces = [isinstance(one, ControlSpace) for one in task.earlier]
    if len(spaces) != task.version - 1 or not all(spaces):
        yield f"version {task.version} needs the control spaces of the {task.version - 1} earlier ones"
    if task.trained_as and task.trained_as not in others:
        yield unknown("trained_as", task.trained_as, others)
    yield from _unregistered(task)
    yield from _of_operator(task)
    yield from _levels(task)
    yield from _losses(task)


def _types(task: Task) -> Iterator[str]:
    """Yields fields that do not hold what they are declared to hold."""
    kinds = {"space": ControlSpace, "objective": Objective, "protocol": Protocol}
    for field in dataclasses.fields(Task):
        value = getattr(task, field.name)
        kind = kinds.get(field.name) or PLAIN.get(str(field.type), tuple)
        if not isinstance(value, kind) or isinstance(value, bool):
            wanted = field.type if field.name not in kinds else kinds[field.name].__name__
            yield f"{field.name} is {value!r}, which is no {wanted}"
    for name in ("metrics", "train_sets", "test_sets"):
        found = getattr(task, name)
        if not found or not all(isinstance(one, str) for one in found):
            yield f"{name} names nothing, or something that is no text"


def _unregistered(task: Task) -> Iterator[str]:
    named = [("degradation", task.degradation), ("target", task.target)]
    named += [("degradation", task.spared)] if task.spared else []
    named += [("operator", task.operator)] if task.operator else []
    for kind, name in named:
        if name not in (known := table_keys(TABLES[kind])):
            yield f"{unknown(kind, name, known)}, or register it in {TABLES[kind].partition(':')[0]}"


def _of_operator(task: Task) -> Iterator[str]:
    """Yields where the dials of an operator's task are not its parameters."""
    if not task.operator:
        return
    from benchmark.operators import get

    parameters, axes = get(task.operator).parameters, task.space.axes
    if len(axes) > len(parameters) or any(one.default is None for one in parameters[len(axes) :]):
        yield f"{task.operator} takes {_names(parameters)}, and the axes are {_names(axes)}"
    for axis, own in zip(axes, parameters, strict=False):
        inside = all(own.start <= end <= own.end for end in (axis.start, axis.end))
        if not inside or axis.integer != own.integer:
            kind = "whole numbers" if own.integer else "numbers"
            yield (
                f"axis {axis.name} is the operator's {own.name}, which takes {kind} from {own.start:g} "
                f"to {own.end:g}"
            )


def _names(those: Any) -> str:
    return ", ".join(one.name for one in those) or "nothing"


def _levels(task: Task) -> Iterator[str]:
    if not task.space.axes:
        yield "its space has no axis"
    for axis in (*task.space.axes, *task.unseen):
        if not isinstance(axis, Axis):
            yield f"{axis!r} is no Axis"
            return
        if not _finite(axis.start) or not _finite(axis.end):
            yield f"axis {axis.name} goes from {axis.start!r} to {axis.end!r}, which are no numbers"
            return
        if axis.log and min(axis.start, axis.end) <= 0:
            yield f"axis {axis.name} is logarithmic and not above 0"
        if axis.names and len(axis.names) != abs(axis.end - axis.start) + 1:
            yield f"axis {axis.name} has {len(axis.names)} names for {axis.start:g} to {axis.end:g}"
    if not task.grid or not all(isinstance(one, tuple) for one in task.grid):
        yield "its grid has no level, or one that is no tuple"
    if len(set(task.grid)) < len(task.grid):
        yield "its grid has a level twice"
    space = task.space
    anchors = () if space.simplex else (space.first, space.last)
    for what, levels in (("grid", task.grid), ("harmless", task.harmless), ("space", anchors)):
        for level in levels:
            try:
                if space.check(level) != level:
                    yield f"{what}: {level!r} is no level; write SPACE.level_of((value,))"
            except (UserError, TypeError, ValueError) as error:
                yield f"{what}: {error}"
    if not task.cases:
        yield "it has no case; leave cases out where nothing is unseen"
    for case in task.cases:
        fits = isinstance(case, tuple) and len(case) == len(task.unseen)
        if not fits or not all(map(_finite, case)):
            yield f"case {case!r} does not have one number for each unseen quantity"


def _losses(task: Task) -> Iterator[str]:
    ends, d = task.objective.ends, task.space.d
    if not isinstance(ends, tuple) or len(ends) not in (1, d + 1, 2**d):
        yield f"its objective needs 1, {d + 1} or {2**d} ends, each a tuple of terms"
        return
    for end in ends:
        if not isinstance(end, tuple) or not end or not all(isinstance(one, Term) for one in end):
            yield f"an end of its objective is {end!r}, which is no tuple of terms"
            return
        for term in end:
            if term.name not in (known := table_keys(TABLES["loss term"])):
                yield unknown("loss term", str(term.name), known)
            if not _finite(term.weight):
                yield f"the weight of {term.name} is {term.weight!r}, which is no number"
            if term.target not in (known := table_keys(TABLES["target"])):
                yield unknown("target", str(term.target), known)


def _finite(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value)
