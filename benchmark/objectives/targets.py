"""What outputs are compared with: the clean image, or an image that depends on the level.

A target maps (clean, given, level) to (B, 3, H, W): the clean images and what the network is given,
both (B, 3, H, W), and levels (B, d) in [0, 1]. Targets are not clipped.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

KEPT = 0.9
"""Share of the noise that is kept at the end of the dial (nu of tunable convolutions)."""


def clean_image(clean: Tensor, given: Tensor, level: Tensor) -> Tensor:
    """Returns the clean images, whatever the level."""
    return clean


def noise_kept(clean: Tensor, given: Tensor, level: Tensor) -> Tensor:
    """Returns ``y + t nu (z - y)``: images that keep a share of what was added to them.

    Tunable convolutions (2304.00898), eq. 9; t is the level on the first axis.
    """
    share = KEPT * level[:, :1, None, None]
    return clean + share * (given - clean)


Target = Callable[[Tensor, Tensor, Tensor], Tensor]

TARGETS: dict[str, Target] = {"clean": clean_image, "noise_kept": noise_kept}
