"""JPEG artefact removal with a dial over the quality (FTN, HyperRes)."""

from benchmark.control import Axis, ControlSpace
from benchmark.metrics.protocol import PROTOCOLS
from benchmark.tasks.base import Objective, Task, Term

AXIS = Axis("quality", 80.0, 10.0, integer=True)
SPACE = ControlSpace((AXIS,), first=(AXIS.level(40.0),), last=(1.0,))

TASK = Task(
    name="dejpeg",
    version=2,
    kind="degradation",
    summary="JPEG artefact removal, quality 80 to 10, trained from 40 to 10",
    space=SPACE,
    grid=tuple(SPACE.level_of((quality,)) for quality in (40, 34, 28, 25, 22, 16, 10)),
    degradation="jpeg",
    objective=Objective(((Term("l1"),),)),
    protocol=PROTOCOLS["rgb"],
    metrics=(
        "psnr-rgb",
        "ssim-rgb",
        "psnr-y601",
        "ssim-y601",
        "lpips-alex@lpips-0.1.4",
        "niqe@pyiqa-0.1.16",
        "niqe@dialbench-bsds",
        "colour-drift",
    ),
    headline="psnr-rgb",
    train_sets=("bsds500-train", "bsds500-test"),
    test_sets=("live1",),
    effort=1.5,
    earlier=(ControlSpace((Axis("quality", 40.0, 10.0, integer=True),)),),
)
