"""Imitating relative total variation with a dial over its parameter (decouple learning)."""

from benchmark.control import Axis, ControlSpace
from benchmark.tasks.base import imitating

SPACE = ControlSpace((Axis("lambda", 0.002, 0.05, log=True),))

TASK = imitating(
    name="filter-rtv",
    summary="smoothing as relative total variation does it, lambda 0.002 to 0.05",
    space=SPACE,
    grid=tuple(SPACE.level_of((strength,)) for strength in (0.002, 0.004, 0.01, 0.022, 0.05)),
    operator="rtv",
)
