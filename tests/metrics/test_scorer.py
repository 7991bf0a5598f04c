"""The scorer: protocol, input checks, missing packages and weights."""

import importlib.metadata
import json

import numpy as np
import pytest
import torch

from benchmark import assets
from benchmark.errors import UserError
from benchmark.metrics import fidelity, scorer
from benchmark.metrics.colour import y601
from benchmark.metrics.protocol import Protocol
from benchmark.metrics.scorer import Scorer, availability

PIXEL = ("psnr-rgb", "psnr-y601", "ssim-rgb", "ssim-y601")
RGB = Protocol("rgb")
FLOAT = Protocol("float", quantise=False)
SHAVED = Protocol("shaved", shave=4)


def values(scores):
    return {metric: score.value for metric, score in scores.items()}


@pytest.fixture
def nothing(tmp_path, monkeypatch):
    """No weights anywhere."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.delenv("DIALBENCH_WEIGHTS", raising=False)


def test_scores_are_those_of_the_single_metrics(clean, restored):
    scores = values(Scorer(PIXEL, SHAVED).score(restored, clean))
    cut = [fidelity.shaved(image, 4) for image in (restored, clean)]
    luma = [y601(image.double()) for image in cut]
    assert scores == {
        "psnr-rgb": fidelity.psnr(*cut),
        "psnr-y601": fidelity.psnr(*luma),
        "ssim-rgb": fidelity.Ssim()(*cut),
        "ssim-y601": fidelity.Ssim()(*luma),
    }
    assert scores != values(Scorer(PIXEL, RGB).score(restored, clean))


def test_quantising_clamps_and_rounds_half_to_even_like_numpy(clean):
    output = clean * 1.2 - 0.1
    rounded = np.round(output.numpy().clip(0, 1) * 255) / 255
    expected = Scorer(PIXEL, FLOAT).score(torch.from_numpy(rounded), clean)
    assert values(Scorer(PIXEL, RGB).score(output, clean)) == pytest.approx(values(expected))


def test_both_images_are_quantised(clean, restored):
    shifted = clean * 0.99 + 0.002
    rounded = (shifted * 255).round() / 255
    expected = Scorer(PIXEL, FLOAT).score(restored, rounded)
    assert values(Scorer(PIXEL, RGB).score(restored, shifted)) == pytest.approx(values(expected))


def test_float_protocols_keep_what_rounding_would_remove(clean):
    near = (clean + 0.0005).clamp(0, 1)
    assert Scorer(PIXEL, FLOAT).score(near, clean)["psnr-rgb"].value > 60
    score = Scorer(PIXEL, RGB).score(near, clean)["psnr-rgb"]
    assert (score.value, score.status) == (None, "failed")
    assert score.reason == "the images are identical, so PSNR is infinite"


def test_scores_do_not_depend_on_order_or_neighbours(clean, restored):
    pairs = [(restored, clean), (clean.flip(-1), restored), (restored[:, :100], clean[:, :100])]
    scorer = Scorer(PIXEL, RGB)
    forward = [scorer.score(*pair) for pair in pairs]
    backward = [scorer.score(*pair) for pair in reversed(pairs)]
    assert forward == backward[::-1]
    assert forward == [Scorer(PIXEL, RGB).score(*pair) for pair in pairs]


def test_memory_layout_and_autograd_do_not_matter(clean, restored):
    strided = restored.permute(1, 2, 0).contiguous().permute(2, 0, 1).requires_grad_()
    assert Scorer(PIXEL, RGB).score(strided, clean) == Scorer(PIXEL, RGB).score(restored, clean)


def test_inputs_are_left_as_they_were(clean, restored):
    before = [image.clone() for image in (restored, clean)]
    Scorer(PIXEL, SHAVED).score(restored, clean)
    assert torch.equal(before[0], restored) and torch.equal(before[1], clean)


@pytest.mark.parametrize(
    ("restored", "clean", "protocol", "message"),
    [
        (torch.rand(3, 20, 20), torch.rand(3, 20, 21), RGB, "must be equal"),
        (torch.rand(1, 20, 20), torch.rand(1, 20, 20), RGB, "shape"),
        (torch.rand(1, 3, 20, 20), torch.rand(1, 3, 20, 20), RGB, "shape"),
        (torch.rand(3, 0, 20), torch.rand(3, 0, 20), RGB, "shape"),
        (torch.ones(3, 20, 20).byte(), torch.ones(3, 20, 20).byte(), RGB, "floating-point"),
        (torch.full((3, 20, 20), torch.nan), torch.rand(3, 20, 20), RGB, "restored .* NaN"),
        (torch.rand(3, 20, 20), torch.full((3, 20, 20), torch.inf), RGB, "clean .* infinite"),
        (torch.rand(3, 20, 20), torch.full((3, 20, 20), 200.0), RGB, r"clean .* in \[0, 1\]"),
        (torch.full((3, 20, 20), 1.001), torch.rand(3, 20, 20), FLOAT, r"restored .* in \[0, 1\]"),
        (torch.full((3, 20, 20), -0.001), torch.rand(3, 20, 20), FLOAT, r"restored .* in \[0, 1\]"),
    ],
)
def test_wrong_input_is_refused(restored, clean, protocol, message):
    with pytest.raises(ValueError, match=message):
        Scorer(PIXEL, protocol).score(restored, clean)


def test_rounding_errors_around_the_range_are_tolerated(clean):
    shifted = (clean.clamp(0, 1) * (1 + 5e-7)).clamp(max=1 + 5e-7)
    assert Scorer(PIXEL, FLOAT).score(shifted, clean)["ssim-rgb"].value == pytest.approx(1)


def test_an_image_that_is_too_small_fails_with_a_reason_and_stops_no_other_metric():
    generator = torch.Generator().manual_seed(0)
    restored, clean = torch.rand(2, 3, 18, 18, generator=generator)
    scores = Scorer(PIXEL, SHAVED).score(restored, clean)
    assert scores["psnr-rgb"].status == "ok"
    assert scores["ssim-rgb"].status == "failed" and "window" in scores["ssim-rgb"].reason
    tiny = Scorer(PIXEL, SHAVED).score(restored[:, :8], clean[:, :8])
    assert {score.status for score in tiny.values()} == {"failed"}
    assert "leaves nothing" in tiny["psnr-rgb"].reason


def test_missing_weights_make_a_metric_unavailable_and_say_how_to_get_them(
    nothing, clean, restored
):
    scorer = Scorer(("psnr-rgb", "lpips-alex@lpips-0.1.4"), RGB, offline=True)
    scores = scorer.score(restored, clean)
    assert scores["psnr-rgb"].status == "ok"
    lpips = scores["lpips-alex@lpips-0.1.4"]
    assert (lpips.value, lpips.status) == (None, "unavailable")
    assert "put alexnet-owt-7be5be79.pth" in lpips.reason and "DIALBENCH_WEIGHTS" in lpips.reason
    assert scorer.unavailable() == {"lpips-alex@lpips-0.1.4": lpips.reason}


def test_another_version_of_a_package_is_no_substitute(monkeypatch):
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "9.9")
    reason = availability(["lpips-alex@lpips-0.1.4"], offline=True)["lpips-alex@lpips-0.1.4"]
    assert "lpips 0.1.4 is needed (9.9 is installed)" in reason


def test_a_package_that_does_not_import_is_unavailable(monkeypatch, clean, restored):
    monkeypatch.setattr(assets, "fetch", lambda name, offline: assets.State("found"))
    monkeypatch.setattr(assets, "load", lambda name, offline: 1 / 0)
    scorer = Scorer(("psnr-rgb", "lpips-alex@lpips-0.1.4"), RGB)
    assert "cannot be set up" in scorer.unavailable()["lpips-alex@lpips-0.1.4"]
    assert scorer.score(restored, clean)["psnr-rgb"].status == "ok"


def test_pixel_metrics_are_always_available(nothing):
    assert set(availability(PIXEL, offline=True).values()) == {None}


def test_an_unknown_metric_is_refused():
    with pytest.raises(UserError, match="unknown metric"):
        Scorer(["vmaf"], RGB)


def test_values_are_plain_json_numbers(clean, restored):
    scores = values(Scorer(PIXEL, RGB).score(restored, clean))
    assert json.loads(json.dumps(scores, allow_nan=False)) == scores


def test_a_metric_that_gives_no_number_is_named(monkeypatch, clean, restored):
    monkeypatch.setattr(scorer, "_measure", lambda *_: lambda restored, clean: restored.mean())
    with pytest.raises(ValueError, match="metric 'psnr-rgb' gives Tensor, not a number"):
        Scorer(["psnr-rgb"], RGB).score(restored, clean)
