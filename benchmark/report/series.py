"""Which line of a table or curve comes where, and what it is called."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from benchmark.registry.discovery import METHODS, baselines


class Series(NamedTuple):
    """One contestant: everything a result depends on but the seed."""

    method: str
    backbone: str
    preset: str

    @property
    def family(self) -> str:
        """The method's name without its options."""
        return self.method.partition(":")[0]

    @property
    def baseline(self) -> bool:
        """Whether this is a reference: shown apart from the methods, ranked and printed bold never."""
        return self.family in baselines()


def place(series: Series) -> tuple[int, int, str, str, str]:
    """Returns the sort key: known methods, other methods, baselines."""
    names = baselines() if series.baseline else METHODS
    rank = names.index(series.family) if series.family in names else len(names)
    return int(series.baseline), rank, series.method, series.backbone, series.preset


def ordered(series: Iterable[Series]) -> list[Series]:
    """Returns distinct series in table order."""
    return sorted(set(series), key=place)


def labels(series: Iterable[Series]) -> dict[Series, str]:
    """Returns short names: backbone and preset are shown only where they differ."""
    every = list(series)
    backbones = {one.backbone for one in every if one.backbone}
    presets = {one.preset for one in every if one.preset}
    names = {}
    for one in every:
        parts = [one.method]
        if len(backbones) > 1 and one.backbone:
            parts.append(one.backbone)
        if len(presets) > 1 and one.preset:
            parts.append(one.preset)
        names[one] = " · ".join(parts)
    return names
