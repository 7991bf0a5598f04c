"""Imitating the rolling guidance filter with a dial over its parameter (decouple learning)."""

from benchmark.control import Axis, ControlSpace
from benchmark.tasks.base import imitating

SPACE = ControlSpace((Axis("sigma", 1.0, 10.0, unit="pixels"),))

TASK = imitating(
    name="filter-rgf",
    summary="smoothing as the rolling guidance filter does it, sigma 1 to 10",
    space=SPACE,
    grid=tuple(SPACE.level_of((sigma,)) for sigma in (1, 3, 5, 5.5, 7, 10)),
    operator="rgf",
)
