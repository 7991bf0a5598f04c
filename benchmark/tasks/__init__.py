"""Tasks: what is restored, over which levels, judged how. One file per task; data, no code.

A task is found by its file: ``benchmark/tasks/<name>.py`` holds ``TASK``.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil

from benchmark.errors import UserError, one_line, unknown
from benchmark.metrics import protocol
from benchmark.tasks.base import Objective, Task, Term
from benchmark.tasks.fault import fault

__all__ = ["Objective", "Task", "Term", "get", "names"]

FORM = ("base", "fault")
"""Modules here that are no tasks: the form of one, and what can be wrong with it."""


def names() -> list[str]:
    """Returns the names of all tasks."""
    found = (module.name for module in pkgutil.iter_modules(__path__))
    return sorted(name.replace("_", "-") for name in found if name not in FORM)


def get(name: str) -> Task:
    """Returns a task by name; ``name@protocol`` is the task judged under another protocol.

    Raises:
        UserError: If there is no such task or protocol, or something is wrong with the task's file.
    """
    base, at, judged = name.partition("@")
    task = _read(base)
    return task.under(protocol.get(judged)) if at else task


@functools.cache
def _read(name: str) -> Task:
    if name not in names():
        raise UserError(unknown("task", name, names()))
    module = name.replace("-", "_")
    where = f"benchmark/tasks/{module}.py"
    try:
        task = getattr(importlib.import_module(f"{__name__}.{module}"), "TASK", None)
        wrong = fault(task, name, names())
    except Exception as error:
        raise UserError(f"{where}: {one_line(error)}") from error
    if wrong:
        raise UserError(f"{where}: {wrong}")
    return task
