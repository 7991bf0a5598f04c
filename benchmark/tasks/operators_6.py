"""Imitating six filters with one network: dials for the filter and its strength (decouple learning)."""

from benchmark.control import Axis, ControlSpace
from benchmark.metrics.protocol import PROTOCOLS
from benchmark.tasks.base import Objective, Task, Term

SPACE = ControlSpace(
    (
        Axis("strength", 0.0, 1.0),
        Axis("operator", 1.0, 6.0, integer=True, names=("L0", "WLS", "RTV", "RGF", "WMF", "shock")),
    )
)

TASK = Task(
    name="operators-6",
    version=1,
    kind="operator",
    summary="two dials: strength, and which of six filters",
    space=SPACE,
    grid=SPACE.lattice(3),
    degradation="none",
    objective=Objective(((Term("l1"),),)),
    protocol=PROTOCOLS["rgb"],
    metrics=("psnr-rgb", "ssim-rgb"),
    headline="psnr-rgb",
    train_sets=("bsds500-train", "bsds500-test"),
    test_sets=("bsd100",),
    effort=1.5,
    operator="six",
)
