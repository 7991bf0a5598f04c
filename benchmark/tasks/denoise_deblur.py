"""Denoising and sharpening with a dial for each (tunable convolutions)."""

from benchmark.control import Axis, ControlSpace
from benchmark.metrics.protocol import PROTOCOLS
from benchmark.tasks.base import Objective, Task, Term

SPACE = ControlSpace((Axis("noise kept", 0.0, 1.0), Axis("sharpening", 0.0, 1.0)))

TASK = Task(
    name="denoise-deblur",
    version=1,
    kind="objective",
    summary="two dials for blurred and noisy images: noise kept, detail added",
    space=SPACE,
    grid=SPACE.lattice(3),
    degradation="blur_noise",
    objective=Objective(
        (
            (Term("l1"),),
            (Term("l1", target="sharpened"),),
            (Term("l1", target="noise_kept"),),
            (Term("l1", target="noise_kept_sharpened"),),
        )
    ),
    protocol=PROTOCOLS["float"],
    metrics=(
        "psnr-rgb-target",
        "psnr-rgb",
        "lpips-alex@lpips-0.1.4",
        "niqe@pyiqa-0.1.16",
        "niqe@dialbench-bsds",
    ),
    headline="psnr-rgb-target",
    train_sets=("bsds500-train", "bsds500-test"),
    test_sets=("kodak24",),
    effort=1.5,
    unseen=(Axis("blur", 0.0, 4.0, unit="pixels"), Axis("sigma", 5.0, 30.0, unit="of 255")),
    cases=((0.0, 5.0), (2.0, 15.0), (4.0, 30.0)),
    spared="blur",
    target="noise_kept_sharpened",
)
