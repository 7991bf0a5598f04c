"""What a dial wins in the plane of distortion and perception.

Averaged over a dial, PSNR favours dials that do not move, and LPIPS those that go to the end at once.
What counts instead is how much of the plane a dial opens up: every level is better than the untrained
``floor`` by so much in one metric and so much in the other, which makes a rectangle, and the area
of all rectangles together is won. A level that is worse than the floor in either metric wins nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmark.metrics.records import METRICS

if TYPE_CHECKING:
    import numpy as np

    from benchmark.tasks import Task


def area(better: np.ndarray, nicer: np.ndarray) -> np.ndarray:
    """Returns the area of the union of rectangles (0, 0) to (better, nicer), for every image.

    Args:
        better: How far each level is above the floor in the one metric, (levels, images).
        nicer: The same in the other metric.
    """
    import numpy as np

    inside = (better > 0) & (nicer > 0)
    widths, heights = np.where(inside, better, 0.0), np.where(inside, nicer, 0.0)
    order = np.argsort(-widths, axis=0, kind="stable")
    widths = np.take_along_axis(widths, order, axis=0)
    highest = np.maximum.accumulate(np.take_along_axis(heights, order, axis=0), axis=0)
    steps = widths - np.concatenate([widths[1:], np.zeros_like(widths[:1])])
    return (steps * highest).sum(axis=0)


def won(
    task: Task,
    values: tuple[np.ndarray, np.ndarray],
    floor: tuple[np.ndarray, np.ndarray],
) -> np.ndarray:
    """Returns what a dial wins on every image.

    Args:
        task: A task that has a ``perception`` metric.
        values: The headline and the perception metric, each (levels, images).
        floor: The same of the floor; its levels are averaged, since it has no dial.
    """
    gains = []
    for metric, own, base in zip((task.headline, task.perception), values, floor, strict=True):
        sign = 1.0 if METRICS[metric].higher_is_better else -1.0
        gains.append(sign * (own - base.mean(axis=0)))
    return area(*gains)
