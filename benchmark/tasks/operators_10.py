"""Six filters and four restorations with one network (decouple learning)."""

from benchmark.control import Axis, ControlSpace
from benchmark.tasks.base import imitating

NAMES = ("L0", "WLS", "RTV", "RGF", "WMF", "shock", "SR", "denoise", "deblock", "derain")

SPACE = ControlSpace(
    (
        Axis("strength", 0.0, 1.0),
        Axis("operator", 1.0, 10.0, integer=True, names=NAMES),
    )
)

TASK = imitating(
    name="operators-10",
    summary="two dials: strength of a filter, and which of ten operators",
    space=SPACE,
    grid=SPACE.lattice(3),
    degradation="four_after_six",
    operator="ten",
    unseen=(Axis("unknown strength", 0.0, 1.0),),
    cases=((0.5,),),
)
