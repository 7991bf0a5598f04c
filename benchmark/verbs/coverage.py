"""What runs where: every method on every task and backbone, or the reason why not.

Nothing is written down for this: methods are asked to skip, and put on the smallest kind of each
backbone.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterator, Sequence

from benchmark import tasks
from benchmark.build import create_backbone, create_method
from benchmark.conformance.networks import TINY
from benchmark.errors import JobError, UserError, one_line
from benchmark.registry import discovery
from benchmark.registry.discovery import Entry
from benchmark.store import Store
from benchmark.tuning.spatial import refusal

Place = tuple[str, str, str]
"""A method, a task and a backbone, by name."""

YES = ""
"""The reason where there is none: it runs."""


def matrix(
    store: Store, names: Sequence[str] = (), backbones: Sequence[str] = tuple(TINY)
) -> dict[Place, str]:
    """Returns why each method does not run on each task and backbone, or ``YES``.

    Args:
        store: Where imported weights are.
        names: The tasks; all of them if none is named.
        backbones: The backbones.
    """
    return {
        (entry.name, name, backbone): reason
        for entry in discovery.entries()
        if entry.group != "network"
        for name in names or tasks.names()
        for backbone, reason in _reasons(entry, name, store, backbones)
    }


def _reasons(
    entry: Entry, task: str, store: Store, backbones: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Yields backbones with the reason why a method does not run on them."""
    reason = entry.error or _refusal(lambda: create_method(entry.name).skip(tasks.get(task)))
    if not reason and entry.imports and not store.imported(entry.name):
        reason = f"not imported: run 'dialbench import {entry.imports}'"
    for backbone in backbones:
        yield backbone, reason or _refusal(lambda: _assembled(entry.name, backbone, task))  # noqa: B023


def _assembled(method: str, backbone: str, name: str) -> str:
    """Returns why a method refuses a backbone only when it runs; assembling raises other reasons."""
    task = tasks.get(name)
    network = create_backbone(f"{backbone}:{TINY[backbone]}", task.scale)
    made = create_method(method).assemble(network, task.space)
    return refusal(made) if task.dial == "map" else YES


def _refusal(ask: Callable[[], str | None]) -> str:
    """Returns the reason that is given, or raised; ``YES`` if there is none."""
    try:
        return ask() or YES
    except (JobError, UserError) as error:
        return str(error)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a method of someone else raises
        return one_line(error)


def page(found: dict[Place, str]) -> str:
    """Returns the matrix as text: methods of the same answers together, then tasks by answer."""
    methods, names, backbones = (list(dict.fromkeys(one)) for one in zip(*found, strict=True))
    alike: dict[tuple[str, ...], list[str]] = {}
    for method in methods:
        answers = (_outcome({one: found[method, name, one] for one in backbones}) for name in names)
        alike.setdefault(tuple(answers), []).append(method)
    yes = sum(reason == YES for reason in found.values())
    lines = [
        f"methods x tasks x backbones: {len(methods)} x {len(names)} x {len(backbones)}; "
        f"{yes} run, {len(found) - yes} do not, for the reason given",
        f"backbones: {', '.join(backbones)}",
    ]
    for answers, together in alike.items():
        lines += ["", *textwrap.wrap(", ".join(together), 100)]
        for answer in sorted(set(answers), reverse=True):
            which = [name for name, one in zip(names, answers, strict=True) if one == answer]
            text = "all tasks" if which == names else ", ".join(which)
            lines += textwrap.wrap(
                f"{answer}: {text}", 100, initial_indent="  ", subsequent_indent="       "
            )
    return "\n".join(lines)


def _outcome(reasons: dict[str, str]) -> str:
    """Returns what becomes of a method on one task, given its reasons by backbone."""
    refused: dict[str, list[str]] = {}
    for backbone, reason in reasons.items():
        refused.setdefault(reason, []).append(backbone)
    if len(refused) == 1:
        (reason,) = refused
        return "yes" if reason == YES else f"no, {reason}"
    word = "yes" if YES in refused else "no"
    parts = [f"not on {', '.join(on)} ({why})" for why, on in refused.items() if why != YES]
    return ", ".join([word, *parts])


def to_json(found: dict[Place, str]) -> str:
    """Returns the matrix as a JSON list of cells: method, task, backbone, whether it runs, reason."""
    cells = [
        {"method": method, "task": task, "backbone": backbone, "runs": not reason, "reason": reason}
        for (method, task, backbone), reason in found.items()
    ]
    return json.dumps(cells, indent=1)
