"""Imitating the shock filter, which has nothing to set (decouple learning)."""

from benchmark.control import Axis, ControlSpace
from benchmark.metrics.protocol import PROTOCOLS
from benchmark.tasks.base import Objective, Task, Term

SPACE = ControlSpace((Axis("steps", 10.0, 10.0, integer=True),))

TASK = Task(
    name="filter-shock",
    version=1,
    kind="operator",
    summary="sharpening as the shock filter does it; nothing to set",
    space=SPACE,
    grid=(SPACE.start,),
    degradation="none",
    objective=Objective(((Term("l1"),),)),
    protocol=PROTOCOLS["rgb"],
    metrics=("psnr-rgb", "ssim-rgb"),
    headline="psnr-rgb",
    train_sets=("bsds500-train", "bsds500-test"),
    test_sets=("bsd100",),
    effort=1.5,
    operator="shock",
)
