"""What networks are given in tests, and what their outputs are compared with."""

import math
import statistics

import pytest
import torch
from PIL import Image

from benchmark import degradations, tasks
from benchmark.data.samples import Samples
from benchmark.data.sources import open_set
from benchmark.degradations.blur import gaussian_blur
from benchmark.errors import UserError
from benchmark.metrics.protocol import PROTOCOLS
from benchmark.metrics.scorer import Scorer

PSNR, TO_TARGET = "psnr-rgb", "psnr-rgb-target"


@pytest.fixture
def strength() -> Samples:
    return Samples(open_set("builtin", "test", crop=256), tasks.get("denoise-strength"))


def test_every_image_comes_under_every_case(strength):
    assert len(strength) == 9
    names = [strength.name(index) for index in range(3)]
    assert names == ["astronaut sigma=5", "astronaut sigma=15", "astronaut sigma=30"]
    assert torch.equal(strength.clean(0), strength.clean(2))
    weak, strong = (strength.degraded(at, (0.0,)) - strength.clean(at) for at in (0, 2))
    torch.testing.assert_close(strong, 6 * weak, rtol=0, atol=1e-5)
    # What is given does not depend on what is preferred.
    assert torch.equal(strength.degraded(1, (0.0,)), strength.degraded(1, (1.0,)))


def test_noise_depends_on_task_version_set_and_image(photographs):
    samples = Samples(open_set(str(photographs), "test"), tasks.get("denoise"))
    task, images = samples.task, samples.images
    key = (task.name, task.version, images.name, images.pictures[1].name, 0)
    given = degradations.degrade(
        "gaussian_noise", samples.clean(1), (80.0,), degradations.generator(*key)
    )
    assert torch.equal(samples.degraded(1, (1.0,)), given)


def test_a_predictor_of_the_kept_noise_has_the_psnr_of_nine_tenths_of_it(strength):
    scorer = Scorer((PSNR, TO_TARGET), strength.task.protocol)
    found = [
        scorer.score(strength.target(at, (1.0,)), strength.clean(at), strength.target(at, (1.0,)))
        for at in range(len(strength))
    ]
    assert statistics.fmean(one[PSNR].value for one in found) == pytest.approx(26.70, abs=0.02)
    assert {one[TO_TARGET].reason for one in found} == {
        "the images are identical, so PSNR is infinite"
    }


def test_with_no_noise_kept_the_target_is_the_clean_image(strength):
    scorer = Scorer((PSNR, TO_TARGET), strength.task.protocol)
    for at in range(len(strength)):
        output = strength.degraded(at, (0.0,)) * 0.9 + 0.02
        scores = scorer.score(output, strength.reference(at, (0.0,)), strength.target(at, (0.0,)))
        assert scores[PSNR].value == scores[TO_TARGET].value
        later = scorer.score(output, strength.reference(at, (0.5,)), strength.target(at, (0.5,)))
        assert later[PSNR].value == scores[PSNR].value != later[TO_TARGET].value


def test_a_metric_of_the_target_has_no_value_without_one():
    image = torch.rand(3, 16, 16)
    score = Scorer((TO_TARGET,), tasks.get("denoise-strength").protocol).score(image, image / 2)
    assert score[TO_TARGET].status == "failed"


def test_targets_are_rounded_as_images_are():
    image = torch.full((3, 16, 16), 254 / 255)
    scorer = Scorer((TO_TARGET,), PROTOCOLS["rgb"])
    score = scorer.score(image, image, image + 0.3 / 255)[TO_TARGET]
    assert score.reason == "the images are identical, so PSNR is infinite"
    beyond = scorer.score(image, image, image + 1)[TO_TARGET]
    assert beyond.value == pytest.approx(20 * math.log10(255), abs=1e-4)


def test_targets_of_denoise_deblur_start_from_the_blurred_image(photographs):
    samples = Samples(open_set(str(photographs), "test"), tasks.get("denoise-deblur"))
    assert samples.name(2) == "p0 blur=4 sigma=30"
    blurred = gaussian_blur(samples.clean(2), 4.0)
    torch.testing.assert_close(samples.target(2, (0.0, 0.0)), blurred)
    given = samples.degraded(2, (0.0, 0.0))
    kept = blurred + 0.9 * (given - blurred)
    torch.testing.assert_close(samples.target(2, (1.0, 0.0)), kept)
    assert torch.equal(samples.reference(2, (1.0, 0.0)), samples.clean(2))


@pytest.mark.parametrize(("task", "side", "least"), [("sr", 12, 16), ("style", 7, 8)])
def test_an_image_that_is_too_small_is_named(task, side, least, tmp_path):
    Image.new("RGB", (40, side)).save(tmp_path / "strip.png")
    samples = Samples(open_set(str(tmp_path), "test"), tasks.get(task))
    with pytest.raises(UserError, match=f"strip.png is 40x{side}, and {task} needs {least}"):
        samples.clean(0)
