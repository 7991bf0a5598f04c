"""Super-resolution x4 of noisy images with a dial over the noise level (Real-ESRGAN's strength)."""

from benchmark.control import Axis, ControlSpace
from benchmark.metrics.protocol import PROTOCOLS
from benchmark.tasks.base import Objective, Task, Term

SPACE = ControlSpace((Axis("sigma", 0.0, 50.0, unit="of 255"),))

TASK = Task(
    name="sr-noise",
    version=1,
    kind="degradation",
    summary="x4 super-resolution of noisy images, sigma 0 to 50",
    space=SPACE,
    grid=tuple(SPACE.level_of((sigma,)) for sigma in (0, 10, 20, 25, 30, 40, 50)),
    degradation="noisy_bicubic_x4",
    objective=Objective(((Term("l1"),),)),
    protocol=PROTOCOLS["rgb"].at(scale=4),
    metrics=("psnr-rgb", "ssim-rgb", "lpips-alex@lpips-0.1.4", "niqe@dialbench-bsds"),
    headline="psnr-rgb",
    train_sets=("bsds500-train:without=302003", "bsds500-test", "t91:without=t20"),
    test_sets=("set5", "set14"),
    scale=4,
)
