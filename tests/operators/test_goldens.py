"""Operators against OpenCV's extra modules; ``oracle.py`` computed the goldens and says with which settings."""

from pathlib import Path

import numpy as np
import pytest

from benchmark import operators
from benchmark.operators.rgf import ROUNDS, rolled

GOLDENS = np.load(Path(__file__).parents[1] / "goldens" / "operators.npz")
PHOTOGRAPHS = ("coffee", "astronaut")
FRAME = 16


def psnr(image, golden):
    error = np.square(np.round(image * 255) - golden).mean()
    return np.inf if error == 0 else 10 * np.log10(255**2 / error)


def cases(kind):
    return [
        pytest.param(name, float(key.split("-")[2]), GOLDENS[key], id=key)
        for name in PHOTOGRAPHS
        for key in GOLDENS.files
        if key.startswith(f"{name}-{kind}-")
    ]


def test_the_goldens_name_the_version_that_made_them():
    assert str(GOLDENS["opencv"]) == "5.0.0"


@pytest.mark.parametrize(("name", "lambda_", "golden"), cases("l0"))
def test_l0_is_opencvs_on_a_flat_frame(name, lambda_, golden):
    edges = ((FRAME, FRAME), (FRAME, FRAME), (0, 0))
    framed = np.pad(GOLDENS[f"{name}-crop"], edges, constant_values=128) / 255
    smooth = operators.get("l0").apply(framed, lambda_)
    assert psnr(smooth[FRAME:-FRAME, FRAME:-FRAME], golden) >= 60


@pytest.mark.parametrize(("name", "sigma", "golden"), cases("rgf"))
def test_rolling_guidance_is_rounds_of_opencvs_joint_bilateral_filter(name, sigma, golden):
    smooth = operators.get("rgf").apply(GOLDENS[f"{name}-crop"] / 255, sigma)
    assert psnr(smooth, golden) >= 55


@pytest.mark.parametrize(("name", "sigma", "golden"), cases("rgfstart"))
def test_opencvs_rolling_guidance_differs_by_starting_from_the_image(name, sigma, golden):
    image = GOLDENS[f"{name}-crop"] / 255
    assert psnr(rolled(image, image, sigma, ROUNDS - 1), golden) >= 55
    assert psnr(operators.get("rgf").apply(image, sigma), golden) < 45


@pytest.mark.parametrize(("name", "radius", "golden"), cases("wmf"))
def test_weighted_median_is_opencvs_on_pictures_of_few_colours(name, radius, golden):
    smooth = operators.get("wmf").apply(GOLDENS[f"{name}-few"] / 255, radius)
    assert psnr(smooth, golden) >= 45


@pytest.mark.parametrize(("name", "radius", "golden"), cases("wmfgray"))
def test_weighted_median_of_a_gray_picture_is_opencvs_pixel_by_pixel(name, radius, golden):
    gray = np.repeat(GOLDENS[f"{name}-gray"][..., None], 3, axis=2) / 255
    smooth = operators.get("wmf").apply(gray, radius)
    assert np.array_equal(np.round(smooth[..., 0] * 255), golden)
