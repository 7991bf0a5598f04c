"""Imitating weighted least squares with a dial over its parameter (decouple learning)."""

from benchmark.control import Axis, ControlSpace
from benchmark.metrics.protocol import PROTOCOLS
from benchmark.tasks.base import Objective, Task, Term

SPACE = ControlSpace((Axis("lambda", 0.1, 10.0, log=True),))

TASK = Task(
    name="filter-wls",
    version=1,
    kind="operator",
    summary="smoothing as weighted least squares does it, lambda 0.1 to 10",
    space=SPACE,
    grid=tuple(SPACE.level_of((strength,)) for strength in (0.1, 0.215, 1, 4.641, 10)),
    degradation="none",
    objective=Objective(((Term("l1"),),)),
    protocol=PROTOCOLS["rgb"],
    metrics=("psnr-rgb", "ssim-rgb"),
    headline="psnr-rgb",
    train_sets=("bsds500-train", "bsds500-test"),
    test_sets=("bsd100",),
    effort=1.5,
    operator="wls",
)
