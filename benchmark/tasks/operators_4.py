"""Four restorations with one network: the dial says which, not how much (decouple learning)."""

from benchmark.control import Axis, ControlSpace
from benchmark.metrics.protocol import PROTOCOLS
from benchmark.tasks.base import Objective, Task, Term

SPACE = ControlSpace(
    (Axis("operator", 1.0, 4.0, integer=True, names=("SR", "denoise", "deblock", "derain")),)
)

TASK = Task(
    name="operators-4",
    version=1,
    kind="degradation",
    summary="SR, denoising, deblocking or deraining of unknown strength",
    space=SPACE,
    grid=SPACE.lattice(4),
    degradation="four",
    objective=Objective(((Term("l1"),),)),
    protocol=PROTOCOLS["rgb"],
    metrics=("psnr-rgb", "ssim-rgb"),
    headline="psnr-rgb",
    train_sets=("bsds500-train", "bsds500-test"),
    test_sets=("bsd100",),
    effort=1.5,
    unseen=(Axis("strength", 0.0, 1.0),),
    cases=((0.0,), (0.5,), (1.0,)),
)
