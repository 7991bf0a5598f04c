"""Half precision, as the ``gpu`` preset trains: every method, with and without a critic."""

import dataclasses

import pytest
import torch

from benchmark import config, tasks, train
from benchmark.method import Stage
from benchmark.planning.discovery import create_method
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


@pytest.fixture(autouse=True)
def units(monkeypatch):
    """A CPU that says it has units for bf16; one that has none computes the same, more slowly."""
    monkeypatch.setattr(train, "_cpu_has", lambda unit: True)


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
    monkeypatch.setattr(train, "_cpu_has", lambda unit: False)
    assert train.precision_of(HALF) == "32-true"
    assert train.precision_of(config.preset("smoke")) == "32-true"
