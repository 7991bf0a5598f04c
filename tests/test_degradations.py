"""Degradations against closed forms and independent implementations."""

import math

import numpy as np
import pytest
import torch
from PIL import Image

from benchmark import degradations, tasks
from benchmark.degradations.blur import gaussian_blur
from benchmark.degradations.rain import MARGIN, WIDTH, _streak, rain
from benchmark.degradations.resize import (
    bicubic_down,
    bicubic_there_and_back,
    bicubic_up,
    symmetric_indices,
)
from benchmark.errors import UserError


def photograph(height=128, width=160, seed=0):
    rng = np.random.default_rng(seed)
    smooth = rng.random((3, height // 8, width // 8), dtype=np.float32)
    image = torch.nn.functional.interpolate(torch.from_numpy(smooth)[None], (height, width))[0]
    return (image * 255).round() / 255


def matlab_bicubic(image, scale):
    """imresize as MATLAB documents it: cubic a = -0.5 stretched by the scale, mirrored border."""

    def cubic(x):
        x = np.abs(x)
        near = 1.5 * x**3 - 2.5 * x**2 + 1
        far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
        return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))

    def matrix(length):
        out = np.zeros((length // scale, length))
        for row in range(length // scale):
            centre = (row + 0.5) * scale - 0.5
            taps = np.arange(math.floor(centre - 2 * scale), math.ceil(centre + 2 * scale) + 1)
            weight = cubic((taps - centre) / scale)
            mirrored = taps % (2 * length)
            mirrored = np.where(mirrored < length, mirrored, 2 * length - 1 - mirrored)
            np.add.at(out[row], mirrored, weight / weight.sum())
        return out

    rows, columns = matrix(image.shape[1]), matrix(image.shape[2])
    small = np.einsum("rh,chw,kw->crk", rows, image.double().numpy(), columns)
    return np.round(small.clip(0, 1) * 255)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_bicubic_shrinking_is_matlabs_up_to_ties_of_rounding(scale):
    clean = photograph(96, 144)
    ours = (bicubic_down(clean, scale) * 255).double().numpy()
    difference = np.abs(ours - matlab_bicubic(clean, scale))
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-3


def test_a_size_that_is_no_multiple_is_refused():
    with pytest.raises(UserError, match="crop it first"):
        bicubic_down(photograph(128, 160)[:, :127], 4)


def test_mirroring_repeats_the_edge_sample_even_for_lines_shorter_than_the_margin():
    assert symmetric_indices(3, 5).tolist() == [1, 2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0, 1]


@pytest.mark.parametrize("sigma", [20, 50, 80])
def test_noisy_input_has_the_psnr_of_its_sigma(sigma):
    clean = photograph(512, 512)
    noisy = degradations.degrade(
        "gaussian_noise", clean, (sigma,), degradations.generator("test", sigma)
    )
    psnr = -10 * torch.log10((noisy - clean).double().square().mean()).item()
    assert psnr == pytest.approx(20 * math.log10(255 / sigma), abs=0.02)


def test_one_generator_key_gives_the_same_noise_scaled_at_every_sigma():
    clean = photograph()
    noise = {
        sigma: degradations.degrade(
            "gaussian_noise", clean, (sigma,), degradations.generator("set", "image", 0)
        )
        - clean
        for sigma in (20, 80)
    }
    torch.testing.assert_close(noise[80], 4 * noise[20], rtol=0, atol=1e-6)


def test_generators_depend_on_every_part_of_their_key():
    drawn = {
        float(degradations.generator(*key).random())
        for key in (("a", "b", 0), ("a", "b", 1), ("ab", "", 0), ("a", "c", 0))
    }
    assert len(drawn) == 4


def test_jpeg_is_pillows_at_half_chroma_resolution(tmp_path):
    clean = photograph()
    pixels = (clean * 255).byte().permute(1, 2, 0).numpy()
    Image.fromarray(pixels).save(tmp_path / "a.jpg", quality=30, subsampling=2)
    expected = np.array(Image.open(tmp_path / "a.jpg"))
    ours = degradations.degrade("jpeg", clean, (30.0,), degradations.generator("unused"))
    assert np.array_equal((ours * 255).round().byte().permute(1, 2, 0).numpy(), expected)


@pytest.mark.parametrize(
    ("name", "physical"),
    [
        ("jpeg", (0.0,)),
        ("jpeg", (32.5,)),
        ("gaussian_noise", (-1.0,)),
        ("bicubic_there_and_back", (2.5,)),
        ("blur_noise", (-1.0, 5.0)),
        ("rain", (-1.0,)),
        ("rain", (1001.0,)),
    ],
)
def test_physical_values_without_a_meaning_raise(name, physical):
    with pytest.raises(UserError):
        degradations.degrade(name, photograph(), physical, degradations.generator("x"))


def test_enlarging_is_matlabs_up_to_ties_of_rounding():
    # Of low contrast, since Pillow clips overshoots between its two passes.
    small = ((photograph(24, 32) * 0.5 + 0.25) * 255).round() / 255
    large = bicubic_up(small, 4)
    assert large.shape == (3, 96, 128)
    # Pillow's bicubic has a = -0.5 too; only its border and its rounding between passes differ.
    image = Image.fromarray((small * 255).byte().permute(1, 2, 0).numpy())
    pillow = np.asarray(image.resize((128, 96), Image.Resampling.BICUBIC)).astype(int)
    ours = (large * 255).round().int().permute(1, 2, 0).numpy()
    assert np.abs(ours - pillow)[8:-8, 8:-8].max() <= 1


@pytest.mark.parametrize("scale", [2, 5])
def test_there_and_back_keeps_every_pixel_whatever_the_size(scale):
    clean = photograph(64, 80)
    back = degradations.degrade(
        "bicubic_there_and_back", clean[:, :61, :79], (scale,), degradations.generator("x")
    )
    assert back.shape == (3, 61, 79)
    multiple = clean[:, :60, :80]
    expected = bicubic_up(bicubic_down(multiple, scale), scale)
    assert torch.equal(bicubic_there_and_back(multiple, scale), expected)
    ramp = (torch.arange(79.0) / 128).expand(3, 61, 79)
    back = bicubic_there_and_back(ramp, scale)
    # Mirrored at its ends, a ramp has a kink there; inside it comes back without a shift.
    assert (back - ramp)[..., 15:-15].abs().max() < 1.1 / 255
    odd = clean[:, :57, :73]
    whole = np.pad(odd.numpy(), ((0, 0), (0, -57 % scale), (0, -73 % scale)), "symmetric")
    expected = bicubic_up(bicubic_down(torch.from_numpy(whole), scale), scale)
    assert torch.equal(bicubic_there_and_back(odd, scale), expected[:, :57, :73])


def test_blur_is_scipys_in_a_window_of_21_pixels():
    from scipy.ndimage import gaussian_filter

    clean = photograph()
    for sigma in (0.7, 4.0):
        ours = gaussian_blur(clean, sigma).double().numpy()
        expected = gaussian_filter(
            clean.double().numpy(), (0, sigma, sigma), mode="nearest", radius=(0, 10, 10)
        )
        np.testing.assert_allclose(ours, expected, atol=1e-6)
    assert torch.equal(gaussian_blur(clean, 0), clean)


def test_blur_comes_before_noise_and_its_noise_is_not_blurred():
    clean = photograph(256, 256)
    given = degradations.degrade("blur_noise", clean, (3.0, 25.0), degradations.generator("x"))
    noise = given - degradations.degrade("blur", clean, (3.0, 25.0), degradations.generator("y"))
    assert noise.std().item() * 255 == pytest.approx(25, rel=0.02)
    neighbours = (noise[:, :, 1:] * noise[:, :, :-1]).mean() / noise.var()
    assert abs(neighbours.item()) < 0.02


def test_denser_rain_holds_all_streaks_of_lighter_rain():
    clean = torch.full((3, 256, 256), 51 / 255)
    light, heavy = (rain(clean, density, degradations.generator("x")) for density in (0.5, 1))
    assert (light >= clean - 1e-6).all()
    assert (heavy >= light - 1e-6).all()
    added = [(one - clean).clamp_min(0).mean().item() for one in (light, heavy)]
    assert added[1] / added[0] == pytest.approx(2, rel=0.3)
    torch.testing.assert_close(heavy * 255, (heavy * 255).round(), rtol=0, atol=1e-3)


def test_streaks_of_an_image_run_one_way_near_the_vertical():
    black = torch.zeros(3, 256, 256)
    fallen = rain(black, 1, degradations.generator("x"))[0]
    down = (fallen[1:] - fallen[:-1]).abs().mean()
    across = (fallen[:, 1:] - fallen[:, :-1]).abs().mean()
    assert down < 0.6 * across


def test_a_streak_is_as_long_as_it_is_said_to_be():
    upright = _streak(0.0, 20.0)
    assert upright.shape == (2 * MARGIN + 1, 2 * MARGIN + 1)
    line = upright[:, MARGIN]
    assert (line == 1).sum() == 21 and line[MARGIN + 11] == pytest.approx(
        math.exp(-1 / (2 * WIDTH**2))
    )


@pytest.mark.parametrize(
    ("number", "name", "ends"),
    [
        (1, "bicubic_there_and_back", (2, 4)),
        (2, "gaussian_noise", (10, 70)),
        (3, "jpeg", (20, 10)),
        (4, "rain", (1, 10)),
    ],
)
def test_one_of_four_degradations_is_the_one_that_its_number_names(number, name, ends):
    clean = photograph()
    for strength, value in zip((0.0, 1.0), ends, strict=True):
        expected, four, ten = (
            degradations.degrade(one, clean, physical, degradations.generator("x"))
            for one, physical in (
                (name, (value,)),
                ("four", (number, strength)),
                ("four_after_six", (0.3, number + 6, strength)),
            )
        )
        assert torch.equal(four, expected)
        assert torch.equal(ten, expected)
    untouched = degradations.degrade(
        "four_after_six", clean, (0.3, 6.0, 1.0), degradations.generator("x")
    )
    assert torch.equal(untouched, clean)


def test_compression_counts_down_from_quality_102_and_starts_with_none():
    clean = photograph()
    given = [
        degradations.degrade(
            "blur_noise_jpeg", clean, (0.0, 0.0, amount), degradations.generator("x")
        )
        for amount in (0.0, 1.0, 2.0, 92.0)
    ]
    assert torch.equal(given[0], clean)
    assert torch.equal(given[1], clean)
    assert torch.equal(given[2], degradations.jpeg(clean, 100))
    assert torch.equal(given[3], degradations.jpeg(clean, 10))


@pytest.mark.parametrize("name", tasks.names())
def test_what_a_degradation_says_that_it_depends_on_is_what_it_depends_on(name):
    # Where none is said, training degrades each image once, and test images at one level alone.
    task = tasks.get(name)
    degradation = degradations.get(task.degradation)
    clean = photograph(64, 64)
    case = tuple(axis.physical(0.5) for axis in task.unseen)
    ends = [task.conditions(level, case) for level in (task.space.start, task.space.end)]

    def degraded(physical, seed):
        return degradation.apply(clean, physical, degradations.generator("test", seed))

    noisy = any(not torch.equal(degraded(one, 0), degraded(one, 1)) for one in ends)
    assert noisy == degradation.uses_noise
    if ends[0] != ends[1]:
        assert torch.equal(degraded(ends[0], 0), degraded(ends[1], 0)) != degradation.uses_level
    if not degradation.uses_level:
        assert torch.equal(degraded((), 0), degraded(ends[1], 0))


@pytest.mark.parametrize(
    "name", [one for one in tasks.names() if tasks.get(one).kind == "degradation"]
)
def test_every_dial_of_a_degradation_task_changes_what_is_given(name):
    # An axis that the degradation does not read would only be a name in tables.
    task, clean = tasks.get(name), photograph(64, 64)
    case = tuple(axis.physical(0.5) for axis in task.unseen)
    for axis in range(task.space.d):
        found = [
            degradations.degrade(
                task.degradation,
                clean,
                task.conditions(
                    tuple(end if at == axis else 0.5 for at in range(task.space.d)), case
                ),
                degradations.generator("test"),
            )
            for end in (0.0, 1.0)
        ]
        assert not torch.equal(*found), task.space.axes[axis].name
