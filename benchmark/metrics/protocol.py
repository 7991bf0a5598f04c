"""Protocols: every detail that changes a number, frozen under an id. This module imports no torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Protocol:
    """How restored images are turned into numbers.

    Args:
        id: Name stored in every row; rows of different protocols are never compared.
        shave: Border pixels cut from both images before PSNR and SSIM.
        quantise: Whether outputs are clamped to [0, 1] and rounded to 8 bits before scoring.
        noise: ``"none"``, ``"float"`` (unclipped) or ``"uint8"`` (clipped and rounded) noisy input.
        multiple: Test images are cropped (top left kept) to a multiple of this size.
    """

    id: str
    shave: int = 0
    quantise: bool = True
    noise: str = "none"
    multiple: int = 1
