"""Denoising with the dial set to what an estimator says (HyperRes 4.4)."""

import dataclasses

from benchmark.tasks.denoise import TASK as DENOISE

TASK = dataclasses.replace(
    DENOISE,
    name="blind",
    summary="denoising with an estimated level: the noise of an image is not told",
    metrics=(
        *("psnr-rgb", "psnr-rgb-told", "psnr-rgb-hyperres"),
        *("level-error", "level-error-hyperres", "ssim-rgb", "lpips-alex@lpips-0.1.4"),
    ),
    dial="estimate",
    trained_as="denoise",
)
