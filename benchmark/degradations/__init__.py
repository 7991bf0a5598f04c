"""Degradations: pure functions from a clean image to what a network is given.

Every one takes ``clean`` (3, H, W), or one plane (1, H, W), float32 in [0, 1] whose values are whole
8-bit levels, physical values (``Task.conditions``), and an explicit random generator.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from benchmark.degradations.blur import gaussian_blur
from benchmark.degradations.joint import one_of_four
from benchmark.degradations.jpeg import codec, compressed, jpeg
from benchmark.degradations.noise import gaussian_noise
from benchmark.degradations.patterns import patterned_noise
from benchmark.degradations.rain import rain
from benchmark.degradations.resize import bicubic_down, bicubic_there_and_back
from benchmark.errors import UserError, unknown

Physical = tuple[float, ...]


@dataclass(frozen=True)
class Degradation:
    """A degradation and what it depends on.

    Args:
        apply: ``(clean, physical, rng) -> degraded`` (3, h, w).
        uses_level: Whether the result depends on physical values.
        uses_noise: Whether the result depends on the generator.
        software: Returns a check sum of the software that the result depends on, or nothing.
    """

    apply: Callable[[Tensor, Physical, np.random.Generator], Tensor]
    uses_level: bool = False
    uses_noise: bool = False
    software: Callable[[], str] = str


DEGRADATIONS = {
    "bicubic_x2": Degradation(lambda clean, physical, rng: bicubic_down(clean, 2)),
    "bicubic_x3": Degradation(lambda clean, physical, rng: bicubic_down(clean, 3)),
    "bicubic_x4": Degradation(lambda clean, physical, rng: bicubic_down(clean, 4)),
    "bicubic_there_and_back": Degradation(
        lambda clean, physical, rng: bicubic_there_and_back(clean, physical[0]), uses_level=True
    ),
    "blur": Degradation(
        lambda clean, physical, rng: gaussian_blur(clean, physical[0]), uses_level=True
    ),
    "blur_noise": Degradation(
        lambda clean, physical, rng: gaussian_noise(
            gaussian_blur(clean, physical[0]), physical[1], rng
        ),
        uses_level=True,
        uses_noise=True,
    ),
    "blur_noise_jpeg": Degradation(
        lambda clean, physical, rng: compressed(
            gaussian_noise(gaussian_blur(clean, physical[0]), physical[1], rng), physical[2]
        ),
        uses_level=True,
        uses_noise=True,
        software=codec,
    ),
    "four": Degradation(
        lambda clean, physical, rng: one_of_four(clean, physical[0], physical[1], rng),
        uses_level=True,
        uses_noise=True,
        software=codec,
    ),
    "four_after_six": Degradation(
        lambda clean, physical, rng: (
            clean if physical[1] <= 6 else one_of_four(clean, physical[1] - 6, physical[2], rng)
        ),
        uses_level=True,
        uses_noise=True,
        software=codec,
    ),
    "gaussian_noise": Degradation(
        lambda clean, physical, rng: gaussian_noise(clean, physical[0], rng),
        uses_level=True,
        uses_noise=True,
    ),
    "jpeg": Degradation(
        lambda clean, physical, rng: jpeg(clean, physical[0]), uses_level=True, software=codec
    ),
    "none": Degradation(lambda clean, physical, rng: clean),
    "noisy_bicubic_x4": Degradation(
        lambda clean, physical, rng: gaussian_noise(bicubic_down(clean, 4), physical[0], rng),
        uses_level=True,
        uses_noise=True,
    ),
    "patterned_noise": Degradation(
        lambda clean, physical, rng: patterned_noise(clean, physical[0], physical[1], rng),
        uses_level=True,
        uses_noise=True,
    ),
    "rain": Degradation(
        lambda clean, physical, rng: rain(clean, physical[0], rng),
        uses_level=True,
        uses_noise=True,
    ),
}


def get(name: str) -> Degradation:
    """Returns a degradation by name.

    Raises:
        UserError: If there is none of that name.
    """
    if name not in DEGRADATIONS:
        raise UserError(unknown("degradation", name, DEGRADATIONS))
    return DEGRADATIONS[name]


def degrade(
    name: str, clean: Tensor, physical: Physical, rng: np.random.Generator, gray: bool = False
) -> Tensor:
    """Returns the degraded image (3, h, w), float32.

    Args:
        name: A key of ``DEGRADATIONS``.
        clean: (3, H, W) float32 in [0, 1].
        physical: What the task's ``conditions`` are.
        rng: Where noise comes from; see ``generator``.
        gray: Whether the image is one plane in three equal channels, and is to stay so.

    Raises:
        UserError: If the name is unknown or a physical value lies outside what is defined.
    """
    if gray:
        return get(name).apply(clean[:1], physical, rng).expand(3, -1, -1)
    return get(name).apply(clean, physical, rng)


def generator(*key: str | int) -> np.random.Generator:
    """Returns a counter-based generator (Philox) that depends on ``key`` alone.

    Images keyed by (task, version, dataset, image, realisation) get the same noise whatever the
    batch size, worker, order or device.
    """
    text = "\x1f".join(str(part) for part in key)
    digest = hashlib.sha256(text.encode()).digest()[:16]
    words = [int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")]
    return np.random.Generator(np.random.Philox(key=words))
