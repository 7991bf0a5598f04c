"""What only a GPU can show: training there in bf16, and that a GPU does not change a score."""

import contextlib

import pytest
import torch

from benchmark import cli, config, plan, train
from benchmark.planning.request import request_of
from benchmark.store import Store
from benchmark.sweep import sweep
from benchmark.training import learner
from benchmark.training.batch import Batch
from benchmark.training.recorded import Recorder, recorder_for
from benchmark.training.stage import At, Stage, Uniform, start_stage

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]

CLOSE = {"psnr-rgb": 0.01, "ssim-rgb": 0.0005}
"""How far a score may move, as for entries that are computed again."""


@pytest.fixture
def trained(train_job):
    def run(folder, preset, stage, task="denoise", method=None):
        job = train_job(task, stage, preset, method)
        return train.train_stage(job, None, folder, lambda text: None)

    return run


def test_a_stage_trains_on_the_gpu_in_half_precision_and_learns(tmp_path, trained):
    losses = {}
    for steps in (2, 60):
        preset = config.preset("smoke", [f"steps={steps}", "precision=bf16-mixed", "batch=8"])
        done = trained(tmp_path / str(steps), preset, start_stage())
        assert done.facts["device"] == torch.cuda.get_device_name()
        assert done.facts["precision"] == "bf16-mixed"
        assert all(value.device.type == "cpu" for value in done.state.values())
        losses[steps] = done.facts["loss"]
    assert losses[60] < losses[2]


@pytest.fixture
def steady(monkeypatch):
    """The same kernels every time, so that trainings can be compared weight by weight."""
    monkeypatch.setattr(train, "choosing_kernels", contextlib.nullcontext)
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", True)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize("task", ["denoise", "sr"])
@pytest.mark.parametrize(
    "method",
    [
        *("decouple", "tunable_conv", "hypernet", "dynamic_net"),
        *("cresmd", "ftn:depthwise=true", None),
    ],
)
def test_recorded_steps_train_as_others_do(
    method, task, precision, steady, tmp_path, monkeypatch, trained
):
    preset = config.preset("smoke", ["steps=8", f"precision={precision}", "batch=8"])
    stage = Stage("joint", ("",), levels=Uniform())
    if method is None:
        stage = Stage("end", ("",), At(1.0), network="backbone")
    seen, record = [], Recorder.record

    def watched(self, own):
        seen.append(tuple(own.runs))
        return record(self, own)

    monkeypatch.setattr(Recorder, "record", watched)
    recorded = trained(tmp_path / "recorded", preset, stage, task, method).state
    assert seen == [(8,) if method is None else (4, 4)]
    monkeypatch.setattr(learner, "recorder_for", lambda *_: None)
    usual = trained(tmp_path / "usual", preset, stage, task, method).state
    for key, value in usual.items():
        assert torch.allclose(recorded[key], value, rtol=1e-3, atol=1e-4), key


def steps_of(step):
    """Returns what takes steps of a tiny network with Adam, and its recorder."""
    torch.manual_seed(0)
    network = torch.nn.Conv2d(3, 3, 3, padding=1).cuda()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01, fused=True)

    def taken(batch):
        optimizer.zero_grad()
        loss = step(network, batch)
        loss.backward()
        optimizer.step()
        return loss

    made = recorder_for(torch.device("cuda"), [optimizer], taken)
    return network, made


def batch_of(turn, runs):
    generator = torch.Generator().manual_seed(turn)
    images = torch.rand(2, 4, 3, 16, 16, generator=generator).cuda()
    return Batch(*images, torch.full((4, 1), 0.1 * turn).cuda(), runs)


def test_patterns_take_turns_in_the_same_memory():
    def step(network, batch):
        return ((network(batch.x) - batch.y).square().mean(dim=(1, 2, 3)) * batch.level[:, 0]).sum()

    networks = []
    for replayed in (True, False):
        network, made = steps_of(step)
        made.works = replayed
        held = []
        for turn in range(60):
            made(batch_of(turn, [4] if turn % 3 else [2, 2]))
            torch.cuda.synchronize()
            held.append(torch.cuda.memory_allocated())
        assert len(made.recordings) == (2 if replayed else 0)
        assert len({*held[-20:]}) == 1
        networks.append(network.weight.detach())
    assert torch.allclose(*networks, atol=1e-5)


def test_a_step_that_asks_the_gpu_is_taken_as_usual():
    def step(network, batch):
        return (network(batch.x) - batch.y).square().mean() * float(batch.level.sum().item() > 0)

    network, made = steps_of(step)
    with pytest.warns(UserWarning, match="launched piece by piece"):
        for turn in range(1, 9):
            made(batch_of(turn, [4]))
    assert torch.cuda.current_stream() == torch.cuda.default_stream()
    other, plain = steps_of(step)
    plain.works = False
    for turn in range(1, 9):
        plain(batch_of(turn, [4]))
    assert torch.allclose(network.weight, other.weight, atol=1e-5)


def test_scores_are_those_of_the_cpu(home, photographs, monkeypatch, tmp_path):
    words = ["run", "denoise", "--preset", "smoke", "--offline", "--test", str(photographs)]
    words += ["--methods", "ftn,cfsnet", "--levels", "0.2,1"]
    assert cli.main([*words, "--jobs", "1"]) == 0
    scores = []
    for gpu in (True, False):
        top, _ = cli.parser()
        store = Store()
        made = plan.make(request_of(top.parse_args(words)), store)
        if not gpu:
            for path in sorted((store.home / "cells").rglob("*.json")):
                path.unlink()
            monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
            made = plan.make(request_of(top.parse_args(words)), store)
            for job in made.jobs():
                sweep(job, store, lambda text: None)
        cells = plan.stored_cells(made, store)
        assert len(cells) == 4
        scores.append(
            {
                (cell.facts["method"], cell.facts["level"], row.image, row.metric): row.value
                for cell in cells
                for row in cell.rows
                if row.metric in CLOSE
            }
        )
    assert scores[0].keys() == scores[1].keys()
    for key, value in scores[0].items():
        assert value == pytest.approx(scores[1][key], abs=CLOSE[key[-1]])
