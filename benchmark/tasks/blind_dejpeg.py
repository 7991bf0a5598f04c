"""Removal of JPEG artefacts with the dial set to what an estimator says (HyperRes 4.4)."""

import dataclasses

from benchmark.tasks.dejpeg import TASK as DEJPEG

TASK = dataclasses.replace(
    DEJPEG,
    name="blind-dejpeg",
    summary="removal of JPEG artefacts with an estimated level: the quality is not told",
    metrics=("psnr-rgb", "psnr-rgb-told", "level-error", "ssim-rgb", "lpips-alex@lpips-0.1.4"),
    dial="estimate",
    trained_as="dejpeg",
)
