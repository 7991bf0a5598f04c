"""The results of a method as the store has them: whole, or not fit for an entry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmark.leaderboard import entry, schema
from benchmark.leaderboard.rows import Key
from benchmark.planning.request import Choice
from benchmark.results import FEW_LEVELS

if TYPE_CHECKING:
    from benchmark.plan import Plan
    from benchmark.planning.jobs import SweepJob
    from benchmark.store import Cell, Store

NO_REASON = "it could not be computed where this was run"


@dataclass(frozen=True)
class Scored:
    """One sweep of a method: its job with all cells."""

    job: SweepJob
    cells: tuple[Cell, ...]


class Incomplete(Exception):
    """A method's results are not all stored; the message says what is missing."""


def scored(plan: Plan, store: Store, choice: Choice) -> list[Scored]:
    """Returns the sweeps of a method, by set and seed, each with all its cells."""
    from benchmark import plan as planning

    found = []
    for note in plan.notes:
        if note.method == choice.method and not note.reason.startswith(FEW_LEVELS):
            why = note.reason
            break
    else:
        why = "nothing is stored"
    names = list(plan.images)
    jobs = [job for job in plan.sweeps.values() if job.method == choice.method]
    if not jobs:
        raise Incomplete(why)
    for job in sorted(jobs, key=lambda job: (names.index(job.dataset), job.seed)):
        cells = [cell for _, _, cell in planning.cells(plan, job, store)]
        lacking = sum(cell is None for cell in cells)
        if lacking:
            raise Incomplete(
                f"{lacking} of {len(cells)} cells on {job.dataset} are not stored; "
                f"run 'dialbench run {plan.task.name}' first, with the same options"
            )
        found.append(Scored(job, tuple(cells)))
    return found


def numbers(
    plan: Plan, sweeps: Sequence[Scored]
) -> tuple[list[str], dict[str, str], dict[Key, float]]:
    """Returns the metrics that have all values, why others have not, and the values.

    Raises:
        Incomplete: If the headline metric is among the others.
    """
    values: dict[Key, float] = {}
    missing: dict[str, str] = {}
    there: set[str] = set()
    for sweep in sweeps:
        for cell in sweep.cells:
            facts = cell.facts
            place = facts["dataset"], sweep.job.seed, facts["level"], facts["set_level"]
            for row in cell.rows:
                metric = row.metric
                there.add(metric)
                if row.status == "ok" and row.value is not None:
                    values[(metric, *place, row.image)] = row.value
                else:
                    why = " ".join(row.reason.split())
                    missing.setdefault(
                        metric, why if schema.is_prose(why, entry.LIMIT) else NO_REASON
                    )
    for metric in plan.task.metrics:
        if metric not in there:
            missing[metric] = "it was not scored"
    headline = plan.task.headline
    if headline in missing:
        raise Incomplete(f"{headline}, which ranks, is missing: {missing[headline]}")
    others = [one for one in plan.task.metrics if one not in missing and one != headline]
    return [headline, *others], missing, values
