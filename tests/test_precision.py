"""Half precision, as the ``gpu`` preset trains: every method, with and without a critic."""

import dataclasses
import os

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from benchmark import config, tasks, train
from benchmark.build import build_method, create_method
from benchmark.data.patches import to_tensor
from benchmark.data.sources import open_set
from benchmark.method import Stage
from benchmark.objectives import TARGETS, TERMS, MixedObjective
from benchmark.scoring.forward import restored
from benchmark.training.batch import Batch
from benchmark.training.learner import Recipe
from benchmark.training.stage import start_stage

METHODS = (
    "decouple",
    "dni",
    "adafm",
    "cfsnet",
    "dynamic_net",
    "ftn",
    "ftn:depthwise=true",
    "tunable_conv",
    "hypernet",
    "cresmd",
    "decouple_fast",
)
HALF = config.preset("smoke", ["steps=2", "precision=bf16-mixed"])


PRODUCTS = {torch.ops.aten.mm, torch.ops.aten.bmm, torch.ops.aten.addmm, torch.ops.aten.baddbmm}


@pytest.fixture(autouse=True)
def units(monkeypatch):
    """A CPU that says it has units for bf16; one that has none computes the same, more slowly."""
    _says(monkeypatch, amx_bf16=True)


def _says(monkeypatch, **units: bool):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: units, raising=False)


@pytest.fixture
def trained(train_job):
    def run(folder, task, stage, preset=HALF, method=None, start=None):
        job = train_job(task, stage, preset, method, "start" if start else None)
        return train.train_stage(job, start, folder, lambda text: None)

    return run


def last_stage(name, task) -> Stage:
    return list(create_method(name).stages(tasks.get(task)))[-1]


@pytest.mark.parametrize("task", ["denoise", "sr"])
@pytest.mark.parametrize("name", METHODS)
def test_every_method_trains_in_half_precision_and_keeps_its_weights_in_full(
    tmp_path, task, name, trained
):
    stage = last_stage(name, task)
    start = trained(tmp_path / "start", task, start_stage()).state if stage.starts_from else None
    own = None if stage.network else name
    done = trained(tmp_path / "own", task, stage, method=own, start=start)
    assert done.facts["precision"] == "bf16-mixed"
    assert {value.dtype for value in done.state.values() if value.is_floating_point()} == {
        torch.float32
    }
    assert all(bool(torch.isfinite(value).all()) for value in done.state.values())


@pytest.mark.parametrize("name", ["tunable_conv", "hypernet"])
def test_losses_are_those_of_full_precision_within_a_percent(tmp_path, name, trained):
    half = dataclasses.replace(HALF, steps=8)
    full = dataclasses.replace(half, precision="32-true")
    stage = last_stage(name, "denoise")
    losses = [
        trained(tmp_path / one.precision, "denoise", stage, one, name).facts["loss"]
        for one in (half, full)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=0.01)
    assert losses[0] != losses[1]


def test_a_machine_without_units_trains_in_full_precision(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert train.precision_of(HALF) == "bf16-mixed"
    _says(monkeypatch)
    assert train.precision_of(HALF) == "32-true"
    assert train.precision_of(config.preset("smoke")) == "32-true"


@pytest.mark.parametrize(
    ("has", "precision"),
    [
        ({"amx_bf16": True, "avx512_bf16": True}, "bf16-mixed"),
        ({"amx_bf16": False, "avx512_bf16": True}, "bf16-mixed"),
        ({"avx512_f": True, "avx512_vnni": True, "avx512_bf16": False}, "32-true"),
        ({"avx2": True}, "32-true"),
    ],
)
def test_any_instruction_for_products_in_half_precision_will_do(monkeypatch, has, precision):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    _says(monkeypatch, **has)
    assert train.precision_of(HALF) == precision


def test_gpus_that_only_imitate_half_precision_train_in_full(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    assert train.precision_of(HALF) == "32-true"


def _gradient(loss, images, enabled):
    images = images.clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
        found = loss(images)
    found.sum().backward()
    return images.grad


@pytest.mark.parametrize(
    "name", ["style_brick", "style_grass", "style_gravel", "content", "perceptual_squeeze"]
)
def test_losses_on_features_are_not_rounded(name):
    """Taps of filters cancel: rounded to half precision, the gradient is off by a fifth and more."""
    if name.startswith("perceptual") and not os.environ.get("DIALBENCH_WEIGHTS"):
        pytest.skip("DIALBENCH_WEIGHTS is not set")
    term, (image, other) = TERMS[name](), _photographs()
    full, half = (
        _gradient(lambda images: term(images, other), image, enabled) for enabled in (False, True)
    )
    assert torch.equal(half, full)
    assert term(image.bfloat16(), other).dtype == torch.float32


@pytest.mark.parametrize("name", TARGETS)
def test_targets_are_not_rounded(name):
    clean, given = _photographs()
    level = torch.tensor([[0.5, 1.0]])
    full = TARGETS[name](clean, given, level)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(TARGETS[name](clean, given, level), full)


def _photographs():
    images = open_set("builtin", "train").pictures[:2]
    return [to_tensor(one.read()[:64, :64])[None] for one in images]


@pytest.mark.parametrize("name", ["ftn", "tunable_conv", "cresmd"])
def test_kernels_are_merged_in_full_precision_backwards_too(name, monkeypatch):
    """What comes back to merged kernels is rounded; the way from there to what merges them is not."""
    task = tasks.get("denoise")
    method = build_method(create_method(name), "small:width=8:blocks=2", task, 0)
    products = []

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            if func.overloadpacket in PRODUCTS:
                products.extend(one.dtype for one in args if isinstance(one, torch.Tensor))
            return func(*args, **(kwargs or {}))

    def watched(loss):
        with Watch():
            loss.backward()

    stage = last_stage(name, "denoise")
    level = (1.0,) if stage.starts_from else None
    recipe = Recipe(8, 1e-3, "constant")
    method.begin(stage, MixedObjective(task.objective, level, 8), recipe)
    clean, given = _photographs()
    batch = Batch(given, clean, torch.tensor([[1.0]]), [1])
    optimizers = method.configure_optimizers()
    with torch.autocast("cpu", torch.bfloat16):
        method.update(batch, optimizers, watched)
    assert products
    assert set(products) == {torch.float32}


def test_networks_that_are_judged_see_all_bits_and_others_as_many_as_before():
    """PyTorch lets a GPU round convolutions to 10 bits; a score would depend on where it was made."""
    convolutions, seen = torch.backends.cudnn.conv, []
    before = convolutions.fp32_precision
    assert before != "ieee"

    class Watching(torch.nn.Module):
        def forward(self, x):
            seen.append((convolutions.fp32_precision, torch.is_inference_mode_enabled()))
            if len(seen) > 1:
                raise ValueError
            return x

    restored(Watching(), [torch.zeros(3, 8, 8)], torch.device("cpu"))
    with pytest.raises(ValueError):
        restored(Watching(), [torch.zeros(3, 8, 8)], torch.device("cpu"))
    assert seen == [("ieee", True)] * 2
    assert convolutions.fp32_precision == before


def test_networks_that_are_judged_may_ask_how_they_compute_and_change_it():
    """PyTorch does, of a compiled one; with settings that contradict each other it would refuse."""
    cudnn, seen = torch.backends.cudnn, []
    before = cudnn.allow_tf32, cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision

    class Asking(torch.nn.Module):
        def forward(self, x):
            seen.append((cudnn.allow_tf32, cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision))
            with cudnn.flags(enabled=False):
                return x

    restored(Asking(), [torch.zeros(3, 8, 8)], torch.device("cpu"))
    assert seen == [(False, "ieee", "ieee")]
    assert (cudnn.allow_tf32, cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision) == before


@pytest.mark.parametrize("own", [("ieee", "tf32"), ("tf32", "ieee"), ("none", "none")])
def test_what_others_set_of_precision_is_as_they_set_it_afterwards(own):
    kinds = (torch.backends.cudnn.conv, torch.backends.cudnn.rnn)
    before = [kind.fp32_precision for kind in kinds]
    try:
        for kind, precision in zip(kinds, own, strict=True):
            kind.fp32_precision = precision
        restored(torch.nn.Identity(), [torch.zeros(3, 8, 8)], torch.device("cpu"))
        assert tuple(kind.fp32_precision for kind in kinds) == own
    finally:
        for kind, precision in zip(kinds, before, strict=True):
            kind.fp32_precision = precision
