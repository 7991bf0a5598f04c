"""The level x dial matrix: which dial is best at each true level, and what a wrong one costs."""

from __future__ import annotations

import hashlib
import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmark.analysis.scores import Found, NoValue, Run, Scores, harmed, places
from benchmark.metrics.records import METRICS

if TYPE_CHECKING:
    import numpy as np

    from benchmark.tasks import Task

NO_DIAL = ("experts", "floor")
"""Baselines without a dial to judge."""
NO_EFFECT = "the dial changes nothing"


@dataclass(frozen=True)
class Matrix:
    """The scores of one metric at every pair of levels.

    Args:
        levels: Level texts in order; the dial takes the same ones.
        images: Image names in order.
        values: (levels, dials, images); larger is better (the sign of other metrics is turned).
    """

    levels: tuple[str, ...]
    images: tuple[str, ...]
    values: np.ndarray

    @classmethod
    def of(cls, scores: Scores, higher_is_better: bool) -> Matrix:
        """Returns the matrix behind the scores.

        Raises:
            NoValue: If a cell is missing.
        """
        levels, values = scores.crossed()
        return cls(tuple(levels), scores.images, values if higher_is_better else -values)

    def over(self, images: Sequence[str]) -> np.ndarray:
        """Returns means over some images, (levels, dials)."""
        chosen = [at for at, name in enumerate(self.images) if name in set(images)]
        return self.values[:, :, chosen].mean(axis=2)


def psnr(task: Task) -> str:
    """Returns the metric of the level x dial matrix, and the distortion of hypervolumes."""
    plain = [one for one in task.metrics if not METRICS[one].of_target]
    return next((one for one in plain if one.startswith("psnr-")), task.headline)


def averaged(found: Found, task: Task) -> dict[Run, Matrix | str]:
    """Returns the matrix of every run with a dial, averaged over seeds, or why it has none.

    It is without harmless levels (``scores.harmed``): a perfect answer there has no finite PSNR, and
    would cost a run all other levels.
    """
    every: dict[Run, Matrix | str] = {}
    metric = psnr(task)
    for run, seeds in found.items():
        scored = [harmed(own, task)[metric] for _, own in sorted(seeds.items()) if metric in own]
        if run.family in NO_DIAL or not scored:
            continue
        try:
            parts = [Matrix.of(one, METRICS[metric].higher_is_better) for one in scored]
        except NoValue as error:
            every[run] = str(error)
            continue
        levels, images = parts[0].levels, parts[0].images
        if any((one.levels, one.images) != (levels, images) for one in parts):
            every[run] = "the seeds were scored at different levels, or on different images"
        else:
            every[run] = Matrix(levels, images, sum(one.values for one in parts) / len(parts))
    return every


def halves(images: Iterable[str]) -> tuple[list[str], list[str]]:
    """Splits images into those that calibrate a dial, and those that judge it.

    The images are ordered by the SHA-256 of their names, whatever their order; the first half
    (rounded down) calibrates.
    """
    ordered = sorted(set(images), key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    return ordered[: len(ordered) // 2], ordered[len(ordered) // 2 :]


def best(means: np.ndarray) -> list[int]:
    """Returns the index of the best dial at every level; of equal ones, that nearest to the level.

    Args:
        means: (levels, dials), larger is better.
    """
    chosen = []
    for level, row in enumerate(means):
        equal = [dial for dial, value in enumerate(row) if value == row.max()]
        chosen.append(min(equal, key=lambda dial: (abs(dial - level), dial)))
    return chosen


def dial_scores(matrix: Matrix) -> dict[str, float]:
    """Returns the mean over levels with the dial ``linear``, ``calibrated`` and ``oracle``.

    All three are judged on the same half of the images. The linear dial is set to the true level,
    the calibrated one to what was best for that level on the other half, the oracle to what is best
    on the very images it is judged on: nothing on the grid can be better.

    Raises:
        NoValue: If there are fewer than two images.
    """
    calibrating, judging = halves(matrix.images)
    if not calibrating:
        raise NoValue("one image cannot both calibrate a dial and judge it")
    judged = matrix.over(judging)
    dials = {
        "linear": list(range(len(matrix.levels))),
        "calibrated": best(matrix.over(calibrating)),
        "oracle": best(judged),
    }
    every = range(len(matrix.levels))
    return {name: float(judged[every, chosen].mean()) for name, chosen in dials.items()}


def best_dials(matrix: Matrix) -> list[float]:
    """Returns the best dial at every level, between the grid's dials.

    It is the vertex of the parabola through the best dial on the grid and its two neighbours (at an
    end: the two next ones), kept inside the grid. So it is exact if the loss is quadratic in the
    dial, and never further than one step from the best dial on the grid.

    Raises:
        NoValue: If the levels have several axes, or the dial changes nothing.
    """
    x, means = places(matrix.levels), matrix.over(matrix.images)
    if all(bool((row == row[0]).all()) for row in means):
        raise NoValue(NO_EFFECT)
    return [_vertex(x, row, at) for row, at in zip(means, best(means), strict=True)]


def _vertex(x: Sequence[float], y: np.ndarray, at: int) -> float:
    if len(x) < 3:
        return x[at]
    middle = min(max(at, 1), len(x) - 2)
    left, right = x[middle] - x[middle - 1], x[middle + 1] - x[middle]
    fall_left, fall_right = y[middle] - y[middle - 1], y[middle] - y[middle + 1]
    curvature = fall_left * right + fall_right * left
    if curvature <= 0:
        return x[at]
    vertex = x[middle] + (fall_left * right**2 - fall_right * left**2) / (2 * curvature)
    return float(min(max(vertex, x[max(at - 1, 0)]), x[min(at + 1, len(x) - 1)]))


def linearity(matrix: Matrix) -> float:
    """Returns R² of the best dial as a guess at the true level, which is what the linear dial is set to.

    1 if the best dial is the true level everywhere; 0 if it is as far from it as the mean level is, the
    best guess that is the same at every level. A best dial that is a straight line of another slope is
    not linear in this sense.

    Raises:
        NoValue: With fewer than three levels, or as for ``best_dials``.
    """
    x, y = places(matrix.levels), best_dials(matrix)
    if len(x) < 3:
        raise NoValue("it needs three levels")
    middle = statistics.fmean(x)
    missed = math.fsum((best - level) ** 2 for level, best in zip(x, y, strict=True))
    return 1 - missed / math.fsum((level - middle) ** 2 for level in x)


def deviations(matrix: Matrix) -> list[float]:
    """Returns how far the best dial is from the linear one, which is the level itself.

    Raises:
        NoValue: As for ``best_dials``.
    """
    return [abs(y - x) for x, y in zip(places(matrix.levels), best_dials(matrix), strict=True)]


def monotonicity(matrix: Matrix) -> float:
    """Returns how steadily the loss grows as the dial leaves the best one, averaged over levels.

    1: at every step away from the best dial the score falls. Lower: part of what it falls and rises
    on the way cancels out.

    Raises:
        NoValue: With fewer than three levels, several axes, or a dial that changes nothing.
    """
    import numpy as np

    if len(places(matrix.levels)) < 3:
        raise NoValue("it needs three levels")
    means = matrix.over(matrix.images)
    shares = []
    for row, at in zip(means, best(means), strict=True):
        way = float(np.abs(np.diff(row)).sum())
        if way == 0:
            raise NoValue(NO_EFFECT)
        shares.append(float(2 * row[at] - row[0] - row[-1]) / way)
    return float(np.mean(shares))
