"""Our own NIQE: the authors' features, a model of our own, and numbers of its own kind."""

import json
import os

import numpy as np
import pytest
import torch

from benchmark.data.sources import open_set
from benchmark.errors import UserError
from benchmark.metrics import niqe
from benchmark.metrics.protocol import Protocol
from benchmark.metrics.records import METRICS, Unscorable
from benchmark.metrics.scorer import Scorer
from benchmark.niqe import fit as fit_niqe

ID = "niqe@dialbench-bsds"


@pytest.fixture(scope="module")
def measure():
    return niqe.bsds()


def kinds(clean, restored):
    """Images (3, H, W) of many kinds, all with a value."""
    sky, night = restored.clone(), restored.clone()
    sky[:, :110], night[:, :, :150] = 1, 0
    generator = torch.Generator().manual_seed(0)
    return {
        "photograph": clean,
        "noise": restored,
        "odd sides": restored[:, :193, 10:210],
        "one block": clean[:, :96, 30:126],
        "blur": torch.nn.functional.avg_pool2d(clean[None], 9, 1, 4)[0],
        "clipped": (clean * 3 - 1).clamp(0, 1),
        "sky": sky,
        "night": night,
        "posterised": (clean * 4).floor() / 4,
        "nothing but noise": torch.rand(3, 100, 200, generator=generator),
    }


def test_in_single_precision_the_distance_is_pyiqas_for_the_same_model(clean, restored):
    arch = pytest.importorskip("pyiqa.archs.niqe_arch")
    model = niqe.stored_model()
    mean, covariance = (torch.tensor(part)[None] for part in (model.mean, model.covariance))
    apart = []
    for image in kinds(clean, restored).values():
        gray = niqe.luma(image.numpy(), single=True)
        theirs = arch.niqe(torch.tensor(gray)[None, None], mean, covariance).item()
        found = niqe.distance(niqe.features(gray, single=True)[0], model)
        assert found == pytest.approx(theirs, abs=1e-8)
        apart.append(abs(niqe.distance(niqe.features(gray)[0], model) - theirs))
    # Double precision gives other numbers, where flat parts count as nothing above all.
    assert min(apart) > 1e-6 and max(apart) > 0.1


def test_luma_in_single_precision_is_pyiqas_but_for_ties(restored):
    colour = pytest.importorskip("pyiqa.utils.color_util")
    theirs = colour.to_y_channel(restored[None], 255)[0, 0].numpy()
    apart = np.abs(niqe.luma(restored.numpy(), single=True) - theirs)
    assert apart.max() <= 1 and apart.mean() < 1e-3


def test_luma_in_single_precision_adds_products_before_they_are_rounded():
    levels = torch.cartesian_prod(*3 * [torch.arange(0, 256, 3)]).T.reshape(3, 86, -1) / 255
    exact, single = (niqe.luma(levels.numpy(), kind) for kind in (False, True))
    up, down = (single > exact).sum(), (single < exact).sum()
    assert (up, down) == (2, 215)


def test_the_own_kind_has_not_moved(measure, clean, restored):
    assert measure(clean.numpy()) == pytest.approx(4.58369856972, abs=1e-9)
    assert measure(restored.numpy()) == pytest.approx(10.77027685236, abs=1e-9)


def test_halving_keeps_constants_and_equals_pyiqas(clean):
    resize = pytest.importorskip("pyiqa.matlab_utils")
    gray = niqe.luma(clean.numpy()) / 255
    theirs = resize.imresize(torch.tensor(gray)[None, None], scale=0.5)[0, 0].numpy()
    assert (niqe.halved(gray.astype(np.float32)) == theirs).all()
    assert np.abs(niqe.halved(gray) - theirs).max() < 1e-6
    assert np.allclose(niqe.halved(np.full((8, 12), 7.0)), 7)


def test_noise_and_blur_move_an_image_away_from_photographs(measure, clean, restored):
    blurred = torch.nn.functional.avg_pool2d(clean[None], 5, 1, 2)[0]
    assert measure(clean) < measure(restored) and measure(clean) < measure(blurred)


def test_statistics_of_known_distributions_are_found():
    rng = np.random.default_rng(0)
    shape, left, right = niqe._asymmetric_gaussian(rng.normal(0, 2, (1, 400, 400)))
    assert shape[0] == pytest.approx(2, abs=0.05)
    assert left[0] == pytest.approx(2 * 2**0.5, rel=0.03) == right[0]
    shape, left, right = niqe._asymmetric_gaussian(rng.laplace(0, 1, (1, 400, 400)))
    assert shape[0] == pytest.approx(1, abs=0.03)
    two_sided = np.abs(rng.normal(0, 1, (1, 400, 400)))
    two_sided[:, ::4] *= -3
    _, left, right = niqe._asymmetric_gaussian(two_sided)
    assert left[0] / right[0] == pytest.approx(3, rel=0.03)


def test_flat_regions_carry_no_pseudo_texture():
    for gray in (np.full((96, 96), 255.0), np.full((96, 96), 77.0)):
        assert not niqe.normalised(gray)[0].any()


def test_images_without_a_value_give_a_reason(measure):
    with pytest.raises(Unscorable, match="needs 96 pixels on each side, the image is 200x95"):
        measure(np.random.rand(3, 95, 200))
    with pytest.raises(Unscorable, match="too flat"):
        measure(np.full((3, 100, 100), 0.5))


def test_it_needs_no_weights_and_keeps_its_own_column(clean, restored, monkeypatch):
    monkeypatch.delenv("DIALBENCH_WEIGHTS", raising=False)
    monkeypatch.setenv("TORCH_HOME", "nowhere")
    scorer = Scorer([ID, "niqe@pyiqa-0.1.16"], Protocol("rgb"), offline=True)
    scores = scorer.score(restored, clean)
    assert scores[ID].status == "ok" and scores["niqe@pyiqa-0.1.16"].value is None
    assert METRICS[ID].label != METRICS["niqe@pyiqa-0.1.16"].label


def test_a_changed_model_file_is_refused(tmp_path, monkeypatch):
    content = json.loads(niqe.MODEL.read_text())
    content["mean"][0] += 1e-6
    monkeypatch.setattr(niqe, "MODEL", tmp_path / "model.json")
    niqe.MODEL.write_text(json.dumps(content))
    niqe.stored_model.cache_clear()
    with pytest.raises(UserError, match=r"model.json was changed; reinstall dialbench"):
        niqe.stored_model()


def test_the_shipped_model_says_where_it_comes_from():
    content = json.loads(niqe.MODEL.read_text())
    assert "BSDS500 train, 200 images" in content["photographs"]
    assert niqe.MODEL.stat().st_size < 60_000


def test_a_fit_keeps_the_sharp_blocks_of_each_photograph():
    images = open_set("builtin", "train")
    content = fit_niqe.fit(images)
    kept, every = int(content["blocks"].split()[0]), 0
    for picture in images.pictures:
        height, width = picture.read().shape[:2]
        every += (height // niqe.BLOCK) * (width // niqe.BLOCK)
    assert len(images.pictures) <= kept < every / 2
    assert len(content["mean"]) == 36 and [len(row) for row in content["covariance"]][-1] == 36


@pytest.mark.slow
def test_fitting_again_gives_the_shipped_model():
    if not os.environ.get("DIALBENCH_DATA"):
        pytest.skip("DIALBENCH_DATA is not set")
    again, shipped = (
        fit_niqe.fit(open_set(fit_niqe.SET, "train")),
        json.loads(niqe.MODEL.read_text()),
    )
    assert again["blocks"] == shipped["blocks"]
    assert again["mean"] == pytest.approx(shipped["mean"], rel=1e-3)
