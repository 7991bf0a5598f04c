"""How metrics, levels and numbers are written, the same in every table and figure."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING

from benchmark.amount import amount
from benchmark.analysis.statistics import FEW
from benchmark.control import level_key, level_text, parse_level
from benchmark.errors import LevelError
from benchmark.metrics.records import METRICS

if TYPE_CHECKING:
    from benchmark.tasks import Task

NULL = "—"
AREA_DIGITS = 3


def arrow(metric: str) -> str:
    """Returns the direction in which a metric improves."""
    return "↑" if METRICS[metric].higher_is_better else "↓"


def better(metric: str) -> str:
    """Returns which way a metric improves, in words."""
    return "higher is better" if METRICS[metric].higher_is_better else "lower is better"


def unit(metric: str) -> str:
    """Returns a metric's unit as it ends a label, ``, dB``, or an empty text."""
    return f", {METRICS[metric].unit}" if METRICS[metric].unit else ""


def metric_name(metric: str) -> str:
    """Returns a metric's label with its unit: ``PSNR (Y), dB``."""
    return f"{METRICS[metric].label}{unit(metric)}"


def merit(task: Task) -> str:
    """Returns what ranks the methods of a task, as short as a column heading."""
    if not task.perception:
        return METRICS[task.headline].label
    return f"area of {METRICS[task.headline].label} and {METRICS[task.perception].label}"


def merit_name(task: Task) -> str:
    """Returns what ranks the methods of a task, with its unit and direction."""
    if not task.perception:
        return f"{metric_name(task.headline)} {arrow(task.headline)}"
    return f"{merit(task)}{unit(task.headline)} ↑"


def merit_digits(task: Task) -> int:
    """Returns the decimals of what ranks the methods of a task."""
    return AREA_DIGITS if task.perception else METRICS[task.headline].digits


def merit_rule(task: Task) -> str:
    """Returns what ranks the methods of a task, in a sentence."""
    if task.protocol.pairs:
        return f"{METRICS[task.headline].label} at the level that is best for the method on these images"
    if not task.perception:
        left_out = " and ".join(level_name(task, level_text(level)) for level in task.harmless)
        but = f" but for {left_out}, which harms no image" if left_out else ""
        return f"{METRICS[task.headline].label}, averaged over the levels{but}"
    return (
        f"the area that their levels win over floor in the plane of {METRICS[task.headline].label} and "
        f"{METRICS[task.perception].label}, where a level worse than floor in either wins nothing"
    )


def image_name(task: Task, image: str) -> str:
    """Returns the name of an image, with its conditions in words: ``astronaut, pattern ramp``."""
    for axis in task.unseen:
        image = image.replace(f" {axis.name}=", f", {axis.name} ")
    return image


def yes_or_no(value: Hashable) -> str | None:
    """Returns a truth value as a word, or None where it is missing."""
    return {True: "yes", False: "no"}.get(value)


def number(value: float, digits: int) -> str:
    """Returns ``value`` with a fixed number of decimals; a null prints as a dash."""
    if math.isnan(value):
        return NULL
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    return f"{value:z.{digits}f}"


def fixed(metric: str, value: float) -> str:
    """Returns a value with the decimals of its metric."""
    return number(value, METRICS[metric].digits)


def mean_and_deviation(metric: str, mean: float, std: float) -> str:
    """Returns ``28.41`` or, over several seeds, ``28.41 ± 0.03``."""
    digits = METRICS[metric].digits
    text = number(mean, digits)
    if math.isfinite(mean) and not math.isnan(std):
        text += f" ± {number(std, digits)}"
    return text


def physical(task: Task, level: str) -> str:
    """Returns the physical values of a level text: ``35``, or ``35/1`` for two axes."""
    try:
        values = task.space.physical(parse_level(level))
        return "/".join(axis.text(v) for axis, v in zip(task.space.axes, values, strict=True))
    except LevelError:
        return level


def has_physical(task: Task) -> bool:
    """Whether physical values say more than levels do."""
    return any((axis.start, axis.end) != (0.0, 1.0) for axis in task.space.axes)


def with_unit(name: str, unit: str) -> str:
    """Returns a name with its unit, if it has one: ``sigma (of 255)``."""
    return f"{name} ({unit})" if unit else name


def axis_name(task: Task) -> str:
    """Returns the names of the axes with their units."""
    return " / ".join(with_unit(axis.name, axis.unit) for axis in task.space.axes)


def rounded(level: str) -> str:
    """Returns a level with as many digits as anybody reads: ``0.667`` for ``0.666667``."""
    return "/".join(f"{value:.3g}" for value in level_key(level))


def level_name(task: Task, level: str) -> str:
    """Returns a column heading: ``sigma 35``, or ``level 0.25`` where levels have no unit.

    It is ``dial at sigma 35`` where images have no level that anybody knows.
    """
    if not has_physical(task):
        return f"level {rounded(level)}"
    dial = "dial at " if task.protocol.pairs else ""
    return f"{dial}{'/'.join(axis.name for axis in task.space.axes)} {physical(task, level)}"


def few_images(counts: Mapping[str, int]) -> str:
    """Returns a caution where there are too few images for intervals and ranks, or an empty text.

    Args:
        counts: Images of sets, by what is written behind the number of images.
    """
    few = [f"{amount(count, 'image')}{of}" for of, count in counts.items() if 1 < count < FEW]
    return f"With only {' and '.join(few)} intervals are too narrow and ranks a hint" if few else ""
