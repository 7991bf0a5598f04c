"""Imitating the rolling guidance filter with a dial over its parameter (decouple learning)."""

from benchmark.control import Axis, ControlSpace
from benchmark.metrics.protocol import PROTOCOLS
from benchmark.tasks.base import Objective, Task, Term

SPACE = ControlSpace((Axis("sigma", 1.0, 10.0, unit="pixels"),))

TASK = Task(
    name="filter-rgf",
    version=1,
    kind="operator",
    summary="smoothing as the rolling guidance filter does it, sigma 1 to 10",
    space=SPACE,
    grid=tuple(SPACE.level_of((sigma,)) for sigma in (1, 3, 5, 7, 10)),
    degradation="none",
    objective=Objective(((Term("l1"),),)),
    protocol=PROTOCOLS["rgb"],
    metrics=("psnr-rgb", "ssim-rgb"),
    headline="psnr-rgb",
    train_sets=("bsds500-train", "bsds500-test"),
    test_sets=("bsd100",),
    effort=1.5,
    operator="rgf",
)
