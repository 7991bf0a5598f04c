"""Imitating the weighted median filter with a dial over its parameter (decouple learning)."""

from benchmark.control import Axis, ControlSpace
from benchmark.tasks.base import imitating

SPACE = ControlSpace((Axis("radius", 1.0, 10.0, unit="pixels", integer=True),))

TASK = imitating(
    name="filter-wmf",
    summary="smoothing as the weighted median filter does it, radius 1 to 10",
    space=SPACE,
    # The middle of the dial, where experts stand, means radius 6 and is not that radius's own level.
    grid=tuple(sorted({*(SPACE.level_of((r,)) for r in (1, 3, 5, 7, 10)), *SPACE.lattice(3)})),
    operator="wmf",
)
