"""Tasks: what is restored, over which levels, judged how. One file per task; data, no code.

A task is found by its file: ``benchmark/tasks/<name>.py`` holds ``TASK``.
"""

from __future__ import annotations

import importlib
import pkgutil

from benchmark.errors import UserError
from benchmark.metrics import protocol
from benchmark.tasks.base import Objective, Task, Term

__all__ = ["Objective", "Task", "Term", "get", "names"]


def names() -> list[str]:
    """Returns the names of all tasks."""
    found = (module.name for module in pkgutil.iter_modules(__path__))
    return sorted(name.replace("_", "-") for name in found if name != "base")


def get(name: str) -> Task:
    """Returns a task by name; ``name@protocol`` is the task judged under another protocol.

    Raises:
        UserError: If there is no such task, or no such protocol.
    """
    base, at, judged = name.partition("@")
    if base not in names():
        raise UserError(f"unknown task '{base}'; choose from: {', '.join(names())}")
    task = importlib.import_module(f"benchmark.tasks.{base.replace('-', '_')}").TASK
    return task.under(protocol.get(judged)) if at else task
