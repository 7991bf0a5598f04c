"""Super-resolution x4 with a dial from fidelity to perception (FTN, tunable convolutions)."""

from benchmark.control import Axis, ControlSpace
from benchmark.metrics.protocol import PROTOCOLS
from benchmark.tasks.base import Objective, Task, Term

TASK = Task(
    name="sr",
    version=1,
    kind="objective",
    summary="x4 super-resolution, from fidelity (L1) to perception (adversarial)",
    space=ControlSpace((Axis("perception weight", 0.0, 1.0),)),
    grid=((0.0,), (0.25,), (0.5,), (0.75,), (1.0,)),
    degradation="bicubic_x4",
    objective=Objective(
        (
            (Term("l1"),),
            (Term("low_frequency_l1"), Term("l1", 0.28), Term("adversarial", 0.01)),
        )
    ),
    protocol=PROTOCOLS["sr-y"].at(scale=4),
    metrics=(
        "psnr-y601",
        "ssim-y601",
        "lpips-alex@lpips-0.1.4",
        "niqe@pyiqa-0.1.16",
        "niqe@dialbench-bsds",
        "colour-drift",
    ),
    headline="psnr-y601",
    # One shows Set5's woman, the other is smaller than a training patch.
    train_sets=("bsds500-train:without=302003", "bsds500-test", "t91:without=t20"),
    test_sets=("set5", "set14"),
    scale=4,
    perception="lpips-alex@lpips-0.1.4",
)
