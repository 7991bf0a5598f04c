"""How good a dial is: figures derived from the rows of a report.

Every figure is computed per seed and then averaged. ``FIGURES`` says what each one means.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmark.analysis import matrix
from benchmark.analysis.matrix import NO_DIAL, Matrix, psnr
from benchmark.analysis.scores import Found, NoValue, Run, Scores, asking, harmed, in_order, places
from benchmark.analysis.statistics import mean_and_deviation
from benchmark.metrics.records import METRICS

if TYPE_CHECKING:
    import pandas as pd

    from benchmark.tasks import Task

DRIFT = "colour-drift"
NO_EXPERTS = "no expert was scored; run with --methods ...,experts"

REFERENCE_POINTS = {"sr": (20.0, 0.7)}
"""PSNR (dB) and LPIPS (AlexNet) that the hypervolume of a task is measured from.

Both are worse than anything a restoration of that task gives: bicubic enlargement has 25 to 28 dB
and an LPIPS of 0.34 to 0.55 on the usual sets. They never change, or volumes could not be compared.
"""


@dataclass(frozen=True)
class Figure:
    """One figure of dial quality.

    Args:
        id: Name in ``dial.csv``.
        group: Heading in tables.
        label: Name in tables.
        meaning: One sentence.
        digits: Decimals to print, or None for those of the metric.
    """

    id: str
    group: str
    label: str
    meaning: str
    digits: int | None = None

    @property
    def title(self) -> str:
        """The name with its group."""
        return f"{self.group}, {self.label}"


FIGURES = {
    figure.id: figure
    for figure in (
        Figure("gap-start", "gap to experts", "start", "how much better (+) or worse (-) than the expert of the first level, in the metric's unit"),
        Figure("gap-middle", "gap to experts", "middle", "the same at the expert nearest to the middle"),
        Figure("gap-end", "gap to experts", "end", "the same at the expert of the last level"),
        Figure("gap-mean", "gap to experts", "mean abs.", "mean absolute difference over all experts' levels"),
        Figure("coverage", "gap to experts", "coverage", "share of the range between the end experts that the dial reaches", 2),
        Figure("dial-linear", "dial", "linear", "mean over levels with the dial at the true level, on the judging half of the images"),
        Figure("dial-calibrated", "dial", "calibrated", "the same with the dial that was best on the other half"),
        Figure("dial-oracle", "dial", "oracle", "the same with the best dial for those very images"),
        Figure("best-dial", "best dial", "best dial", "the best dial at a true level, between grid points by a parabola", 3),
        Figure("best-dial-r2", "best dial", "R²", "of the best dial as a guess at the true level: 1 if they agree, below 0 if a constant were better", 3),
        Figure("best-dial-mean", "best dial", "mean dev.", "mean absolute distance of the best dial from the true level", 3),
        Figure("best-dial-max", "best dial", "max dev.", "largest distance of the best dial from the true level", 3),
        Figure("loss-monotonicity", "best dial", "monotone", "1 if the score falls at every step away from the best dial", 2),
        Figure("monotonicity", "along the level", "monotone", "net change over the sum of all changes, 1 if there is no way back", 2),
        Figure("largest-step", "along the level", "max step", "largest change between neighbouring levels"),
        Figure("smoothness", "along the level", "bend", "mean second difference, 0 for a straight line"),
        Figure("drift-mean", "colour drift", "mean", "mean over levels of how far the mean colour moves, of 255"),
        Figure("drift-max", "colour drift", "max", "largest of these over the levels"),
        Figure("pairs-best", "best level", "score", "mean over images at the level that is best for all of them together"),
        Figure("pairs-level", "best level", "level", "that level", 3),
        Figure("pairs-own", "best level", "gain of own", "what a level of its own for every image would gain over that one"),
        Figure("hypervolume", "curve", "volume", "area between the PSNR-LPIPS curve and the task's reference point", 3),
    )
}  # fmt: skip
"""All figures, in table order."""

OF_GAP = ("gap-start", "gap-middle", "gap-end", "gap-mean")
OF_LEVELS = ("monotonicity", "largest-step", "smoothness")
OF_PAIRS = ("pairs-best", "pairs-level", "pairs-own")
OF_ORDER = (
    *("gap-middle", "coverage", "pairs-level", *OF_LEVELS),
    *("best-dial-r2", "best-dial-mean", "best-dial-max", "loss-monotonicity"),
)
"""Figures that mean something only where a level lies between others."""
NO_ORDER = "the values of the dial are names, which have no order"

Named = tuple[str, str, str]
"""Figure id, metric id, level text (empty for figures of all levels)."""


def dial_table(found: Found, task: Task, few: Collection[str] = ()) -> pd.DataFrame:
    """Returns one line per run, figure and metric; a null carries its reason.

    Args:
        found: Output of ``scores.scores``.
        task: The task.
        few: Methods that answer at some of the levels only (``Results.few``).
    """
    import pandas as pd

    found, lines = asking(found, {*NO_DIAL, *few}), []
    for run, seeds in found.items():
        if run.family in NO_DIAL:
            continue
        per_seed = [
            figures(own, _experts(found, run, seed), task) for seed, own in sorted(seeds.items())
        ]
        order = list(FIGURES)
        for name in sorted(_names(per_seed), key=lambda one: order.index(one[0])):
            parts = [_part(one, name) for one in per_seed]
            values = [math.nan if isinstance(part, str) else part for part in parts]
            mean, deviation = mean_and_deviation(values)
            lines.append(
                {
                    **run._asdict(),
                    **dict(zip(("figure", "metric", "level"), name, strict=True)),
                    "value": mean,
                    "std": deviation,
                    "seeds": len(per_seed),
                    "reason": _reason(dict(zip(sorted(seeds), parts, strict=True))),
                }
            )
    columns = [*Run._fields, "figure", "metric", "level", "value", "std", "seeds", "reason"]
    return pd.DataFrame(lines, columns=columns)


def _names(per_seed: Sequence[Mapping[Named, float | str]]) -> list[Named]:
    """Returns the figures that any seed has, at their levels where any seed has them at levels."""
    names = dict.fromkeys(name for one in per_seed for name in one)
    listed = {name[:2] for name in names if name[2]}
    return [name for name in names if name[2] or name[:2] not in listed]


def _part(own: Mapping[Named, float | str], name: Named) -> float | str:
    """Returns a figure of one seed, or why it has none: at a level, why it has none at all."""
    return own.get(name, own.get((*name[:2], ""), "it is missing"))


def _reason(parts: Mapping[int, float | str]) -> str:
    """Returns why there is no mean over seeds, naming the seeds that lack a value unless all do.

    Args:
        parts: By seed, the value, or the reason why there is none.
    """
    seeds: dict[str, list[int]] = {}
    for seed, part in parts.items():
        if isinstance(part, str):
            seeds.setdefault(part, []).append(seed)
    if any(len(own) == len(parts) for own in seeds.values()):
        return next(iter(seeds))
    return "; ".join(
        f"with seed{'s' * (len(own) > 1)} {', '.join(map(str, own))}: {reason}"
        for reason, own in seeds.items()
    )


def figures(
    own: Mapping[str, Scores], experts: Mapping[str, Scores] | None, task: Task
) -> dict[Named, float | str]:
    """Returns the figures of one seed: a value, or the reason why there is none.

    Args:
        own: Scores by metric.
        experts: Those of the experts, or None.
        task: The task.
    """
    own, experts = harmed(own, task), experts and harmed(experts, task)
    found: dict[Named, float | str] = {}
    ordered = has_order(task)

    def add(names: list[Named], compute: Callable[[], Mapping[str, float]]) -> None:
        try:
            if not ordered and names[0][0] in OF_ORDER:
                raise NoValue(NO_ORDER)
            values = compute()
            found.update({name: values[name[0]] for name in names})
        except NoValue as error:
            found.update(dict.fromkeys(names, str(error)))

    for metric in judged(task):
        for one in () if task.protocol.pairs else OF_GAP:
            add([(one, metric, "")], lambda m=metric, n=one: {n: _gap(n, own, experts, m)})
    for metric in followed(task):
        for one in () if task.protocol.pairs else ("coverage",):
            add([(one, metric, "")], lambda m=metric, n=one: {n: _gap(n, own, experts, m)})
        for one in OF_LEVELS:
            add([(one, metric, "")], lambda m=metric, n=one: {n: _along(n, _scores(own, m))})
    for one in OF_PAIRS if task.protocol.pairs else ():
        metric = task.headline
        add([(one, metric, "")], lambda n=one, m=metric: {n: _of_pairs(n, _scores(own, m), m)})
    add([("drift-mean", DRIFT, ""), ("drift-max", DRIFT, "")], lambda: _drift(_scores(own, DRIFT)))
    if task.kind == "objective":
        for metric in perception(task):
            add([("hypervolume", metric, "")], lambda m=metric: _volume(own, task, m))
    if task.has_true_level:
        metric = psnr(task)
        for names, compute in _of_matrix(metric):
            add(names, lambda c=compute: c(_matrix(own, metric)))
        found.update(_best_dials(own, metric) if ordered else {("best-dial", metric, ""): NO_ORDER})
    return found


def has_order(task: Task) -> bool:
    """Returns whether levels lie between others, rather than being names such as operators."""
    return not any(axis.names for axis in task.space.axes)


def judged(task: Task) -> list[str]:
    """Returns the metrics that a dial is judged by: the headline, and what an objective trades."""
    other = perception(task) if task.kind == "objective" else []
    return list(dict.fromkeys((task.headline, *other)))


def followed(task: Task) -> list[str]:
    """Returns the metrics that a dial is followed along: ``judged``, where they ask the same throughout.

    A loss or a target that changes with the level moves along it whatever a network does. In place of
    such a headline stands the task's first metric that does not.
    """
    same = [one for one in task.metrics if not (METRICS[one].of_target or METRICS[one].of_dial)]
    found = [one if one in same else same[0] for one in judged(task)]
    return list(dict.fromkeys(found))


def perception(task: Task) -> list[str]:
    """Returns the task's LPIPS metrics."""
    return [metric for metric in task.metrics if metric.startswith("lpips")]


def experts_of(run: Run, sizes: Mapping[Run, int]) -> Run | None:
    """Returns the experts that a run is compared with: those with most levels.

    Args:
        run: The run.
        sizes: Of other runs, experts among them, the number of levels.
    """
    same = [one for one in sizes if one.family == "experts" and one[1:] == run[1:]]
    return max(same, key=lambda one: (sizes[one], one.method), default=None)


def _experts(found: Found, run: Run, seed: int) -> Mapping[str, Scores] | None:
    """Returns the scores of the experts that one seed of a run is compared with."""
    sizes = {
        one: max(len(scores.levels()) for scores in seeds[seed].values())
        for one, seeds in found.items()
        if one.family == "experts" and seed in seeds
    }
    chosen = experts_of(run, sizes)
    return None if chosen is None else found[chosen][seed]


def _scores(own: Mapping[str, Scores], metric: str) -> Scores:
    if metric not in own:
        raise NoValue(f"{METRICS[metric].label} was not scored")
    return own[metric]


def _gap(
    name: str, own: Mapping[str, Scores], experts: Mapping[str, Scores] | None, metric: str
) -> float:
    """Returns a figure that compares a run with the experts."""
    if experts is None:
        raise NoValue(NO_EXPERTS)
    ours = _scores(own, metric).by_level()
    try:
        theirs = _scores(experts, metric).by_level()
    except NoValue as error:
        raise NoValue(f"experts: {error}") from None
    common = in_order(ours.keys() & theirs.keys())
    if len(common) < 2:
        raise NoValue("the experts have fewer than two levels of this run")
    sign = 1.0 if METRICS[metric].higher_is_better else -1.0
    gap = {level: sign * (ours[level] - theirs[level]) for level in common}
    if name == "gap-mean":
        return statistics.fmean(map(abs, gap.values()))
    if name == "coverage":
        low, high = sorted((theirs[common[0]], theirs[common[-1]]))
        if low == high:
            raise NoValue("the experts of both ends score the same")
        reached = min(high, max(ours.values())) - max(low, min(ours.values()))
        return max(0.0, reached) / (high - low)
    if name != "gap-middle":
        return gap[common[0] if name == "gap-start" else common[-1]]
    if len(common) < 3:
        raise NoValue("there is no expert between the ends")
    x = places(common)
    inner = range(1, len(common) - 1)
    return gap[common[min(inner, key=lambda at: abs(x[at] - (x[0] + x[-1]) / 2))]]


def _along(name: str, scores: Scores) -> float:
    """Returns a figure of the curve along the level."""
    import numpy as np

    values = scores.by_level()
    x, y = np.array(places(values)), np.array(list(values.values()))
    if len(x) < 3:
        raise NoValue("it needs three levels")
    steps = np.diff(y)
    if name == "largest-step":
        return float(np.abs(steps).max())
    if name == "monotonicity":
        way = float(np.abs(steps).sum())
        if way == 0:
            raise NoValue("it is the same at every level")
        return float(abs(y[-1] - y[0]) / way)
    # Twice the distance from the chord of the neighbours: the second difference on an even grid.
    share = (x[1:-1] - x[:-2]) / (x[2:] - x[:-2])
    return float(np.abs(2 * (y[:-2] + share * (y[2:] - y[:-2]) - y[1:-1])).mean())


def _of_pairs(name: str, scores: Scores, metric: str) -> float:
    """Returns a figure of images whose level nobody knows."""
    sign = 1.0 if METRICS[metric].higher_is_better else -1.0
    values = sign * scores.matched()
    best = int(values.mean(axis=1).argmax())
    if name == "pairs-level":
        return places(scores.levels())[best]
    if name == "pairs-own":
        return float((values.max(axis=0) - values[best]).mean())
    return float(sign * values[best].mean())


def _drift(scores: Scores) -> dict[str, float]:
    values = scores.by_level().values()
    return {"drift-mean": statistics.fmean(values), "drift-max": max(values)}


def _volume(own: Mapping[str, Scores], task: Task, metric: str) -> dict[str, float]:
    base = task.name.partition("@")[0]
    if base not in REFERENCE_POINTS:
        raise NoValue(f"no reference point is fixed for {base}")
    up, down = _scores(own, psnr(task)).by_level(), _scores(own, metric).by_level()
    points = [(up[level], down[level]) for level in up if level in down]
    return {"hypervolume": hypervolume(points, REFERENCE_POINTS[base])}


def hypervolume(points: list[tuple[float, float]], reference: tuple[float, float]) -> float:
    """Returns the area that points dominate, up to a reference point.

    Args:
        points: (larger is better, smaller is better) pairs; those beyond the reference add nothing.
        reference: The worst corner, in the same order.
    """
    area = best_down = 0.0
    gains = [(up - reference[0], reference[1] - down) for up, down in points]
    for up, down in sorted(gains, reverse=True):
        if up > 0 and down > best_down:
            area += up * (down - best_down)
            best_down = down
    return area


def _matrix(own: Mapping[str, Scores], metric: str) -> Matrix:
    return Matrix.of(_scores(own, metric), METRICS[metric].higher_is_better)


def _of_matrix(
    metric: str,
) -> Iterator[tuple[list[Named], Callable[[Matrix], Mapping[str, float]]]]:
    """Yields the figures of a matrix, with what computes them."""
    sign = 1.0 if METRICS[metric].higher_is_better else -1.0
    dials = ("linear", "calibrated", "oracle")
    yield (
        [(f"dial-{name}", metric, "") for name in dials],
        lambda one: {f"dial-{name}": sign * v for name, v in matrix.dial_scores(one).items()},
    )
    single: dict[str, Callable[[Matrix], float]] = {
        "best-dial-r2": matrix.linearity,
        "best-dial-mean": lambda one: statistics.fmean(matrix.deviations(one)),
        "best-dial-max": lambda one: max(matrix.deviations(one)),
        "loss-monotonicity": matrix.monotonicity,
    }
    for name, compute in single.items():
        yield [(name, metric, "")], lambda one, n=name, c=compute: {n: c(one)}


def _best_dials(own: Mapping[str, Scores], metric: str) -> dict[Named, float | str]:
    """Returns the best dial of every level, or one reason for all."""
    try:
        one = _matrix(own, metric)
        dials = zip(one.levels, matrix.best_dials(one), strict=True)
        return {("best-dial", metric, level): dial for level, dial in dials}
    except NoValue as error:
        return {("best-dial", metric, ""): str(error)}
