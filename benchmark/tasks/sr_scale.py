"""Restoring images that were shrunk and enlarged again, with a dial over the scale (HyperRes)."""

from benchmark.control import Axis, ControlSpace
from benchmark.metrics.protocol import PROTOCOLS
from benchmark.tasks.base import Objective, Task, Term

SPACE = ControlSpace((Axis("scale", 2.0, 6.0, integer=True),))

TASK = Task(
    name="sr-scale",
    version=1,
    kind="degradation",
    summary="super-resolution of images enlarged by bicubic interpolation, scale 2 to 6",
    space=SPACE,
    grid=tuple(SPACE.level_of((scale,)) for scale in (2, 3, 4, 5, 6)),
    degradation="bicubic_there_and_back",
    objective=Objective(((Term("l1"),),)),
    protocol=PROTOCOLS["rgb"],
    metrics=("psnr-y601", "ssim-y601", "lpips-alex@lpips-0.1.4"),
    headline="psnr-y601",
    train_sets=("bsds500-train:without=302003", "bsds500-test", "t91:without=t20"),
    test_sets=("set5", "bsd100"),
    effort=1.5,
)
