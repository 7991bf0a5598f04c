"""What outputs are compared with: the clean image, or an image that depends on the level.

A target maps (clean, given, level) to (B, 3, H, W): the clean images (or, of a task that spares a
degradation, these so degraded) and what the network is given, both (B, 3, H, W), and levels (B, d) in
[0, 1]. Targets are not clipped.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from benchmark.degradations.blur import gaussian_blur
from benchmark.precision import in_full

KEPT = 0.9
"""Share of the noise that is kept at the end of the dial (nu of tunable convolutions)."""
GAIN = 8.0
"""How much detail is added at the end of the dial (gamma of tunable convolutions)."""
SMOOTH = (2.5, 9)
"""Standard deviation and window of the Gaussian g that detail is what it removes."""


def clean_image(clean: Tensor, given: Tensor, level: Tensor) -> Tensor:
    """Returns the clean images, whatever the level."""
    return clean


def noise_kept(clean: Tensor, given: Tensor, level: Tensor) -> Tensor:
    """Returns ``y + t nu (z - y)``: images that keep a share of what was added to them.

    Tunable convolutions (2304.00898), eq. 9; t is the level on the first axis.
    """
    share = KEPT * level[:, :1, None, None]
    return clean + share * (given - clean)


def sharpened(clean: Tensor, given: Tensor, level: Tensor) -> Tensor:
    """Returns ``y + t gamma (y - g * y)``: images with detail added; t is the level on axis 2."""
    return _sharpened(clean, level)


def noise_kept_sharpened(clean: Tensor, given: Tensor, level: Tensor) -> Tensor:
    """Returns both, one after the other: noise by the first axis, then detail by the second.

    Tunable convolutions (2304.00898), the target of denoising and deblurring.
    """
    return _sharpened(noise_kept(clean, given, level), level)


def _sharpened(images: Tensor, level: Tensor) -> Tensor:
    share = GAIN * level[:, 1:2, None, None]
    with in_full(images) as (sharp,):
        return sharp + share * (sharp - gaussian_blur(sharp, *SMOOTH))


Target = Callable[[Tensor, Tensor, Tensor], Tensor]

TARGETS: dict[str, Target] = {
    "clean": clean_image,
    "noise_kept": noise_kept,
    "sharpened": sharpened,
    "noise_kept_sharpened": noise_kept_sharpened,
}
