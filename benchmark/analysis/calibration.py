"""What the dial is to be set to for a level: what was best there, by a stored level x dial matrix."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from benchmark.analysis.matrix import NO_DIAL, Matrix, averaged, best_dials
from benchmark.analysis.scores import NoValue, places, scores
from benchmark.control import Level, level_key, level_text
from benchmark.errors import UserError

if TYPE_CHECKING:
    from benchmark.plan import Plan
    from benchmark.planning.jobs import SweepJob
    from benchmark.store import Store
    from benchmark.tasks import Task


@dataclasses.dataclass(frozen=True)
class Calibration:
    """The best dial at some levels, joined by straight lines.

    Args:
        levels: Levels, rising.
        dials: The best dial at each.
    """

    levels: Sequence[float]
    dials: Sequence[float]

    def dial(self, level: Level) -> Level:
        """Returns the dial for a level; beyond the levels that are known it is as far off as there."""
        import numpy as np

        (asked,) = level
        inside = min(max(asked, self.levels[0]), self.levels[-1])
        off = float(np.interp(inside, self.levels, self.dials)) - inside
        return (min(1.0, max(0.0, asked + off)),)


def calibrations(plan: Plan, store: Store, jobs: Sequence[SweepJob]) -> dict[str, Calibration]:
    """Returns the calibration of each of several trained methods, by its name.

    A method whose dial does nothing, or that has none, has no calibration.

    Raises:
        UserError: If the task has no true levels or several dials, or a matrix is not stored whole.
    """
    found = stored(plan, store, jobs)
    for one in found.values():
        if isinstance(one, str):
            raise UserError(one)
    return {method: one for method, one in found.items() if isinstance(one, Calibration)}


def stored(plan: Plan, store: Store, jobs: Sequence[SweepJob]) -> dict[str, Calibration | str]:
    """Returns the calibration of each of several trained methods, or why there is none.

    It is of the network of the job's own seed, on all images of the plan's test sets together, at the
    levels of its preset. Methods whose dial does nothing, or that have none, are left out.

    Args:
        plan: What was asked for.
        store: Where its cells are.
        jobs: A sweep of each method.

    Raises:
        UserError: If the task has no true levels or several dials, or a test set cannot be read.
    """
    from benchmark.collect import collect
    from benchmark.plan import looked_at, stored_cells

    task = plan.task
    if not task.has_true_level or task.dial != "level" or task.space.d > 1:
        raise UserError(
            f"{task.name} has no single dial that could be set wrong; leave out --calibrated"
        )
    whole = looked_at(dataclasses.replace(plan.request, levels=None, matrix=True), store)
    rows = collect(store, stored_cells(whole, store)).rows
    counted = [level for level in whole.levels if level not in task.harmless]
    levels = sorted(map(level_text, counted), key=level_key)
    found: dict[str, Calibration | str] = {}
    for job in jobs:
        if job.method.partition(":")[0] in NO_DIAL:
            continue
        own = rows[(rows["method"] == job.method) & (rows["seed"] == job.seed)]
        every = {run.dataset: one for run, one in averaged(scores(own, task), task).items()}
        known = _whole(job.method, [one.name for one in whole.images.values()], every, levels, task)
        if known is not None:
            found[job.method] = known
    return found


def _whole(
    method: str,
    datasets: Sequence[str],
    every: Mapping[str, Matrix | str],
    levels: Sequence[str],
    task: Task,
) -> Calibration | str | None:
    """Returns the calibration by the matrices of all test sets, or what of them is missing."""
    for name in datasets:
        one = every.get(name, "nothing is stored")
        if isinstance(one, str) or list(one.levels) != levels:
            reason = one if isinstance(one, str) else "levels are missing"
            return (
                f"{method} cannot be calibrated on {name} ({reason}); run 'dialbench run "
                f"{task.name} --matrix' first, with the same options but --levels"
            )
    return calibration([one for one in every.values() if isinstance(one, Matrix)])


def calibration(matrices: Sequence[Matrix]) -> Calibration | None:
    """Returns the calibration by the matrices of one network on several sets, of the same levels.

    Returns:
        The mean over all images of the best dial at each level; None if the dial changes nothing.
    """
    try:
        dials = [best_dials(one) for one in matrices]
    except NoValue:
        return None
    weights = [len(one.images) for one in matrices]
    means = [
        math.fsum(dial * images for dial, images in zip(own, weights, strict=True)) / sum(weights)
        for own in zip(*dials, strict=True)
    ]
    return Calibration(places(matrices[0].levels), means)
