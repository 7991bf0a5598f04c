"""Rows as scores: one table of (true level, dial) x image per run, data set and metric."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from benchmark.control import parse_level
from benchmark.errors import LevelError

if TYPE_CHECKING:
    import pandas as pd

NO_MATRIX = "it needs the level x dial matrix; run with --matrix"


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
        table: Values, NaN where there is none; the index holds (true level, dial) texts, the
            columns are images in the order of their names.
        reason: Why values are missing, if any are.
    """

    table: pd.DataFrame
    reason: str = ""

    def levels(self) -> list[str]:
        """Returns the true levels in order."""
        return in_order(level for level, _ in self.table.index)

    def images(self) -> list[str]:
        """Returns the images in order."""
        return list(self.table.columns)

    def matched(self) -> pd.DataFrame:
        """Returns the scores with the dial at the true level: level x image, levels in order.

        Raises:
            NoValue: If there are none, or one is missing.
        """
        known = set(self.table.index)
        levels = [level for level in self.levels() if (level, level) in known]
        found = self.table.loc[[(level, level) for level in levels]]
        if found.empty or bool(found.isna().to_numpy().any()):
            raise NoValue(self.reason or "it was not scored at every level and image")
        return found.set_axis(levels, axis=0)

    def by_level(self) -> pd.Series:
        """Returns the mean over images at every level, with the dial at the true level.

        Raises:
            NoValue: If there are none, or one is missing.
        """
        return self.matched().mean(axis=1)

    def crossed(self) -> tuple[list[str], pd.DataFrame]:
        """Returns the levels, and the scores at every pair of them as (level, dial) x image.

        Raises:
            NoValue: If the dial was never set to another level, or a score is missing.
        """
        if all(level == dial for level, dial in self.table.index):
            raise NoValue(NO_MATRIX)
        levels = in_order(text for pair in self.table.index for text in pair)
        pairs = [(level, dial) for level in levels for dial in levels]
        missing = sum(pair not in self.table.index for pair in pairs)
        if missing:
            raise NoValue(f"{missing} of {len(pairs)} cells of the matrix are missing; run again")
        found = self.table.loc[pairs]
        if bool(found.isna().to_numpy().any()):
            raise NoValue(self.reason or "scores of the matrix are missing")
        return levels, found


def tidy(rows: pd.DataFrame) -> pd.DataFrame:
    """Returns the rows with texts without nulls, a dial for every row, and NaN where no value is."""
    import pandas as pd

    texts = [*Run._fields, "image", "level", "set_level", "metric", "reason"]
    rows = rows.assign(
        **{name: rows[name].astype(object).fillna("").map(str) for name in texts},
        value=pd.to_numeric(rows["value"], errors="coerce").where(rows["status"] == "ok"),
    )
    dial = rows["set_level"].where(rows["set_level"] != "", rows["level"])
    return rows.assign(set_level=dial)[[*texts, "seed", "value"]]


def scores(rows: pd.DataFrame) -> dict[Run, dict[int, dict[str, Scores]]]:
    """Returns the scores by run, seed and metric, whatever the order of the rows.

    Args:
        rows: Output of ``tidy``.
    """
    found: dict[Run, dict[int, dict[str, Scores]]] = {}
    for (*run, seed, metric), part in rows.groupby([*Run._fields, "seed", "metric"], sort=True):
        table = part.pivot(index=["level", "set_level"], columns="image", values="value")
        table = table.sort_index(axis=0).sort_index(axis=1)
        why = sorted({one for one in part.loc[part["value"].isna(), "reason"] if one})
        by_seed = found.setdefault(Run(*run), {})
        by_seed.setdefault(seed, {})[metric] = Scores(table, why[0] if why else "")
    return found


def in_order(levels: Iterable[str]) -> list[str]:
    """Returns distinct level texts in order."""
    return sorted(set(levels), key=_key)


def places(levels: Iterable[str]) -> list[float]:
    """Returns where levels lie on the only axis.

    Raises:
        NoValue: If they have several axes.
    """
    points = [_key(level) for level in levels]
    if any(len(point) != 1 for point in points):
        raise NoValue("it needs levels on one axis")
    return [point[0] for point in points]


def _key(level: str) -> tuple[float, ...]:
    try:
        return parse_level(level)
    except LevelError:
        return (float("inf"),)
