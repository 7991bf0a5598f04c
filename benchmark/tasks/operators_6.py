"""Imitating six filters with one network: dials for the filter and its strength (decouple learning)."""

from benchmark.control import Axis, ControlSpace
from benchmark.tasks.base import imitating

SPACE = ControlSpace(
    (
        Axis("strength", 0.0, 1.0),
        Axis("operator", 1.0, 6.0, integer=True, names=("L0", "WLS", "RTV", "RGF", "WMF", "shock")),
    )
)

TASK = imitating(
    name="operators-6",
    summary="two dials: strength, and which of six filters",
    space=SPACE,
    grid=SPACE.lattice(3),
    degradation="none",
    operator="six",
)
