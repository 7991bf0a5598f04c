"""What the dial is to be set to for a level: what was best there, by a stored level x dial matrix."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from benchmark.analysis.matrix import NO_DIAL, Matrix, averaged, best_dials
from benchmark.analysis.scores import NoValue, places, scores
from benchmark.control import Level
from benchmark.errors import UserError

if TYPE_CHECKING:
    from benchmark.plan import Plan
    from benchmark.planning.jobs import SweepJob
    from benchmark.store import Store


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
    """Returns the calibration of each of several trained methods that has a dial, by its name.

    It is of the network of the job's own seed, on all images of the plan's test sets together, at the
    levels of its preset.

    Args:
        plan: What was asked for.
        store: Where its cells are.
        jobs: A sweep of each method.

    Raises:
        UserError: If the task has no true levels or several dials, or a matrix is not stored.
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
    found = {}
    for job in jobs:
        if job.method.partition(":")[0] in NO_DIAL:
            continue
        own = rows[(rows["method"] == job.method) & (rows["seed"] == job.seed)]
        try:
            found[job.method] = _calibration(averaged(scores(own, task), task).values())
        except NoValue as error:
            raise UserError(
                f"{job.method} cannot be calibrated ({error}); run 'dialbench run {task.name} --matrix' "
                "first, with the same options, or leave out --calibrated"
            ) from error
    return found


def _calibration(matrices: Iterable[Matrix | str]) -> Calibration:
    """Returns the calibration by the matrices of one network, one for each test set."""
    known = []
    for one in matrices:
        if isinstance(one, str):
            raise NoValue(one)
        known.append((places(one.levels), best_dials(one), len(one.images)))
    if not known:
        raise NoValue("no level x dial matrix of it is stored")
    levels = known[0][0]
    count = sum(images for *_, images in known)
    dials = [sum(own[at] * images for _, own, images in known) / count for at in range(len(levels))]
    return Calibration(levels, dials)
