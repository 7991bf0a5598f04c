"""Denoising of noise that varies over the image, with a level for every pixel (FTN)."""

import dataclasses

from benchmark.control import Axis
from benchmark.tasks.denoise import TASK as DENOISE

TASK = dataclasses.replace(
    DENOISE,
    name="pixel-adaptive",
    summary="denoising with a level map: noise that rises from sigma 20 by a pattern",
    grid=tuple(DENOISE.space.level_of((sigma,)) for sigma in (20, 35, 50, 65, 80)),
    degradation="patterned_noise",
    metrics=("psnr-rgb", "psnr-rgb-single", "ssim-rgb", "lpips-alex@lpips-0.1.4"),
    unseen=(Axis("pattern", 1, 2, integer=True, names=("ramp", "disc")),),
    cases=((1,), (2,)),
    dial="map",
    trained_as="denoise",
)
