"""Imitating relative total variation with a dial for each of its two parameters (decouple learning)."""

from benchmark.control import Axis, ControlSpace
from benchmark.tasks.base import imitating

SPACE = ControlSpace(
    (Axis("lambda", 0.002, 0.05, log=True), Axis("sigma", 2.0, 6.0, unit="pixels"))
)

TASK = imitating(
    name="filter-rtv2",
    summary="two dials: relative total variation, lambda 0.002 to 0.05, sigma 2 to 6",
    space=SPACE,
    grid=tuple(
        SPACE.level_of((strength, sigma)) for strength in (0.002, 0.01, 0.05) for sigma in (2, 4, 6)
    ),
    operator="rtv",
)
