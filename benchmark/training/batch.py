"""What a training step learns from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor


class Batch(NamedTuple):
    """Training samples.

    Args:
        x: What is given (B, 3, h, w).
        y: What is wanted (B, 3, H, W).
        level: Levels (B, d).
        runs: Lengths of the runs of equal levels, in order, where they are known beforehand: asking
            a GPU for them would make every step wait for the one before.
    """

    x: Tensor
    y: Tensor
    level: Tensor
    runs: Sequence[int] | None = None
