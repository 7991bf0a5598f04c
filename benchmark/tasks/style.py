"""Style transfer with a dial from one style to another (Dynamic-Net, FTN, tunable convolutions)."""

from benchmark.control import Axis, ControlSpace
from benchmark.metrics.protocol import PROTOCOLS
from benchmark.tasks.base import Objective, Task, Term

TASK = Task(
    name="style",
    version=1,
    kind="objective",
    summary="style transfer, from brick to gravel",
    space=ControlSpace((Axis("gravel", 0.0, 1.0),)),
    grid=((0.0,), (0.25,), (0.5,), (0.75,), (1.0,)),
    degradation="none",
    objective=Objective(
        (
            (Term("content"), Term("style_brick", 0.02)),
            (Term("content"), Term("style_gravel", 0.02)),
        )
    ),
    protocol=PROTOCOLS["float"],
    metrics=(
        *("objective", "style-brick", "style-gravel", "content"),
        "step-lpips-alex@lpips-0.1.4",
    ),
    headline="objective",
    train_sets=("bsds500-train", "bsds500-test"),
    test_sets=("kodak24",),
)
