"""Rows as scores: the values of all images by (true level, dial), for every run and metric."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from benchmark.control import level_key, level_text
from benchmark.results import as_texts

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from benchmark.tasks import Task

NO_MATRIX = "it needs the level x dial matrix; run with --matrix and several levels"


class NoValue(Exception):
    """A figure cannot be computed; the message says why."""


class Run(NamedTuple):
    """What was trained, and the data set it was scored on."""

    method: str
    backbone: str
    preset: str
    dataset: str

    @property
    def family(self) -> str:
        """The method's name without its options."""
        return self.method.partition(":")[0]


@dataclass(frozen=True)
class Scores:
    """The scores of one metric, from one seed of a run.

    Args:
        images: Image names in order.
        cells: By (true level, dial) texts, the values of the images; NaN where there is none. The
            cases of one picture are averaged: they are no more independent than its pixels.
        reason: Why values are missing, if any are.
        asked: Levels without which nothing is said over all levels; see ``asking``.
    """

    images: tuple[str, ...]
    cells: dict[tuple[str, str], np.ndarray]
    reason: str = ""
    asked: tuple[str, ...] = ()

    def levels(self) -> list[str]:
        """Returns the levels that were scored with the dial set to them, in order."""
        return in_order(level for level, dial in self.cells if level == dial)

    def without(self, levels: Collection[str]) -> Scores:
        """Returns the scores of the other levels alone, with the dial set to one of them."""
        kept = {pair: values for pair, values in self.cells.items() if not {*pair} & {*levels}}
        asked = tuple(level for level in self.asked if level not in levels)
        return replace(self, cells=kept, asked=asked)

    def matched(self) -> np.ndarray:
        """Returns the scores with the dial at the true level, (levels, images).

        Raises:
            NoValue: If there are none, or one is missing.
        """
        import numpy as np

        lacking = [level for level in self.asked if (level, level) not in self.cells]
        if lacking:
            word = "levels" if len(lacking) > 1 else "level"
            raise NoValue(f"it was not scored at {word} {', '.join(lacking)}, as others were")
        values = np.array([self.cells[level, level] for level in self.levels()])
        if not values.size or np.isnan(values).any():
            raise NoValue(self.reason or "it was not scored at every level and image")
        return values

    def by_level(self) -> dict[str, float]:
        """Returns the mean over images at every level, with the dial at the true level.

        Raises:
            NoValue: If there are none, or one is missing.
        """
        return dict(zip(self.levels(), self.matched().mean(axis=1).tolist(), strict=True))

    def crossed(self) -> tuple[list[str], np.ndarray]:
        """Returns the levels, and the scores at every pair of them, (levels, dials, images).

        Raises:
            NoValue: If the dial was never set to another level, or a score is missing.
        """
        import numpy as np

        if all(level == dial for level, dial in self.cells):
            raise NoValue(NO_MATRIX)
        levels = in_order(text for pair in (*self.cells, self.asked) for text in pair)
        pairs = [(level, dial) for level in levels for dial in levels]
        missing = sum(pair not in self.cells for pair in pairs)
        if missing:
            raise NoValue(f"{missing} of {len(pairs)} cells of the matrix are missing; run again")
        values = np.array([self.cells[pair] for pair in pairs])
        if np.isnan(values).any():
            raise NoValue(self.reason or "scores of the matrix are missing")
        return levels, values.reshape(len(levels), len(levels), -1)


Found = dict[Run, dict[int, dict[str, Scores]]]
"""Scores by run, seed and metric."""


def asking(found: Found, few: Collection[str]) -> Found:
    """Returns scores that ask for the levels of all runs on their data set.

    A sweep that was stopped lacks levels, and what is said over the others, like how far the ends are
    apart, compares with no other run or seed.

    Args:
        found: Output of ``scores``.
        few: Methods, or families of them, that answer at levels of their own; they ask for those of
            their other seeds.
    """
    levels: dict[tuple, set[str]] = {}
    groups = {run: run if {run.family, run.method} & {*few} else run.dataset for run in found}
    every = [
        (run, seed, metric, one)
        for run, seeds in found.items()
        for seed, own in seeds.items()
        for metric, one in own.items()
    ]
    for run, _, metric, one in every:
        levels.setdefault((groups[run], metric), set()).update(one.levels())
    asked: Found = {}
    for run, seed, metric, one in every:
        wanted = tuple(in_order(levels[groups[run], metric]))
        asked.setdefault(run, {}).setdefault(seed, {})[metric] = replace(one, asked=wanted)
    return asked


def harmed(own: Mapping[str, Scores], task: Task) -> Mapping[str, Scores]:
    """Returns scores by metric without those of harmless levels, which compare no methods.

    A network that leaves an image as it is, as it should there, has no finite PSNR; one that nearly
    does has so high a one that it would outweigh all other levels.
    """
    harmless = {level_text(level) for level in task.harmless}
    if not harmless:
        return own
    return {metric: scores.without(harmless) for metric, scores in own.items()}


def pictures(images: Sequence[str], task: Task) -> dict[str, list[int]]:
    """Returns the pictures behind images that are named with their case, and where those stand.

    Args:
        images: Names of images, like ``kodim01 sigma=15``.
        task: The task; without cases every image is a picture of its own.
    """
    cases = [task.case_text(case) for case in task.cases]
    found: dict[str, list[int]] = {}
    for at, name in enumerate(images):
        case = next((one for one in cases if one and name.endswith(one)), "")
        found.setdefault(name.removesuffix(case), []).append(at)
    return found


def scores(rows: pd.DataFrame, task: Task) -> Found:
    """Returns the scores behind the rows, whatever their order.

    Args:
        rows: Rows of a report; only those with status ``ok`` and a finite value have one.
        task: Their task.
    """
    texts = [*Run._fields, "image", "level", "set_level", "metric", "status", "reason"]
    columns = [as_texts(rows[name]) for name in texts]
    seeds = [int(seed) for seed in rows["seed"]]
    parts: dict[tuple, list[tuple[tuple[str, str], str, float, str]]] = {}
    for *run, image, level, dial, metric, status, reason, seed, value in zip(
        *columns, seeds, rows["value"], strict=True
    ):
        known = status == "ok" and isinstance(value, float | int) and math.isfinite(value)
        score = float(value) if known else math.nan
        part = parts.setdefault((*run, seed, metric), [])
        part.append(((level, dial or level), image, score, reason))
    found: Found = {}
    for (*run, seed, metric), part in sorted(parts.items()):
        found.setdefault(Run(*run), {}).setdefault(seed, {})[metric] = _scores(part, task)
    return found


def _scores(part: list[tuple[tuple[str, str], str, float, str]], task: Task) -> Scores:
    import numpy as np

    images = tuple(sorted({image for _, image, _, _ in part}))
    place = {image: at for at, image in enumerate(images)}
    cells: dict[tuple[str, str], np.ndarray] = {}
    for cell in sorted({cell for cell, _, _, _ in part}):
        cells[cell] = np.full(len(images), np.nan)
    for cell, image, score, _ in part:
        cells[cell][place[image]] = score
    reasons = sorted({reason for _, _, score, reason in part if math.isnan(score) and reason})
    cases = pictures(images, task)
    if len(cases) < len(images):
        for cell, values in cells.items():
            cells[cell] = np.array([values[at].mean() for at in cases.values()])
    return Scores(tuple(cases), cells, reasons[0] if reasons else "")


def in_order(levels: Iterable[str]) -> list[str]:
    """Returns distinct level texts in order."""
    return sorted(set(levels), key=level_key)


def places(levels: Iterable[str]) -> list[float]:
    """Returns where levels lie on the only axis.

    Raises:
        NoValue: If they have several axes.
    """
    points = [level_key(level) for level in levels]
    if any(len(point) != 1 for point in points):
        raise NoValue("it needs levels on one axis")
    return [point[0] for point in points]
