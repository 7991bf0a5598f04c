"""What the store hands to the report: tidy tables, and nothing that needs torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmark.errors import Failure

if TYPE_CHECKING:
    import pandas as pd

ROW_COLUMNS = (
    "schema",
    "task",
    "task_digest",
    "protocol",
    "dataset",
    "image",
    "method",
    "method_digest",
    "backbone",
    "preset",
    "seed",
    "level",
    "level_physical",
    "set_level",
    "metric",
    "value",
    "status",
    "reason",
    "weights_sha256",
    "torch",
    "device",
    "harness_version",
    "created_utc",
)
COST_COLUMNS = (
    "method",
    "backbone",
    "preset",
    "seed",
    "folds",
    "params_stored",
    "params_folded",
    "macs",
    "ms_per_image",
    "switch_ms",
    "train_steps",
)
PICTURE_COLUMNS = (
    "method",
    "backbone",
    "preset",
    "seed",
    "dataset",
    "image",
    "level",
    "path",
    "single",
)

FEW_LEVELS = "answers only at levels "
"""What the reason begins with why a method lacks levels that it cannot be asked for."""
INPUT = "input"
"""Stands for a method in ``pictures``: the degraded image."""
CLEAN = "clean"
"""Stands for a method in ``pictures``: the image to restore (its level is empty)."""
MAP = "level map"
"""Stands for a method in ``pictures``: the level of every pixel, black is 0 and white 1."""
TARGET = "target"
"""Stands for a method in ``pictures``: what should come out, where that depends on the level."""


@dataclass(frozen=True)
class Results:
    """Everything a report is made of.

    Args:
        rows: One line per number, with ``ROW_COLUMNS``. ``value`` is NaN unless ``status`` is
            ``"ok"``; ``level``, ``set_level`` and ``level_physical`` are texts.
        costs: One line per trained method, with ``COST_COLUMNS``; ``ms_per_image`` is NaN when it
            was not timed, ``switch_ms`` also where no dial is set.
        pictures: One line per stored picture, with ``PICTURE_COLUMNS``; ``single`` is the path of
            what the best single level gives, where the dial was set by a level map.
        failures: What gave no result, and why.
    """

    rows: pd.DataFrame
    costs: pd.DataFrame
    pictures: pd.DataFrame
    failures: tuple[Failure, ...] = ()

    @property
    def few(self) -> set[str]:
        """The methods that answer at some of the levels only, as they were made."""
        return {one.method for one in self.failures if one.reason.startswith(FEW_LEVELS)}

    @classmethod
    def of(
        cls,
        rows: list[Mapping[str, Any]],
        costs: list[Mapping[str, Any]],
        pictures: list[Mapping[str, Any]],
        failures: list[Failure] | tuple[Failure, ...] = (),
    ) -> Results:
        """Builds results from plain records; columns are always there, even without records."""
        import pandas as pd

        return cls(
            pd.DataFrame(rows, columns=list(ROW_COLUMNS)),
            pd.DataFrame(costs, columns=list(COST_COLUMNS)),
            # Paths need not be UTF-8, which texts of pandas must.
            pd.DataFrame(pictures, columns=list(PICTURE_COLUMNS), dtype=object),
            tuple(failures),
        )


def as_texts(column: pd.Series) -> pd.Series:
    """Returns a column as texts, empty where there is no value; one of categories would refuse those."""
    return column.astype(object).fillna("").map(str)
