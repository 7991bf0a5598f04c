"""Protocols: each field changes what it says, and nothing else."""

import dataclasses
import io
import math

import numpy as np
import pytest
import torch
from PIL import Image

from benchmark import cli, tasks
from benchmark.data.patches import Patches, clean_pixels, to_tensor
from benchmark.data.pictures import Picture
from benchmark.data.samples import Samples
from benchmark.data.sources import open_set
from benchmark.degradations import DEGRADATIONS, degrade, generator
from benchmark.degradations.jpeg import codec
from benchmark.errors import UserError
from benchmark.metrics.protocol import PROTOCOLS, Protocol
from benchmark.metrics.records import METRICS
from benchmark.metrics.scorer import Scorer
from benchmark.planning import keys
from benchmark.training.stage import At

CODEC = "ba7f3f2fbe01"


@pytest.fixture
def samples(photographs):
    def make(task: str) -> Samples:
        return Samples(open_set(str(photographs), "test"), tasks.get(task))

    return make


def pixels_of(image):
    return (image * 255).round().byte().permute(1, 2, 0).numpy()


def decoded(pixels, quality):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=quality)
    return np.array(Image.open(stream))


# ---- fields -------------------------------------------------------------------------------------


@pytest.mark.parametrize("sigma", [5, 25, 80])
def test_the_float_protocol_gives_a_noisy_input_the_psnr_of_its_sigma(sigma, samples):
    made = samples("denoise@float")
    level = made.task.space.level_of((sigma,))
    scorer = Scorer(("psnr-rgb",), made.task.protocol)
    score = scorer.score(made.degraded(0, level), made.clean(0))["psnr-rgb"]
    # 32,256 samples: the estimate's own deviation is 0.03 dB.
    assert score.value == pytest.approx(20 * math.log10(255 / sigma), abs=0.1)


def test_the_kair_protocol_has_the_noise_of_numpys_seed_0_for_every_image(samples):
    made = samples("denoise@kair")
    level = made.task.space.level_of((25.0,))
    for index in range(2):
        clean = made.images.pictures[index].read().astype(np.float32) / 255
        np.random.seed(0)
        expected = clean + np.random.normal(0, 25 / 255.0, clean.shape)
        ours = made.degraded(index, level).permute(1, 2, 0).numpy()
        np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-6)


def test_own_noise_is_the_same_under_every_protocol_but_for_how_it_is_stored(samples):
    level = (1.0,)
    plain = samples("denoise").degraded(0, level)
    assert plain.min() < 0 and plain.max() > 1
    assert torch.equal(samples("denoise@float").degraded(0, level), plain)
    assert torch.equal(samples("denoise@tunable").degraded(0, level), plain.clamp(0, 1))
    stored = samples("denoise@adafm-like").degraded(0, level)
    assert torch.equal(stored, (plain.clamp(0, 1) * 255).round() / 255)
    assert not torch.equal(samples("denoise@kair").degraded(0, level), plain)


def test_the_luma_protocol_works_on_matlabs_plane_compressed_as_a_gray_image(samples):
    made = samples("dejpeg@jpeg-y")
    rgb = made.images.pictures[0].read().astype(np.float64)
    plane = 16 + (rgb @ np.array([65.481, 128.553, 24.966])) / 255
    plane = np.round(plane).astype(np.uint8)
    clean, given = made.clean(0), made.degraded(0, made.task.space.level_of((10,)))
    for channel in range(3):
        assert np.array_equal(pixels_of(clean)[..., channel], plane)
        assert np.array_equal(pixels_of(given)[..., channel], decoded(plane, 10))
    error = np.mean((decoded(plane, 10).astype(float) - plane) ** 2)
    score = Scorer(("psnr-y601",), made.task.protocol).score(given, clean)["psnr-y601"]
    assert score.value == pytest.approx(10 * math.log10(255**2 / error), abs=1e-5)


def test_what_a_network_gives_for_luma_is_averaged_over_channels():
    clean = torch.full((3, 16, 16), 100 / 255)
    restored = clean + torch.tensor([30.0, 0.0, 6.0]).view(3, 1, 1) / 255
    score = Scorer(("psnr-y601",), PROTOCOLS["jpeg-y"]).score(restored, clean)["psnr-y601"]
    assert score.value == pytest.approx(20 * math.log10(255 / 12), abs=1e-4)


def test_noise_on_luma_is_one_plane_of_the_sigma_that_was_asked_for(samples):
    for name in ("denoise@jpeg-y", "denoise-strength@jpeg-y", "blur-noise-jpeg@jpeg-y"):
        made = samples(name)
        given = made.degraded(0, made.task.space.end)
        assert torch.equal(given[0], given[1]) and torch.equal(given[0], given[2])
    made = samples("denoise@jpeg-y")
    noise = made.degraded(0, made.task.space.level_of((25,))) - made.clean(0)
    assert float(noise.std()) * 255 == pytest.approx(25, rel=0.05)


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_every_degradation_takes_a_plane_and_treats_it_as_an_image(name, photographs):
    pixels = clean_pixels(open_set(str(photographs), "test").pictures[0], "y601")[:96, :96]
    image = to_tensor(pixels)
    physical = {"bicubic_there_and_back": (2,), "jpeg": (30,), "rain": (3,), "blur": (2,)}
    physical |= {"blur_noise": (2, 0), "blur_noise_jpeg": (2, 0, 40), "gaussian_noise": (0,)}
    physical |= {"four": (3, 0.5), "four_after_six": (1, 9, 0.5), "noisy_bicubic_x4": (0,)}
    values = physical.get(name, (10, 1))
    one = degrade(name, image, values, generator("a"), gray=True)
    assert one.shape[0] == 3 and torch.equal(one[0], one[1]) and torch.equal(one[0], one[2])
    if name != "patterned_noise":
        assert torch.allclose(one, degrade(name, image, values, generator("a")), atol=1e-6)


def test_networks_for_the_luma_protocol_are_trained_on_luma(photographs):
    from benchmark.config import preset

    images = open_set(str(photographs), "test")
    patches = Patches(images, tasks.get("dejpeg@jpeg-y"), At(0.0), preset("smoke"), seed=0)
    clean = patches[0].y
    assert torch.equal(clean[:, 0], clean[:, 1]) and torch.equal(clean[:, 0], clean[:, 2])
    noisy = Patches(images, tasks.get("denoise@jpeg-y"), At(1.0), preset("smoke"), seed=0)[0].x
    assert torch.equal(noisy[:, 0], noisy[:, 1]) and torch.equal(noisy[:, 0], noisy[:, 2])
    facts = [tasks.get(name).training_facts() for name in ("dejpeg", "dejpeg@jpeg-y")]
    assert facts[0] != facts[1]
    assert np.array_equal(clean_pixels(images.pictures[0], "rgb"), images.pictures[0].read())


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_gray_images_are_their_own_luma_however_they_are_stored(mode, tmp_path):
    shades = np.arange(256, dtype=np.uint8).reshape(16, 16)
    Image.fromarray(shades).convert(mode).save(tmp_path / "ramp.png")
    luma = clean_pixels(Picture("ramp", tmp_path / "ramp.png"), "y601")
    assert np.array_equal(luma, shades[..., None].repeat(3, axis=-1))


def test_the_luma_protocol_leaves_out_metrics_of_colour():
    task = tasks.get("dejpeg@jpeg-y")
    assert task.headline == "psnr-y601" == task.metrics[0]
    assert not any("rgb" in one or "colour" in one for one in task.metrics)
    assert len(set(task.metrics)) == len(task.metrics)


def test_sizes_are_cropped_to_multiples_of_the_protocol_and_of_the_scale(samples, photographs):
    odd = np.random.default_rng(0).integers(0, 256, (99, 101, 3), dtype=np.uint8)
    Image.fromarray(odd).save(photographs / "p0.png")
    shapes = {
        name: tuple(samples(name).clean(0).shape[1:])
        for name in ("denoise", "denoise@adafm-like", "sr", "sr@adafm-like", "sr@rgb")
    }
    assert shapes == {
        "denoise": (99, 101),
        "denoise@adafm-like": (98, 100),
        "sr": (96, 100),
        "sr@adafm-like": (96, 100),
        "sr@rgb": (96, 100),
    }
    assert Protocol("even", multiple=2).at(3).multiple == 6


def test_super_resolution_shaves_its_scale_and_pirm_four():
    assert [PROTOCOLS["sr-y"].at(scale).shave for scale in (2, 3, 4)] == [2, 3, 4]
    assert [PROTOCOLS["pirm"].at(scale).shave for scale in (2, 4)] == [4, 4]
    assert tasks.get("sr").protocol.shave == 4


def test_pirm_scores_the_mean_squared_error_of_shaved_luma_in_8_bit_levels(clean, restored):
    task = tasks.get("sr@pirm")
    assert task.metrics == (*tasks.get("sr").metrics, "mse-y601")
    scores = Scorer(("mse-y601", "psnr-y601"), task.protocol).score(restored, clean)
    mse, psnr = scores["mse-y601"].value, scores["psnr-y601"].value
    assert mse == pytest.approx(255**2 * 10 ** (-psnr / 10), rel=1e-6)
    unshaved = Scorer(("mse-y601",), PROTOCOLS["rgb"]).score(restored, clean)["mse-y601"]
    assert unshaved.value != mse


def test_outputs_beyond_the_range_are_clamped_unless_the_protocol_says_not_to(clean):
    above = torch.ones_like(clean) * 1.5
    values = {
        name: Scorer(("psnr-rgb",), PROTOCOLS[name]).score(above, clean)["psnr-rgb"].value
        for name in ("rgb", "tunable")
    }
    squared = [(1.0 - clean).double(), (1.5 - clean).double()]
    expected = [-10 * math.log10(one.square().mean()) for one in squared]
    assert values["rgb"] == pytest.approx(expected[0], abs=0.02)
    assert values["tunable"] == pytest.approx(expected[1], abs=1e-5)


# ---- names and keys -----------------------------------------------------------------------------


def test_every_task_can_be_judged_under_every_protocol_without_training_again():
    for name in tasks.names():
        task = tasks.get(name)
        for protocol in PROTOCOLS.values():
            if protocol.id == "sr-y" and task.scale == 1:
                with pytest.raises(UserError, match="which .* does not have"):
                    tasks.get(f"{name}@sr-y")
                continue
            tells = task.kind == "degradation" and task.dial == "level" and not task.unseen
            if protocol.pairs and not tells:
                with pytest.raises(UserError, match="cannot be judged on pairs"):
                    tasks.get(f"{name}@pairs")
                continue
            other = tasks.get(f"{name}@{protocol.id}")
            assert other.protocol.id == protocol.id
            assert set(METRICS) >= set(other.metrics) >= {other.headline}
            if protocol.colour == "rgb":
                assert other.training_facts() == task.training_facts()
            same = other.protocol == task.protocol
            assert (keys.scoring_digest(other) == keys.scoring_digest(task)) == same


def test_a_task_under_its_own_protocol_is_the_task():
    assert tasks.get("sr@sr-y") is tasks.get("sr")


@pytest.mark.parametrize("field", dataclasses.fields(Protocol), ids=lambda field: field.name)
def test_every_field_of_a_protocol_is_part_of_what_identifies_a_score(field):
    task = tasks.get("denoise")
    own = getattr(task.protocol, field.name)
    other = {bool: not own, int: 3, str: "other", tuple: ("x",)}[type(own)]
    changed = dataclasses.replace(task.protocol, **{field.name: other})
    changed = dataclasses.replace(task, protocol=changed)
    assert keys.scoring_digest(changed) != keys.scoring_digest(task)


def test_an_unknown_protocol_is_named_with_the_choices(capsys):
    with pytest.raises(UserError, match="unknown protocol 'kairr'.*kair"):
        tasks.get("denoise@kairr")
    assert cli.main(["run", "denoise@kairr"]) == 2
    assert cli.main(["run", "denois@kair"]) == 2
    assert "did you mean 'denoise'" in capsys.readouterr().err


def test_rows_name_their_protocol(home, photographs):
    import json

    words = ["dejpeg@jpeg-y", "--methods", "floor", "--test", str(photographs), "--physical", "10"]
    assert cli.main(["run", *words, "--preset", "smoke", "--offline"]) == 0
    (cell,) = (home / "cells" / "dejpeg@jpeg-y").glob("*.json")
    facts = json.loads(cell.read_text())["facts"]
    assert (facts["task"], facts["protocol"]) == ("dejpeg@jpeg-y", "jpeg-y")


# ---- the codec ----------------------------------------------------------------------------------


def test_the_jpeg_codec_of_the_pinned_environment_is_the_one_of_published_tables():
    assert codec() == CODEC


def test_another_codec_is_another_task(monkeypatch):
    from benchmark import degradations

    before = {name: keys.scoring_digest(tasks.get(name)) for name in ("dejpeg", "denoise")}
    other = dataclasses.replace(degradations.get("jpeg"), software=lambda: "another libjpeg")
    monkeypatch.setitem(degradations.DEGRADATIONS, "jpeg", other)
    assert keys.scoring_digest(tasks.get("dejpeg")) != before["dejpeg"]
    assert keys.scoring_digest(tasks.get("denoise")) == before["denoise"]
