"""Imitating L0 gradient minimisation with a dial over its parameter (decouple learning)."""

from benchmark.control import Axis, ControlSpace
from benchmark.tasks.base import imitating

SPACE = ControlSpace((Axis("lambda", 0.002, 0.2, log=True),))

TASK = imitating(
    name="filter-l0",
    summary="smoothing as L0 gradient minimisation does it, lambda 0.002 to 0.2",
    space=SPACE,
    grid=tuple(SPACE.level_of((strength,)) for strength in (0.002, 0.004, 0.02, 0.093, 0.2)),
    operator="l0",
)
