"""LPIPS and NIQE against their packages; numbers known from elsewhere where weights are at hand."""

import json
import os
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmark import assets
from benchmark.data.patches import to_tensor
from benchmark.metrics import niqe, perceptual
from benchmark.metrics.protocol import Protocol
from benchmark.metrics.records import METRICS, Unscorable
from benchmark.metrics.remembered import Remembered
from benchmark.metrics.scorer import Scorer

OF_PAIRS = [name for name, metric in METRICS.items() if not metric.of_dial]
GOLDEN = Path(__file__).parent.parent / "goldens" / "metrics.json"
RGB = Protocol("rgb")


def published(net):
    """The package's own model, with a random trunk from a fixed seed."""
    import lpips

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        return lpips.LPIPS(net=net, pnet_rand=True, verbose=False)


@pytest.fixture(scope="module", params=["alex", "squeeze"])
def pair(request):
    """Our distance and the package's, with the same random trunk: needs no weights."""
    model = published(request.param)
    trunk = {
        "features." + name.partition(".")[2]: tensor
        for name, tensor in model.net.state_dict().items()
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assets, "load", lambda name, offline: trunk)
        ours = perceptual.Lpips(request.param)
    return ours, model


def test_lpips_equals_the_package_whether_or_not_clean_features_are_kept(pair, clean, restored):
    ours, model = pair
    expected = model(2 * restored[None] - 1, 2 * clean[None] - 1).item()
    values = [ours(restored, clean), ours(restored, clean)]
    assert len(ours.kept) == 1 and values[0] == values[1]
    forgetful(ours)
    assert ours(restored, clean) == values[0] == pytest.approx(expected, abs=1e-6)
    assert ours(clean, restored) == pytest.approx(expected, abs=1e-6)
    assert ours(clean, clean) == 0


def test_features_are_told_apart_by_content(pair, clean, restored):
    ours, _ = pair
    values = [ours(restored, clean), ours(restored, clean.flip(-1)), ours(restored, clean * 0.5)]
    assert len(set(values)) == 3
    forgetful(ours)
    assert ours(restored, clean) == values[0]


def forgetful(ours: perceptual.Lpips) -> None:
    """Makes a metric forget, and keep nothing more."""
    ours.kept = Remembered(ours.kept.work, room=0)


def test_lpips_says_which_images_are_too_small(pair):
    ours, _ = pair
    side = perceptual.SMALLEST[ours.net]
    assert ours(torch.rand(3, side, side), torch.rand(3, side, side)) > 0
    with pytest.raises(Unscorable, match=f"needs {side} pixels"):
        ours(torch.rand(3, side - 1, 40), torch.rand(3, side - 1, 40))


def test_building_lpips_is_silent_and_leaves_random_state_alone(pair, capfd, recwarn):
    ours, _ = pair
    trunk = {
        "features." + name.partition(".")[2]: tensor
        for name, tensor in ours.model.net.state_dict().items()
    }
    state = torch.random.get_rng_state()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assets, "load", lambda name, offline: trunk)
        model = perceptual.lpips_network(ours.net)
    assert torch.equal(state, torch.random.get_rng_state())
    assert capfd.readouterr() == ("", "") and not recwarn.list
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_lpips_can_be_a_loss(pair, clean, restored):
    ours, _ = pair
    image = restored.clone().requires_grad_()
    ours.model(2 * image[None] - 1, 2 * clean[None] - 1).sum().backward()
    assert image.grad.abs().max() > 0


def test_lpips_of_the_authors_example_pairs(weights):
    folder = Path(os.environ.get("DIALBENCH_DATA", "")) / "test" / "lpips-example"
    if not folder.is_dir():
        pytest.skip("DIALBENCH_DATA holds no test/lpips-example")
    images = {
        key: to_tensor(np.array(Image.open(folder / f"ex_{key}.png").convert("RGB")))
        for key in ("ref", "p0", "p1")
    }
    scorer = Scorer(["lpips-alex@lpips-0.1.4"], RGB, offline=True)
    for key, expected in (("p0", 0.7219), ("p1", 0.1376)):
        score = scorer.score(images[key], images["ref"])["lpips-alex@lpips-0.1.4"]
        assert score.value == pytest.approx(expected, abs=5e-5)


def test_lpips_squeeze_is_that_of_torchmetrics(weights, tmp_path, monkeypatch):
    """Its documented example, and its own model fed with a full-size weights file."""
    from torchmetrics.functional.image import learned_perceptual_image_patch_similarity
    from torchvision.models import squeezenet1_1

    full = squeezenet1_1(weights=None).state_dict() | assets.load("squeezenet1_1", offline=True)
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    torch.save(full, tmp_path / "hub" / "checkpoints" / "squeezenet1_1-b8a52dc0.pth")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    generator = torch.Generator().manual_seed(42)
    left, right = (torch.rand(2, 3, 100, 100, generator=generator) for _ in range(2))
    theirs = learned_perceptual_image_patch_similarity(
        2 * left - 1, 2 * right - 1, net_type="squeeze", reduction="none"
    )
    assert theirs.tolist() == pytest.approx([0.1024, 0.0938], abs=5e-5)
    monkeypatch.delenv("DIALBENCH_WEIGHTS")
    ours = perceptual.Lpips("squeeze", offline=True)
    values = [ours(*pair) for pair in zip(left, right, strict=True)]
    assert values == pytest.approx(theirs.tolist(), abs=1e-6)


def test_niqe_equals_pyiqa_and_fails_with_a_reason_where_it_has_no_value(weights, clean):
    pyiqa = pytest.importorskip("pyiqa")
    model = pyiqa.create_metric(
        "niqe", device="cpu", pretrained_model_path=str(assets.path("niqe", offline=True))
    )
    ours = niqe.original(offline=True)
    # Gray whose luma is far from ties, which fall as the processor wants them to in pyiqa.
    gray = torch.from_numpy(niqe.luma(clean.numpy())).float().expand(3, -1, -1) / 255
    for image in (gray, gray[:, :120, 5:215], gray[:, :96, :96]):
        assert ours(image.numpy()) == pytest.approx(model(image[None]).item(), abs=1e-8)
    with pytest.raises(Unscorable, match="needs 96 pixels on each side, the image is 200x95"):
        ours(clean[:, :95, :200].numpy())
    flat = torch.full((3, 200, 200), 0.5)
    with pytest.raises(torch.linalg.LinAlgError):
        model(flat[None])
    with pytest.raises(Unscorable, match="too flat"):
        ours(flat.numpy())


def test_niqe_needs_no_pyiqa(weights, clean, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "pyiqa"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pyiqa", None)
    metric = "niqe@pyiqa-0.1.16"
    assert Scorer([metric], RGB, offline=True).score(clean, clean)[metric].status == "ok"


def golden_pairs(clean):
    """Deterministic distortions in whole numbers, the same on every machine."""
    whole = (clean * 255).round().to(torch.int64)
    blurred = sum(whole.roll((y, x), (1, 2)) for y in (0, 1, 2) for x in (0, 1, 2)) // 9
    return {"posterised": (whole // 32 * 32 + 16) / 255.0, "blurred": blurred / 255.0}


@pytest.mark.parametrize("metric", OF_PAIRS)
def test_values_of_fixed_images_have_not_moved(metric, clean, request):
    if METRICS[metric].asset:
        request.getfixturevalue("weights")
    scorer = Scorer([metric], Protocol("golden", shave=2), offline=True)
    golden = json.loads(GOLDEN.read_text())
    for name, image in golden_pairs(clean).items():
        # Here the clean image is the target too.
        score = scorer.score(image, clean, clean)[metric]
        known = golden[name].get(metric.removesuffix("-target"), "not there yet")
        assert score.value == pytest.approx(known, abs=2e-4), f"{name}: {score}"


def test_scores_differ_by_less_than_is_printed_on_any_number_of_threads(clean, request):
    request.getfixturevalue("weights")
    restored = golden_pairs(clean)["blurred"]
    scorer = Scorer(OF_PAIRS, Protocol("threads", shave=2), offline=True)
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            scores = scorer.score(restored, clean, clean)
            found.append({name: score.value for name, score in scores.items()})
    finally:
        torch.set_num_threads(before)
    assert found[0] == pytest.approx(found[1], rel=1e-7)
