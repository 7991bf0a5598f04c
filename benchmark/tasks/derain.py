"""Removing synthetic rain streaks with a dial over how dense they are (decouple learning)."""

from benchmark.control import Axis, ControlSpace
from benchmark.metrics.protocol import PROTOCOLS
from benchmark.tasks.base import Objective, Task, Term

SPACE = ControlSpace((Axis("rain", 1.0, 10.0, unit="streaks per 1000 pixels"),))

TASK = Task(
    name="derain",
    version=1,
    kind="degradation",
    summary="rain removal, 1 to 10 streaks per 1000 pixels",
    space=SPACE,
    grid=tuple(SPACE.level_of((density,)) for density in (1, 2.5, 5, 5.5, 7.5, 10)),
    degradation="rain",
    objective=Objective(((Term("l1"),),)),
    protocol=PROTOCOLS["rgb"],
    metrics=("psnr-y601", "ssim-y601", "lpips-alex@lpips-0.1.4"),
    headline="psnr-y601",
    train_sets=("bsds500-train", "bsds500-test"),
    test_sets=("rain100l-25/clean",),
    effort=1.5,
)
