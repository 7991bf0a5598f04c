"""Imitating the shock filter, which has nothing to set (decouple learning)."""

from benchmark.control import Axis, ControlSpace
from benchmark.tasks.base import imitating

SPACE = ControlSpace((Axis("steps", 10.0, 10.0, integer=True),))

TASK = imitating(
    name="filter-shock",
    summary="sharpening as the shock filter does it; nothing to set",
    space=SPACE,
    grid=(SPACE.start,),
    operator="shock",
)
