"""Numbers that are known from publications, or from an independent script, through our own path.

They need the test sets (DIALBENCH_DATA) and the authors' networks (DIALBENCH_CHECKPOINTS).
"""

import dataclasses
import math
import os
import statistics
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from benchmark import importing, tasks
from benchmark.build import build_method, create_method, load_states
from benchmark.data.samples import Samples
from benchmark.data.sources import ImageSet, open_set
from benchmark.metrics.protocol import PROTOCOLS
from benchmark.metrics.scorer import Scorer
from benchmark.scoring import blind
from benchmark.store import Store
from benchmark.tasks import Task

SIGMAS = (5, 15, 20, 25, 30, 40, 50, 60, 75, 80)

slow = pytest.mark.slow

FILES = {
    "ffdnet": (("FFDNet_color.pth",), {}),
    "cdncnn": (("CDnCNN-S-25.pth",), {"sigma": 25.0}),
    # The first one is "wdn": weak denoising.
    "srvgg-dni": (
        (
            "realesr-general-wdn-x4v3_from_ncnn_fp16.pth",
            "realesr-general-x4v3_from_ncnn_fp16.pth",
        ),
        {},
    ),
    "hyperres-estimator": (("noise_detect.pth",), {}),
}


def opened(name: str) -> ImageSet:
    root = os.environ.get("DIALBENCH_DATA")
    if not root or not (Path(root) / "test" / name).is_dir():
        pytest.skip(f"DIALBENCH_DATA does not lead to the test set {name}")
    return open_set(name, "test")


@pytest.fixture
def store(tmp_path) -> Callable[[str], Store]:
    """A store with one kind of network imported."""

    def make(kind: str) -> Store:
        folder = os.environ.get("DIALBENCH_CHECKPOINTS", "")
        names, options = FILES[kind]
        files = [Path(folder) / name for name in names]
        if not folder or not all(file.is_file() for file in files):
            pytest.skip(f"DIALBENCH_CHECKPOINTS does not lead to {' and '.join(names)}")
        found = Store(tmp_path / "runs")
        importing.run(kind, files, options, found)
        return found

    return make


def method(name: str, task: Task, store: Store | None = None):
    """A method without stages of training, with its imported weights if it has any."""
    made = build_method(create_method(name), "small:width=8:blocks=1", task, 0)
    keys = {stage.name: f"imported/{stage.imported}" for stage in made.stages(task)}
    load_states(made, task, {one: store.load_stage(key) for one, key in keys.items()})
    return made.eval().requires_grad_(False)


def score(
    images: ImageSet, task: Task, physical: float, network: Callable[[Tensor], Tensor]
) -> float:
    """Returns the mean of the task's headline metric over a set, at one true level."""
    samples = Samples(images, task)
    scorer = Scorer((task.headline,), task.protocol, offline=True)
    level = task.space.level_of((physical,))
    values = []
    with torch.inference_mode():
        for index in range(len(samples)):
            output = network(samples.degraded(index, level)[None])[0]
            result = scorer.score(output, samples.clean(index))[task.headline]
            values.append(result.value)
    return statistics.fmean(values)


def as_it_is(x: Tensor) -> Tensor:
    return x


@pytest.mark.parametrize(
    ("quality", "published"), [(10, 27.77), (20, 30.07), (30, 31.41), (40, 32.35)]
)
def test_live1_compressed_as_luma_has_the_published_psnr(quality, published):
    task = tasks.get("dejpeg@jpeg-y")
    assert score(opened("live1"), task, quality, as_it_is) == pytest.approx(published, abs=0.02)


@pytest.mark.parametrize(
    ("quality", "published"), [(10, 27.82), (20, 30.12), (30, 31.48), (40, 32.43)]
)
def test_gray_images_compressed_as_they_are_have_the_published_psnr(quality, published):
    task = tasks.get("dejpeg@jpeg-y")
    found = score(opened("classic5"), task, quality, as_it_is)
    assert found == pytest.approx(published, abs=0.01)


@pytest.mark.parametrize(
    ("name", "scale", "published"),
    [
        ("set5", 2, 33.66),
        ("set5", 3, 30.39),
        ("set5", 4, 28.42),
        ("set14", 2, 30.24),
        ("set14", 3, 27.54),
        ("set14", 4, 26.00),
        pytest.param("bsd100", 2, 29.56, marks=slow),
        pytest.param("bsd100", 3, 27.21, marks=slow),
        pytest.param("bsd100", 4, 25.96, marks=slow),
    ],
)
def test_bicubic_interpolation_has_the_published_psnr(name, scale, published):
    task = dataclasses.replace(
        tasks.get("sr"),
        scale=scale,
        degradation=f"bicubic_x{scale}",
        protocol=PROTOCOLS["sr-y"].at(scale),
    )
    floor, images = method("floor", task).tuned((0.0,)), opened(name)
    # MATLAB's scripts take files of one channel as they are; here, as in Python's, they have a BT.601
    # luma too, whose contrast is 219 of 255.
    gray = statistics.fmean(Image.open(one.path).mode == "L" for one in images.pictures)
    found = score(images, task, 0.0, floor) - gray * 20 * math.log10(255 / 219)
    # MATLAB's scripts resize the luma, ours the colours that it is then taken of.
    assert published - 0.005 < found < published + 0.025


@pytest.mark.parametrize("sigma", SIGMAS)
def test_noisy_input_has_the_psnr_of_its_sigma(sigma):
    images = opened("cbsd68")
    few = dataclasses.replace(images, pictures=images.pictures[:3])
    found = score(few, tasks.get("denoise@float"), sigma, as_it_is)
    assert found == pytest.approx(20 * math.log10(255 / sigma), abs=0.02)


@slow
@pytest.mark.parametrize(("sigma", "published"), [(15, 33.88), (25, 31.21), (50, 27.96)])
def test_ffdnet_denoises_cbsd68_as_published(sigma, published, store):
    task = tasks.get("denoise")
    network = method("ffdnet", task, store("ffdnet")).tuned(task.space.level_of((sigma,)))
    assert score(opened("cbsd68"), task, sigma, network) == pytest.approx(published, abs=0.03)


@slow
def test_cdncnn_denoises_cbsd68_as_measured_elsewhere(store):
    task = tasks.get("denoise")
    network = method("cdncnn", task, store("cdncnn")).tuned(task.space.level_of((25.0,)))
    assert score(opened("cbsd68"), task, 25, network) == pytest.approx(31.31, abs=0.03)


def test_ffdnet_is_best_with_the_dial_at_the_true_level(store):
    images, task = opened("cbsd68"), tasks.get("denoise")
    ffdnet = method("ffdnet", task, store("ffdnet"))
    one = dataclasses.replace(images, pictures=images.pictures[:1])
    dials = {
        dial: score(one, task, 50, ffdnet.tuned(task.space.level_of((dial,))))
        for dial in (25, 50, 75)
    }
    # Told half the noise, it leaves the other half in: worse than removing too much.
    assert dials[25] < dials[75] < dials[50]
    assert dials[50] - dials[25] > 4


@slow
def test_the_real_esrgan_pair_gains_towards_its_denoising_end(store):
    task = tasks.get("sr-noise")
    pair = method("srvgg_dni", task, store("srvgg-dni"))
    found = [score(opened("set5"), task, 25, pair.tuned((dial,))) for dial in (0.0, 0.5, 1.0)]
    assert found == pytest.approx([20.99, 22.57, 22.88], abs=0.1)
    assert found == sorted(found)


@pytest.mark.parametrize(("level", "which"), [(0.0, 0), (1.0, 1)])
def test_the_real_esrgan_pair_is_either_file_bit_for_bit_at_its_end(level, which, store):
    pair = method("srvgg_dni", tasks.get("sr"), store("srvgg-dni"))
    file = Path(os.environ["DIALBENCH_CHECKPOINTS"]) / FILES["srvgg-dni"][0][which]
    state = torch.load(file, weights_only=True)["params"]
    x = torch.rand(1, 3, 20, 24, generator=torch.Generator().manual_seed(0))
    z = x
    for index in range(0, 66, 2):
        z = F.conv2d(z, state[f"body.{index}.weight"], state[f"body.{index}.bias"], padding=1)
        z = F.prelu(z, state[f"body.{index + 1}.weight"])
    z = F.conv2d(z, state["body.66.weight"], state["body.66.bias"], padding=1)
    expected = F.pixel_shuffle(z, 4) + F.interpolate(x, scale_factor=4, mode="nearest")
    assert torch.equal(pair.tuned((level,))(x), expected)


@pytest.mark.parametrize("sigma", [15, 25, 50])
def test_the_noise_estimator_finds_the_sigma_of_noisy_photographs(sigma, store):
    images, task = opened("cbsd68"), tasks.get("denoise")
    samples = Samples(images, task)
    estimator = blind.estimator(store("hyperres-estimator"))
    level = task.space.level_of((sigma,))
    found = [blind.estimated_sigma(samples.degraded(i, level), estimator) for i in range(4)]
    assert found == pytest.approx([sigma] * 4, abs=2.5)
