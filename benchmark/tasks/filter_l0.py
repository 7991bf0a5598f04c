"""Imitating L0 gradient minimisation with a dial over its parameter (decouple learning)."""

from benchmark.control import Axis, ControlSpace
from benchmark.metrics.protocol import PROTOCOLS
from benchmark.tasks.base import Objective, Task, Term

SPACE = ControlSpace((Axis("lambda", 0.002, 0.2, log=True),))

TASK = Task(
    name="filter-l0",
    version=1,
    kind="operator",
    summary="smoothing as L0 gradient minimisation does it, lambda 0.002 to 0.2",
    space=SPACE,
    grid=tuple(SPACE.level_of((strength,)) for strength in (0.002, 0.004, 0.02, 0.093, 0.2)),
    degradation="none",
    objective=Objective(((Term("l1"),),)),
    protocol=PROTOCOLS["rgb"],
    metrics=("psnr-rgb", "ssim-rgb"),
    headline="psnr-rgb",
    train_sets=("bsds500-train", "bsds500-test"),
    test_sets=("bsd100",),
    effort=1.5,
    operator="l0",
)
