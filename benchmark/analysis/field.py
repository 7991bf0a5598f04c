"""How far a run is from the field at every level, and how sure that distance is."""

from __future__ import annotations

from collections.abc import Collection

from benchmark.analysis.comparison import Table, contestants
from benchmark.analysis.scores import Found, Run
from benchmark.analysis.statistics import centre, interval


def field_intervals(
    found: Found, dataset: str, metric: str, field: Collection[Run]
) -> dict[tuple[Run, str], tuple[float, float]]:
    """Returns an interval around the mean of every run at every level.

    Images differ far more than methods do, so every image counts with its distance from the centre of
    the field on it; the interval of that distance is put around the mean. With fewer than two runs
    in the field it is the plain interval over images.

    Args:
        found: Output of ``scores.scores``.
        dataset: The data set.
        metric: The metric.
        field: The runs that make the field; others are compared with it.

    Returns:
        Low and high ends by run and level; nothing for a single image, or where scores are missing.
    """
    import numpy as np

    tables = contestants(found, dataset, metric)
    ends: dict[tuple[Run, str], tuple[float, float]] = {}
    for level in dict.fromkeys(level for table in tables.values() for level in table.levels):
        by_images: dict[tuple[str, ...], dict[Run, Table]] = {}
        for run, table in tables.items():
            if level in table.levels and len(table.images) > 1:
                by_images.setdefault(table.images, {})[run] = table
        for group in by_images.values():
            values = np.array([table.over([level]) for table in group.values()])
            rivals = [at for at, run in enumerate(group) if run in field]
            field_at = centre(values[rivals]) if len(rivals) > 1 else np.zeros(values.shape[1])
            low, high = interval((values - field_at).T)
            for at, run in enumerate(group):
                middle = float(field_at.mean())
                ends[run, level] = (float(low[at]) + middle, float(high[at]) + middle)
    return ends
