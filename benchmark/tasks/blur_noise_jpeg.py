"""Removing blur, noise and compression with a dial for each (CResMD)."""

from benchmark.control import Axis, ControlSpace
from benchmark.metrics.protocol import PROTOCOLS
from benchmark.tasks.base import Objective, Task, Term

SPACE = ControlSpace(
    (
        Axis("blur", 0.0, 4.0, unit="pixels"),
        Axis("sigma", 0.0, 50.0, unit="of 255"),
        Axis("compression", 0.0, 92.0, unit="102 - quality", integer=True),
    )
)

TASK = Task(
    name="blur-noise-jpeg",
    version=1,
    kind="degradation",
    summary="three dials: blur of 0 to 4 pixels, noise of sigma 0 to 50, JPEG down to quality 10",
    space=SPACE,
    grid=tuple(
        SPACE.level_of((blur, sigma, compression))
        for blur in (0, 1, 4)
        for sigma in (0, 15, 50)
        for compression in (0, 22, 92)
    ),
    degradation="blur_noise_jpeg",
    objective=Objective(((Term("l1"),),)),
    protocol=PROTOCOLS["rgb"],
    metrics=("psnr-rgb", "ssim-rgb", "lpips-alex@lpips-0.1.4"),
    headline="psnr-rgb",
    train_sets=("bsds500-train", "bsds500-test"),
    test_sets=("cbsd68",),
    effort=1.5,
    harmless=(SPACE.start,),
)
