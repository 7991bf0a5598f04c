"""Gaussian colour denoising with a dial over the noise level (FTN, HyperRes)."""

from benchmark.control import Axis, ControlSpace
from benchmark.metrics.protocol import PROTOCOLS
from benchmark.tasks.base import Objective, Task, Term

SPACE = ControlSpace((Axis("sigma", 5.0, 80.0, unit="of 255"),), first=(0.2,), last=(1.0,))

TASK = Task(
    name="denoise",
    version=1,
    kind="degradation",
    summary="Gaussian colour denoising, sigma 5 to 80, trained from 20 to 80",
    space=SPACE,
    grid=tuple(SPACE.level_of((sigma,)) for sigma in (20, 30, 40, 50, 60, 70, 80)),
    degradation="gaussian_noise",
    objective=Objective(((Term("l1"),),)),
    protocol=PROTOCOLS["rgb"],
    metrics=(
        "psnr-rgb",
        "ssim-rgb",
        "lpips-alex@lpips-0.1.4",
        "niqe@pyiqa-0.1.16",
        "niqe@dialbench-bsds",
        "colour-drift",
    ),
    headline="psnr-rgb",
    train_sets=("bsds500-train", "bsds500-test"),
    test_sets=("cbsd68",),
    effort=1.5,
)
