"""Style transfer with two dials over three styles, which share one budget (tunable convolutions)."""

import dataclasses

from benchmark.control import Axis, ControlSpace
from benchmark.tasks.base import Objective, Term
from benchmark.tasks.style import TASK as STYLE

SPACE = ControlSpace((Axis("gravel", 0.0, 1.0), Axis("grass", 0.0, 1.0)), simplex=True)

TASK = dataclasses.replace(
    STYLE,
    name="style-3",
    summary="style transfer, two dials: brick, and how much of it is gravel or grass",
    space=SPACE,
    grid=SPACE.lattice(5),
    objective=Objective(
        tuple(
            (Term("content"), Term(f"style_{name}", 0.02)) for name in ("brick", "gravel", "grass")
        )
    ),
    metrics=(
        *("objective", "style-brick", "style-gravel", "style-grass", "content"),
        "step-lpips-alex@lpips-0.1.4",
    ),
)
