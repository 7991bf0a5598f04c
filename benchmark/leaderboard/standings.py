"""Who stands where: headline, interval, rank and dial quality of every entry, from the rows alone.

Entries compete where they answered the same question: the same version of the task, the same images,
levels and headline metric. What an interval says is how sure the difference to the field is: every image
counts with its distance from the centre of the field on it, so that hard images, which all find hard, do
not hide differences, and one odd entry does not widen the intervals of others. Methods share a rank only
where their intervals overlap. What an image is worth is the headline metric, or the area won in the plane
of two metrics where the task has one.

Only what was computed again counts: claimed entries are no part of the field, and nobody's rank or
reference. A method that was handed in more than once counts once.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from benchmark.analysis.dial import figures, followed, psnr
from benchmark.analysis.matrix import NO_DIAL
from benchmark.analysis.plane import won
from benchmark.analysis.scores import Scores, pictures
from benchmark.analysis.statistics import centre, interval
from benchmark.leaderboard import rows
from benchmark.leaderboard.entry import Entry
from benchmark.metrics.records import METRICS

if TYPE_CHECKING:
    import numpy as np

NAN = math.nan
CHUNK = 256
"""Entries whose intervals are computed at once: a resample of each takes memory."""
RANKED = ("reproduced", "retrained")
DIAL = {"degradation": "best-dial-r2", "objective": "monotonicity", "operator": "best-dial-r2"}
"""The figure that stands for dial quality, by the kind of task; 1 is best for all of them."""


class Question(NamedTuple):
    """What entries must have in common to be compared."""

    version: int
    dataset: str
    digest: str
    images: tuple[str, ...]
    levels: tuple[str, ...]
    metric: str


@dataclass(frozen=True)
class Known(Scores):
    """Scores whose means are known to be complete: thousands of entries ask for them many times.

    Args:
        means: The mean over images at every level, with the dial at the true level.
    """

    means: dict[str, float] = field(default_factory=dict)

    def by_level(self) -> dict[str, float]:
        return self.means


@dataclass
class Standing:
    """One entry on one test set.

    Args:
        entry: The entry.
        question: What it answered.
        values: The headline metric, (seeds, points, images), averaged over the cases of a picture.
        points: The (level, dial) pairs.
        perceived: The perception metric of a task that has one, with the dial at the true level,
            (seeds, levels, images), or None if the entry lacks it.
        along: Means over images of the metric that the dial is followed along, (seeds, levels), where
            that is not the headline; or None.
        worth: What every image is worth, or None if that cannot be said.
        mean: Mean of the headline metric over levels, images and seeds.
        merit: Mean of what images are worth.
        low: Lower end of the interval around it, or NaN.
        high: Upper end.
        gap: Mean absolute difference to the experts, or NaN.
        coverage: Share of the experts' range that the dial reaches, or NaN.
        dial: Dial quality, or NaN.
        rank: Its rank, or None if it is only listed.
    """

    entry: Entry
    question: Question
    values: np.ndarray
    points: list[tuple[str, str]]
    perceived: np.ndarray | None = None
    along: np.ndarray | None = None
    worth: np.ndarray | None = None
    mean: float = NAN
    merit: float = NAN
    low: float = NAN
    high: float = NAN
    gap: float = NAN
    coverage: float = NAN
    dial: float = NAN
    rank: int | None = None

    @property
    def metric(self) -> str:
        return self.entry.facts["metrics"][0]

    @property
    def sign(self) -> float:
        """1 if a larger merit is better, else -1."""
        upwards = METRICS[self.metric].higher_is_better or self.entry.task.perception
        return 1.0 if upwards else -1.0

    def matched(self) -> np.ndarray:
        """Returns the values with the dial at the true level, (seeds, levels, images)."""
        if len(self.points) == len(self.question.levels):
            return self.values
        return self.values[:, [at for at, (level, dial) in enumerate(self.points) if level == dial]]

    def by_level(self) -> list[float]:
        """Returns the mean over seeds and images at every level."""
        return self.matched().mean(axis=(0, 2)).tolist()

    def of_seed(self, at: int) -> dict[str, Scores]:
        """Returns the scores of one seed as the analysis takes them."""
        cells = dict(zip(self.points, self.values[at], strict=True))
        levels, images = self.question.levels, self.question.images
        means = dict(zip(levels, self.matched()[at].mean(axis=1).tolist(), strict=True))
        found: dict[str, Scores] = {self.metric: Known(images, cells, means=means)}
        if self.along is not None:
            means = dict(zip(levels, self.along[at].tolist(), strict=True))
            found[followed(self.entry.task)[0]] = Known(images, {}, means=means)
        return found


@dataclass
class Group:
    """Entries that can be compared, best first, then what is only listed."""

    question: Question
    standings: list[Standing] = field(default_factory=list)


def of_entry(entry: Entry, blob: bytes) -> list[Standing]:
    """Returns the standings of one entry, one for each test set, before they are compared.

    Args:
        entry: The entry.
        blob: Its rows as they are packed.

    Raises:
        Fault: If the rows are not as they must be.
    """
    layout, facts = entry.layout, entry.facts
    headline, points = layout.metrics[0], layout.points(layout.metrics[0])
    perception, along = entry.task.perception, followed(entry.task)[0]
    wanted = [one for one in layout.metrics if one in (headline, perception, along)]
    read = dict(zip(wanted, rows.read_some(blob, layout, wanted), strict=True))

    def by_set(metric: str) -> list[np.ndarray]:
        return _by_set(read[metric], layout, len(layout.points(metric)))

    nothing = [None] * len(layout.sets)
    values = by_set(headline)
    perceived = by_set(perception) if perception in read else nothing
    others = by_set(along) if along in read and along != headline else nothing
    found = []
    for at, (about, (name, images)) in enumerate(zip(facts["sets"], layout.sets, strict=True)):
        cases = pictures(images, entry.task)
        question = Question(
            facts["task_version"], name, about["digest"], tuple(cases), layout.levels, headline
        )
        own, other = (_over_cases(some[at], cases) for some in (values, perceived))
        means = None if others[at] is None else others[at].mean(axis=-1)
        one = Standing(entry, question, own, points, other, means)
        one.mean = float(one.matched().mean())
        found.append(one)
    return found


def _over_cases(values: np.ndarray | None, cases: dict[str, list[int]]) -> np.ndarray | None:
    """Returns the mean over the cases of every picture, (seeds, points, pictures)."""
    import numpy as np

    if values is None or len(cases) == values.shape[-1]:
        return values
    return np.stack([values[..., at].mean(axis=-1) for at in cases.values()], axis=-1)


def _by_set(values: np.ndarray, layout: rows.Layout, points: int) -> list[np.ndarray]:
    """Returns the values of one metric as (seeds, points, images), by test set."""
    found, at = [], 0
    for _, images in layout.sets:
        shape = (len(layout.seeds), points, len(images))
        found.append(values[at : at + math.prod(shape)].reshape(shape))
        at += math.prod(shape)
    return found


def standings(entries: Iterable[tuple[Entry, bytes]]) -> list[Group]:
    """Returns what the entries of a task make: newest version, most images, most levels first.

    Args:
        entries: Entries with their rows as they are packed.

    Raises:
        Fault: If rows are not as they must be.
    """
    groups: dict[Question, Group] = {}
    for entry, blob in entries:
        for one in of_entry(entry, blob):
            groups.setdefault(one.question, Group(one.question)).standings.append(one)
    every = [one for group in groups.values() for one in group.standings]
    _quality(every)
    _worth(every)
    for group in groups.values():
        _compare(group.standings)
        group.standings.sort(key=_place)
    return sorted(groups.values(), key=lambda one: _order(one.question))


def newest(groups: Sequence[Group]) -> list[Group]:
    """Returns the groups of the newest version: levels of two versions have no place in one figure.

    It is the newest one that has ranked entries, if any has.
    """
    ranked = [one for one in groups if any(it.rank is not None for it in one.standings)]
    version = max((group.question.version for group in ranked or groups), default=0)
    return [group for group in groups if group.question.version == version]


def _order(question: Question) -> tuple:
    levels = tuple(len(level) for level in question.levels), question.levels
    own = question.dataset, question.digest, question.metric
    # What most images say comes first: pages open with it.
    return -question.version, -len(question.images), *own, -len(question.levels), levels


def _place(one: Standing) -> tuple:
    """Sorts the ranked first, then those that are not, then baselines; better ones first."""
    group = 0 if one.rank is not None else 2 if one.entry.series.baseline else 1
    known = one.mean if math.isnan(one.merit) else one.merit
    return group, one.rank or 0, math.isnan(one.merit), -one.sign * known, one.entry.id


def _worth(every: Sequence[Standing]) -> None:
    """Fills in what every image is worth; an area needs an entry of the floor on the same images."""
    floors: dict[tuple, tuple[np.ndarray, np.ndarray]] = {}
    for one in sorted(every, key=_quality_of, reverse=True):
        trusted = one.entry.series.family == "floor" and one.entry.status in RANKED
        if trusted and one.perceived is not None:
            # It has no dial: entries of other levels say the same of it.
            floors.setdefault(one.question[:4], _over_seeds(one))
    for one in every:
        task, floor = one.entry.task, floors.get(one.question[:4])
        if not task.perception:
            one.worth = one.matched().mean(axis=(0, 1))
        elif floor is not None and one.perceived is not None:
            one.worth = won(task, _over_seeds(one), floor)


def _quality_of(one: Standing) -> tuple[float, str]:
    """Returns what references are chosen by: a spoilt one must not take the place of a good one."""
    return one.mean if METRICS[one.metric].higher_is_better else -one.mean, one.entry.id


def _over_seeds(one: Standing) -> tuple[np.ndarray, np.ndarray]:
    return one.matched().mean(axis=0), one.perceived.mean(axis=0)


def _compare(group: Sequence[Standing]) -> None:
    """Fills in means, intervals and ranks of entries that can be compared."""
    import numpy as np

    group = [one for one in group if one.worth is not None]
    if not group:
        return
    per_image = np.array([one.worth for one in group])
    trusted = [at for at, one in enumerate(group) if one.entry.status in RANKED]
    contest = [at for at in trusted if not group[at].entry.series.baseline]
    kinds = _kinds([group[at].entry for at in contest])
    field_at = np.zeros(per_image.shape[1])
    # An entry without a field has only its own spread over images.
    if len(set(kinds)) > 1:
        field_at = centre(_by_kind(per_image[contest], kinds))
    elif len(trusted) > 1:
        field_at = centre(per_image[trusted])
    level = float(field_at.mean())
    for start in range(0, len(group), CHUNK):
        part = group[start : start + CHUNK]
        apart = per_image[start : start + CHUNK] - field_at
        low, high = interval(apart.T)
        for at, one in enumerate(part):
            one.merit = float(per_image[start + at].mean())
            one.low, one.high = float(low[at]) + level, float(high[at]) + level
    # Nobody is first who is alone.
    if per_image.shape[1] > 1 and len(set(kinds)) > 1:
        _rank([group[at] for at in contest], kinds)


def _kinds(entries: Sequence[Entry]) -> list[int]:
    """Returns a number for every entry: one for those of the same series, or of a method's same weights.

    Methods of other names may have the same weights by design: what differs is how they are set.
    """
    parents: dict[Hashable, Hashable] = {}

    def kind(key: Hashable) -> Hashable:
        while (parent := parents.setdefault(key, key)) != key:
            key = parent
        return key

    # An entry may join kinds that stood apart before it, so they are numbered when all are known.
    for one in entries:
        weights = tuple(sorted(one.facts["weights_sha256"].values()))
        parents[kind(one.series)] = kind((one.series.family, weights))
    numbers: dict[Hashable, int] = {}
    return [numbers.setdefault(kind(one.series), len(numbers)) for one in entries]


def _by_kind(per_image: np.ndarray, kinds: Sequence[int]) -> np.ndarray:
    """Returns the mean of every kind on every image, (kinds, images)."""
    import numpy as np

    _, where, counts = np.unique(kinds, return_inverse=True, return_counts=True)
    sums = np.zeros((len(counts), per_image.shape[1]))
    np.add.at(sums, where, per_image)
    return sums / counts[:, None]


def _rank(contest: Sequence[Standing], kinds: Sequence[int]) -> None:
    """Fills in ranks: 1 + the number of other kinds whose interval lies wholly above."""
    import numpy as np

    worst: dict[int, float] = {}
    for one, kind in zip(contest, kinds, strict=True):
        own = min(one.sign * one.low, one.sign * one.high)
        worst[kind] = max(worst.get(kind, -math.inf), own)
    ordered = np.sort(list(worst.values()))
    for one, kind in zip(contest, kinds, strict=True):
        best = max(one.sign * one.low, one.sign * one.high)
        above = len(ordered) - int(np.searchsorted(ordered, best, side="right"))
        one.rank = 1 + above - (worst[kind] > best)


def _quality(every: Sequence[Standing]) -> None:
    """Fills in the figures of dial quality, as reports define them."""
    experts: dict[tuple, list[Standing]] = {}
    for one in every:
        if one.entry.series.family == "experts" and one.entry.status in RANKED:
            experts.setdefault(_shared(one), []).append(one)
    for one in every:
        if one.entry.series.family in NO_DIAL:
            continue
        rivals = experts.get(_shared(one), [])
        own_seeds = {*one.entry.layout.seeds}
        best = max(
            rivals,
            key=lambda it, own=own_seeds: (
                len(own & {*it.entry.layout.seeds}),
                len(it.question.levels),
                *_quality_of(it),
            ),
            default=None,
        )
        task = one.entry.task
        along = followed(task)[0]
        dial = (DIAL[task.kind], along if task.kind == "objective" else psnr(task), "")
        names = (("gap-mean", one.metric, ""), ("coverage", along, ""), dial)
        found: list[list[float]] = []
        for at, seed in enumerate(one.entry.layout.seeds):
            theirs = best.entry.layout.seeds if best else ()
            known = best.of_seed(theirs.index(seed)) if best and seed in theirs else None
            own = figures(one.of_seed(at), known, task)
            values = [own.get(name, "") for name in names]
            found.append([NAN if isinstance(value, str) else value for value in values])
        one.gap, one.coverage, one.dial = (
            statistics.fmean(column) for column in zip(*found, strict=True)
        )


def _shared(one: Standing) -> tuple:
    """Returns what a run must share with the experts it is measured against."""
    facts, question = one.entry.facts, one.question
    return (*question[:4], facts["backbone"], facts["preset"])
