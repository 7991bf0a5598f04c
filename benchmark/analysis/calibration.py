"""What the dial is to be set to for a level: what was best there, by a stored level x dial matrix."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmark.analysis.matrix import NO_DIAL, Matrix, averaged, best_dials
from benchmark.analysis.scores import NoValue, places, scores
from benchmark.control import Level, level_key, level_text
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
    """Returns the calibration of each of several trained methods, by its name.

    It is of the network of the job's own seed, on all images of the plan's test sets together, at the
    levels of its preset. A method whose dial does nothing, or that has none, has no calibration.

    Args:
        plan: What was asked for.
        store: Where its cells are.
        jobs: A sweep of each method.

    Raises:
        UserError: If the task has no true levels or several dials, or a matrix is not stored whole.
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
    levels = [level_text(level) for level in whole.levels]
    found = {}
    for job in jobs:
        if job.method.partition(":")[0] in NO_DIAL:
            continue
        own = rows[(rows["method"] == job.method) & (rows["seed"] == job.seed)]
        every = {run.dataset: one for run, one in averaged(scores(own, task), task).items()}
        for images in whole.images.values():
            one = every.get(images.name, "nothing is stored")
            if isinstance(one, str) or list(one.levels) != sorted(levels, key=level_key):
                reason = one if isinstance(one, str) else "levels are missing"
                raise UserError(
                    f"{job.method} cannot be calibrated on {images.name} ({reason}); run 'dialbench run "
                    f"{task.name} --matrix' first, with the same options but --levels"
                )
        known = calibration([one for one in every.values() if isinstance(one, Matrix)])
        if known:
            found[job.method] = known
    return found


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
