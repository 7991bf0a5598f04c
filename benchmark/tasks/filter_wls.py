"""Imitating weighted least squares with a dial over its parameter (decouple learning)."""

from benchmark.control import Axis, ControlSpace
from benchmark.tasks.base import imitating

SPACE = ControlSpace((Axis("lambda", 0.1, 10.0, log=True),))

TASK = imitating(
    name="filter-wls",
    summary="smoothing as weighted least squares does it, lambda 0.1 to 10",
    space=SPACE,
    grid=tuple(SPACE.level_of((strength,)) for strength in (0.1, 0.215, 1, 4.641, 10)),
    operator="wls",
)
