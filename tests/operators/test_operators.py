"""Image operators: what they keep, what they smooth, and what they refuse."""

import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmark import operators
from benchmark.errors import UserError
from benchmark.operators import rtv, wls
from benchmark.operators.five_point import FivePoint, dissection
from benchmark.operators.rgf import SIGMA_RANGE, rolled

SMOOTHING = [name for name in operators.OPERATORS if name not in ("shock", "six", "ten")]
GOLDENS = Path(__file__).parents[1] / "goldens" / "operators.npz"


def parameters(name: str, share: float) -> list[float]:
    """Returns what an operator must be given, at a share of the way from weak to strong."""
    return [one.at(share) for one in operators.get(name).parameters if one.default is None]


def photograph():
    return np.load(GOLDENS)["astronaut-crop"][:40, :44] / 255


def step(noise=0.0):
    """A vertical edge from dark to bright in the middle of 32 x 40 pixels."""
    image = np.full((32, 40, 3), 0.2)
    image[:, 20:] = 0.8
    return (image + noise * np.random.default_rng(0).standard_normal(image.shape)).clip(0, 1)


def variation(image):
    return sum(np.abs(np.diff(image, axis=axis)).sum() for axis in (0, 1))


@pytest.mark.parametrize("name", operators.OPERATORS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shape_dtype_and_range_are_kept(name, dtype):
    image = photograph().astype(dtype)
    before = image.copy()
    filtered = operators.get(name).apply(image, *parameters(name, 0))
    assert filtered.shape == image.shape
    assert filtered.dtype == dtype
    assert filtered.min() >= 0
    assert filtered.max() <= 1
    assert np.array_equal(image, before)


@pytest.mark.parametrize("name", operators.OPERATORS)
def test_a_constant_image_stays_as_it_is(name):
    flat = np.full((17, 23, 3), (51, 102, 204)) / 255
    filtered = operators.get(name).apply(flat, *parameters(name, 1))
    np.testing.assert_allclose(filtered, flat, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", SMOOTHING)
def test_a_stronger_parameter_smooths_more(name):
    operator, image = operators.get(name), photograph()
    weak, strong = (variation(operator.apply(image, *parameters(name, share))) for share in (0, 1))
    assert strong < weak
    assert weak < variation(image)


@pytest.mark.parametrize("name", SMOOTHING)
def test_noise_goes_and_the_edge_stays(name):
    noisy = step(noise=0.02)
    filtered = operators.get(name).apply(noisy, *parameters(name, 0.3))
    assert filtered[:, :16].std() < 0.5 * noisy[:, :16].std()
    assert (filtered[:, 22] - filtered[:, 17]).mean() > 0.8 * 0.6


def test_a_joint_operator_is_the_one_that_its_number_names():
    image = photograph()
    names = ("l0", "wls", "rtv", "rgf", "wmf", "shock")
    for joint in ("six", "ten"):
        for number, name in enumerate(names, 1):
            for strength in (0.0, 1.0):
                expected = operators.get(name).apply(image, *parameters(name, strength))
                found = operators.get(joint).apply(image, strength, number)
                np.testing.assert_allclose(found, expected, atol=1e-9)
    assert np.array_equal(operators.get("ten").apply(image, 0.5, 7), image)
    middle = operators.get("six").apply(image, 0.5, 1)
    np.testing.assert_allclose(middle, operators.get("l0").apply(image, 0.02), atol=1e-9)


def test_the_shock_filter_turns_a_ramp_into_a_step_without_overshoot():
    ramp = np.broadcast_to(np.linspace(-8, 8, 40)[None, :, None], (24, 40, 3))
    blurred = 0.2 + 0.6 / (1 + np.exp(-ramp))
    sharpened = operators.get("shock").apply(blurred)
    steepest = [np.abs(np.diff(one, axis=1)).max() for one in (blurred, sharpened)]
    assert steepest[1] > 3 * steepest[0]
    assert sharpened.min() >= blurred.min() - 1e-12
    assert sharpened.max() <= blurred.max() + 1e-12


@pytest.mark.parametrize("name", ["wls", "rtv", "wmf", "shock"])
def test_operators_with_a_maximum_principle_stay_within_each_channels_range(name):
    image = photograph()
    filtered = operators.get(name).apply(image, *parameters(name, 0))
    assert (filtered.min(axis=(0, 1)) >= image.min(axis=(0, 1)) - 1e-9).all()
    assert (filtered.max(axis=(0, 1)) <= image.max(axis=(0, 1)) + 1e-9).all()


@pytest.mark.parametrize("lambda_", [0.1, 1.0, 10.0])
def test_wls_satisfies_its_normal_equations(lambda_):
    image = photograph()
    assert (
        wls.system(image, lambda_).residual(wls.weighted_least_squares(image, lambda_), image)
        < 1e-8
    )


@pytest.mark.parametrize(("lambda_", "sigma"), list(itertools.product([0.002, 0.05], [2, 6])))
def test_rtv_satisfies_the_normal_equations_of_every_round(lambda_, sigma):
    image = photograph()
    solved = list(rtv.rounds(image, lambda_, sigma))
    assert len(solved) == rtv.ROUNDS
    assert max(equations.residual(structure, image) for equations, structure in solved) < 1e-8
    assert np.array_equal(solved[-1][1], rtv.relative_total_variation(image, lambda_, sigma))


def test_five_point_systems_are_the_gradient_of_their_energy():
    rng = np.random.default_rng(0)
    height, width = 5, 7
    across, down = rng.random((height, width - 1)), rng.random((height - 1, width))
    pixels = np.eye(height * width).reshape(height, width, -1)
    by_x = np.diff(pixels, axis=1).reshape(-1, height * width)
    by_y = np.diff(pixels, axis=0).reshape(-1, height * width)
    matrix = (
        np.eye(height * width)
        + by_x.T @ (across.reshape(-1, 1) * by_x)
        + by_y.T @ (down.reshape(-1, 1) * by_y)
    )
    g = rng.random((height, width, 3))
    expected = np.linalg.solve(matrix, g.reshape(-1, 3)).reshape(g.shape)
    system = FivePoint(across, down)
    np.testing.assert_allclose(system.solve(g), expected, rtol=0, atol=1e-9)
    np.testing.assert_allclose(
        system.times(g).reshape(-1, 3), matrix @ g.reshape(-1, 3), rtol=0, atol=1e-12
    )


def test_dissection_orders_every_chosen_pixel_once():
    chosen = np.random.default_rng(0).random((37, 50)) < 0.5
    assert np.array_equal(np.sort(dissection(chosen)), np.flatnonzero(chosen))


@pytest.mark.parametrize("size", [(2, 2), (2, 90), (41, 3)])
def test_narrow_images_are_solved_too(size):
    image = np.random.default_rng(0).random((*size, 3))
    assert wls.system(image, 1.0).residual(wls.weighted_least_squares(image, 1.0), image) < 1e-8


def test_wls_measures_the_gradient_of_log_luminance():
    image = photograph()
    lightness = np.log(image @ [0.299, 0.587, 0.114] + 1e-4)
    expected = 3.0 / (abs(lightness[4, 9] - lightness[4, 8]) ** 1.2 + 1e-4)
    assert wls.system(image, 3.0).horizontal[4, 8] == pytest.approx(expected)


def test_rolling_guidance_equals_its_double_sum():
    image, sigma, reach = photograph()[:20, :24], 1.5, 6
    guidance = np.roll(image, 2, axis=1)
    edges = ((reach, reach), (reach, reach), (0, 0))
    far, guide = np.pad(image, edges, "reflect"), np.pad(guidance, edges, "reflect")
    above, below = np.zeros_like(image), np.zeros_like(image)
    for y, x in itertools.product(range(2 * reach + 1), repeat=2):
        window = (slice(y, y + 20), slice(x, x + 24))
        distance = ((y - reach) ** 2 + (x - reach) ** 2) / sigma**2
        weight = np.exp(-(distance + ((guide[window] - guidance) / SIGMA_RANGE) ** 2) / 2)
        above += weight * far[window]
        below += weight
    np.testing.assert_allclose(rolled(image, guidance, sigma, 1), above / below, atol=1e-4)


def test_weighted_median_equals_sorting_every_window():
    image, reach = photograph()[:12, :14], 2
    filtered = operators.get("wmf").apply(image, reach)
    for y, x in itertools.product(range(12), range(14)):
        window = image[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1]
        window = window.reshape(-1, 3)
        weight = np.exp(-np.square(window - image[y, x]).sum(axis=1) / (2 * 0.1**2))
        for channel in range(3):
            order = np.argsort(window[:, channel])
            half = np.searchsorted(np.cumsum(weight[order]), weight.sum() / 2)
            assert filtered[y, x, channel] == pytest.approx(window[order[half], channel])


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("l0", (0.0019,)),
        ("l0", (0.21,)),
        ("wls", (0.0,)),
        ("wls", (float("nan"),)),
        ("rtv", (0.01, 1.9)),
        ("rtv", (0.06, 3)),
        ("rgf", (11,)),
        ("wmf", (2.5,)),
        ("wmf", (0,)),
        ("wmf", (float("inf"),)),
    ],
)
def test_parameters_outside_the_range_raise(name, values):
    with pytest.raises(UserError, match="is not allowed; give a"):
        operators.get(name).apply(photograph(), *values)


@pytest.mark.parametrize(("name", "values"), [("l0", ()), ("rtv", ()), ("shock", (10.0, 1.0))])
def test_a_wrong_number_of_parameters_raises(name, values):
    with pytest.raises(UserError, match="it takes these:"):
        operators.get(name).apply(photograph(), *values)


def test_the_second_parameter_of_rtv_may_be_left_out():
    apply, image = operators.get("rtv").apply, photograph()
    assert np.array_equal(apply(image, 0.01), apply(image, 0.01, 3.0))
    assert not np.array_equal(apply(image, 0.01), apply(image, 0.01, 6.0))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((8, 8)), "shape"),
        (np.zeros((3, 8, 8)), "shape"),
        (np.zeros((8, 8, 3), np.uint8), "divide uint8 by 255"),
        (np.full((8, 8, 3), 1.5), "leaves that range"),
        (np.full((8, 8, 3), np.nan), "leaves that range"),
    ],
)
def test_images_of_another_kind_raise(image, message):
    with pytest.raises(UserError, match=message):
        operators.get("shock").apply(image)


def test_importing_the_package_imports_neither_torch_nor_scipy():
    code = "import sys, benchmark.operators; sys.exit(bool({'torch', 'scipy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize(
    ("compute", "part"),
    [
        (lambda image: image * np.nan, "values that are not finite"),
        (lambda image: image[1:], r"an image of shape \(39, 44, 3\) for one of \(40, 44, 3\)"),
    ],
)
def test_an_operator_that_gives_no_image_is_found_before_anything_learns_from_it(compute, part):
    with pytest.raises(ValueError, match=part):
        operators.Operator(compute).apply(photograph())
