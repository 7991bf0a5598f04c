"""Six filters and four restorations with one network (decouple learning)."""

from benchmark.control import Axis, ControlSpace
from benchmark.metrics.protocol import PROTOCOLS
from benchmark.tasks.base import Objective, Task, Term

NAMES = ("L0", "WLS", "RTV", "RGF", "WMF", "shock", "SR", "denoise", "deblock", "derain")

SPACE = ControlSpace(
    (
        Axis("strength", 0.0, 1.0),
        Axis("operator", 1.0, 10.0, integer=True, names=NAMES),
    )
)

TASK = Task(
    name="operators-10",
    version=1,
    kind="operator",
    summary="two dials: strength of a filter, and which of ten operators",
    space=SPACE,
    grid=SPACE.lattice(3),
    degradation="four_after_six",
    objective=Objective(((Term("l1"),),)),
    protocol=PROTOCOLS["rgb"],
    metrics=("psnr-rgb", "ssim-rgb"),
    headline="psnr-rgb",
    train_sets=("bsds500-train", "bsds500-test"),
    test_sets=("bsd100",),
    effort=1.5,
    operator="ten",
    unseen=(Axis("unknown strength", 0.0, 1.0),),
    cases=((0.5,),),
)
