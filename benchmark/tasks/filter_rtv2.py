"""Imitating relative total variation with a dial for each of its two parameters (decouple learning)."""

from benchmark.control import Axis, ControlSpace
from benchmark.metrics.protocol import PROTOCOLS
from benchmark.tasks.base import Objective, Task, Term

SPACE = ControlSpace(
    (Axis("lambda", 0.002, 0.05, log=True), Axis("sigma", 2.0, 6.0, unit="pixels"))
)

TASK = Task(
    name="filter-rtv2",
    version=1,
    kind="operator",
    summary="two dials: relative total variation, lambda 0.002 to 0.05, sigma 2 to 6",
    space=SPACE,
    grid=tuple(
        SPACE.level_of((strength, sigma)) for strength in (0.002, 0.01, 0.05) for sigma in (2, 4, 6)
    ),
    degradation="none",
    objective=Objective(((Term("l1"),),)),
    protocol=PROTOCOLS["rgb"],
    metrics=("psnr-rgb", "ssim-rgb"),
    headline="psnr-rgb",
    train_sets=("bsds500-train", "bsds500-test"),
    test_sets=("bsd100",),
    effort=1.5,
    operator="rtv",
)
