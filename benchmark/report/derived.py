"""What the report derives from the rows: dial quality, intervals, comparisons and ranks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmark.report.series import Series, place

if TYPE_CHECKING:
    import pandas as pd

    from benchmark.analysis.scores import Found
    from benchmark.results import Results
    from benchmark.tasks import Task

DIGITS = 6
"""Decimals kept in the tables."""
P_VALUES = ("p_value", "p_holm")


@dataclass(frozen=True)
class Derived:
    """Derived tables, methods in table order.

    Args:
        found: The scores behind them.
        dials: Figures of dial quality, one a line.
        stats: Means and intervals of every cell and metric.
        pairs: Paired comparisons of the headline metric.
        ranks: By series and data set, the rank (or None) and why there is none.
    """

    found: Found
    dials: pd.DataFrame
    stats: pd.DataFrame
    pairs: pd.DataFrame
    ranks: dict[tuple[Series, str], tuple[int | None, str]]


def _rounded(pairs: pd.DataFrame) -> pd.DataFrame:
    """Rounds decimals, but digits of p-values: of many images they are small, and never 0."""
    p_values = {name: pairs[name].map(lambda p: float(f"{p:.3g}")) for name in P_VALUES}
    return pairs.round(DIGITS).assign(**p_values)


def derive(results: Results, task: Task) -> Derived:
    """Returns what follows from the rows, whatever their order."""
    from benchmark.analysis.comparison import pairs_table, ranking, stats_table
    from benchmark.analysis.dial import dial_table
    from benchmark.analysis.scores import scores

    found = scores(results.rows, task)
    found = dict(
        sorted(found.items(), key=lambda one: (one[0].dataset, place(Series(*one[0][:3]))))
    )
    contest = [run for run in found if not Series(*run[:3]).baseline]
    ranks = ranking(found, task, contest)
    return Derived(
        found,
        dial_table(found, task, results.few).round(DIGITS),
        stats_table(found).round(DIGITS),
        _rounded(pairs_table(found, task)),
        {(Series(*run[:3]), run.dataset): placed for run, placed in ranks.items()},
    )
