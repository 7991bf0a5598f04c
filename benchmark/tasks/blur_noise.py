"""Removing blur and noise with a dial for each (CResMD, tunable convolutions)."""

from benchmark.control import Axis, ControlSpace
from benchmark.metrics.protocol import PROTOCOLS
from benchmark.tasks.base import Objective, Task, Term

SPACE = ControlSpace(
    (Axis("blur", 0.0, 4.0, unit="pixels"), Axis("sigma", 0.0, 50.0, unit="of 255"))
)

TASK = Task(
    name="blur-noise",
    version=1,
    kind="degradation",
    summary="two dials: Gaussian blur of 0 to 4 pixels, then noise of sigma 0 to 50",
    space=SPACE,
    grid=tuple(SPACE.level_of((blur, sigma)) for blur in (0, 1, 4) for sigma in (0, 15, 50)),
    degradation="blur_noise",
    objective=Objective(((Term("l1"),),)),
    protocol=PROTOCOLS["rgb"],
    metrics=("psnr-rgb", "ssim-rgb", "lpips-alex@lpips-0.1.4"),
    headline="psnr-rgb",
    train_sets=("bsds500-train", "bsds500-test"),
    test_sets=("cbsd68",),
    effort=1.5,
    harmless=(SPACE.start,),
)
