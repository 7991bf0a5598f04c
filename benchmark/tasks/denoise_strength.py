"""Denoising with a dial over how much of the noise is kept (tunable convolutions)."""

from benchmark.control import Axis, ControlSpace
from benchmark.metrics.protocol import PROTOCOLS
from benchmark.tasks.base import Objective, Task, Term

TASK = Task(
    name="denoise-strength",
    version=1,
    kind="objective",
    summary="denoising of sigma 5 to 30, from no noise kept to 90 % of it",
    space=ControlSpace((Axis("noise kept", 0.0, 1.0),)),
    grid=((0.0,), (0.25,), (0.5,), (0.75,), (1.0,)),
    degradation="gaussian_noise",
    objective=Objective(((Term("l1"),), (Term("l1", target="noise_kept"),))),
    protocol=PROTOCOLS["float"],
    metrics=("psnr-rgb-target", "psnr-rgb", "ssim-rgb", "lpips-alex@lpips-0.1.4"),
    headline="psnr-rgb-target",
    train_sets=("bsds500-train", "bsds500-test"),
    test_sets=("kodak24",),
    effort=1.5,
    unseen=(Axis("sigma", 5.0, 30.0, unit="of 255"),),
    cases=((5.0,), (15.0,), (30.0,)),
    target="noise_kept",
)
