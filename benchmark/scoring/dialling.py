"""Sweeping tasks whose dial is not simply set to the true level, and scores that compare dials.

``Task.dial`` says how the dial is set for an image: ``level`` (the cell's own), ``map`` (a level for
every pixel, as the degradation varies) or ``estimate`` (what an estimator says). Metrics with
``of_dial`` compare what comes out with what another dial gives; every image is restored for itself.
"""

from __future__ import annotations

import functools
import statistics
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from benchmark.control import Level
from benchmark.errors import LevelError, UserError
from benchmark.metrics import records
from benchmark.metrics.scorer import Score, Scorer, availability
from benchmark.objectives import MixedObjective
from benchmark.precision import inference

if TYPE_CHECKING:
    from benchmark.data.samples import Samples
    from benchmark.tasks import Task

ESTIMATOR = "level_estimator"
"""The baseline that estimates levels; its stage is called the same."""

Restore = Callable[[Level | Tensor, Tensor], tuple[Tensor, float]]
"""Returns the output (3, H, W) for a dial and an input (3, h, w), and the milliseconds it took."""
Estimate = Callable[[Tensor], Level]
"""Returns the level of an image (3, h, w)."""


class Dial(ABC):
    """How the dial is set for every image of a test set.

    Args:
        task: The task.
        samples: The test set.
        restore: Runs the method.
        offline: Whether downloads of metrics' weights are forbidden.
    """

    def __init__(self, task: Task, samples: Samples, restore: Restore, offline: bool):
        self.task, self.samples, self.restore = task, samples, restore
        self.offline = offline
        self.scorer = functools.cache(lambda ids: Scorer(ids, task.protocol, offline=offline))
        self.pictures: dict[str, Tensor] = {}
        """What else is worth a look, of the first image at the last level that was scored."""

    @abstractmethod
    def setting(self, index: int, level: Level) -> Level | Tensor:
        """Returns the level, or the level map (1, d, h, w), that an image is restored at."""

    @abstractmethod
    def compared(self, metric: str, index: int, level: Level, output: Tensor) -> Score:
        """Returns the score of a metric ``of_dial``."""

    def scored(
        self, level: Level, metrics: Sequence[str]
    ) -> Iterator[tuple[int, Tensor, float, dict[str, Score]]]:
        """Yields (index, output, milliseconds, scores) of every image, as ``forward.scored`` does."""
        plain = tuple(one for one in metrics if not records.get(one).of_dial)
        for index in range(len(self.samples)):
            given = self.samples.degraded(index, level)
            output, milliseconds = self.restore(self.setting(index, level), given)
            scores = self.judged(output, index, level, plain)
            for metric in metrics:
                if metric not in scores:
                    scores[metric] = self.compared(metric, index, level, output)
            yield index, output, milliseconds, {metric: scores[metric] for metric in metrics}

    def judged(
        self, output: Tensor, index: int, level: Level, metrics: tuple[str, ...]
    ) -> dict[str, Score]:
        """Returns the scores of an output."""
        scorer, samples = self.scorer(metrics), self.samples
        target = samples.target(index, level) if scorer.needs_target else None
        shown = output.clamp(0, 1) if self.task.protocol.clamp else output
        return scorer.score(shown, samples.reference(index, level), target)

    def obstacle(self, metric: str) -> str | None:
        """Returns why a metric cannot be computed here, or None if it can."""
        return availability((metric,), self.offline, self.samples.store)[metric]

    def at(self, setting: Level | Tensor, index: int, level: Level) -> Tensor:
        """Returns the output for an image of some level at another dial."""
        return self.restore(setting, self.samples.degraded(index, level))[0]


class ByMap(Dial):
    """A level for every pixel; beside it, the best level that is the same for all of them."""

    def setting(self, index: int, level: Level) -> Tensor:
        return self.samples.level_map(index, level)[None]

    def compared(self, metric: str, index: int, level: Level, output: Tensor) -> Score:
        own = metric.removesuffix("-single")
        outputs = [self.at(dial, index, level) for dial in self.task.grid]
        scores = [self.judged(one, index, level, (own,))[own] for one in outputs]
        known = [score.value for score in scores if score.value is not None]
        best = max(known) if known else None
        if index == 0:
            at = [score.value for score in scores].index(best) if known else 0
            shown = self.setting(index, level)[0].expand(3, -1, -1)
            self.pictures = {"map": shown, "single": outputs[at]}
        return scores[0] if best is None else Score(best, "ok")


class ByEstimate(Dial):
    """The level that an estimator says; beside it, the true level, and that of other estimators.

    Args:
        estimators: By suffix of the metrics that they are scored by; "" sets the dial.
    """

    def __init__(self, *base, estimators: dict[str, Estimate]):
        super().__init__(*base)
        self.estimators = estimators
        self.estimated = functools.lru_cache(None)(self._estimated)

    def _estimated(self, suffix: str, index: int, level: Level) -> Level:
        return self.estimators[suffix](self.samples.degraded(index, level))

    def setting(self, index: int, level: Level) -> Level:
        return self.estimated("", index, level)

    def compared(self, metric: str, index: int, level: Level, output: Tensor) -> Score:
        suffix = "-hyperres" if metric.endswith("-hyperres") else ""
        if suffix and suffix not in self.estimators:
            return Score(None, "unavailable", self.obstacle(metric) or "")
        try:
            dial = level if metric.endswith("-told") else self.estimated(suffix, index, level)
        except UserError as error:
            return Score(None, "failed", str(error))
        if metric.startswith("level-error"):
            physical = self.task.space.physical
            (true, *_), (found, *_) = physical(level), physical(dial)
            return Score(abs(true - found), "ok")
        own = metric.removesuffix("-told").removesuffix(suffix)
        return self.judged(self.at(dial, index, level), index, level, (own,))[own]


class AtLevel(Dial):
    """The cell's own level; beside it, the levels before it on the grid."""

    def __init__(self, *base):
        super().__init__(*base)
        self.objective = MixedObjective(self.task.objective).eval().requires_grad_(False)

    def setting(self, index: int, level: Level) -> Level:
        return level

    def compared(self, metric: str, index: int, level: Level, output: Tensor) -> Score:
        if metric == "objective":
            loss = self.objective(
                output[None],
                self.samples.reference(index, level)[None],
                torch.tensor([level]),
                self.samples.degraded(index, level)[None],
            )
            return Score(loss.item(), "ok")
        before = neighbours(level, self.task.grid)
        if not before:
            return Score(None, "failed", "it is the first level, so none comes before it")
        own = metric.removeprefix("step-")
        scorer = self.scorer((own,))
        if obstacle := self.obstacle(metric):
            return Score(None, "unavailable", obstacle)
        try:
            others = [self.at(one, index, level).clamp(0, 1) for one in before]
        except LevelError as error:
            return Score(None, "failed", str(error))
        found = [scorer.score(output.clamp(0, 1), one)[own] for one in others]
        for score in found:
            if score.value is None:
                return score
        return Score(statistics.fmean(score.value for score in found), "ok")


def neighbours(level: Level, grid: Sequence[Level]) -> list[Level]:
    """Returns the nearest levels of a grid below a level on one axis, the others being the same."""
    found = []
    for axis, value in enumerate(level):
        line = [
            one
            for one in grid
            if one[axis] < value
            and all(a == b for at, (a, b) in enumerate(zip(one, level, strict=True)) if at != axis)
        ]
        found += [max(line)] if line else []
    return found


def level_of(method: nn.Module, image: Tensor, device: torch.device) -> Level:
    """Returns the level of an image (3, h, w) that our own estimator says, inside the anchors."""
    with inference():
        found = method.estimate(image[None].to(device))[0].clamp(0, 1).tolist()
    space = method.control
    return space.spread(space.position(found))
