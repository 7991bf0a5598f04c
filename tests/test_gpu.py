"""What only a GPU can show: training there in bf16, and that a GPU does not change a score."""

import pytest
import torch

from benchmark import cli, config, learner, plan, train
from benchmark.jobs import TrainJob
from benchmark.recorded import Recorder
from benchmark.request import request_of
from benchmark.stage import Stage, Uniform, start_stage
from benchmark.store import Store
from benchmark.sweep import sweep

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]

CLOSE = {"psnr-rgb": 0.01, "ssim-rgb": 0.0005}
"""How far a score may move, as for entries that are computed again."""


def trained(folder, preset, stage, task="denoise", method=None):
    job = TrainJob(
        key="test",
        task=task,
        method=method,
        method_file=None,
        backbone=preset.backbone,
        stage=stage,
        preset=preset,
        seed=0,
        train_sets=("builtin",),
        start_key=None,
        offline=True,
    )
    return train.train_stage(job, None, folder, lambda text: None)


def test_a_stage_trains_on_the_gpu_in_half_precision_and_learns(tmp_path):
    losses = {}
    for steps in (2, 60):
        preset = config.preset("smoke", [f"steps={steps}", "precision=bf16-mixed", "batch=8"])
        done = trained(tmp_path / str(steps), preset, start_stage())
        assert done.facts["device"] == torch.cuda.get_device_name()
        assert done.facts["precision"] == "bf16-mixed"
        assert all(value.device.type == "cpu" for value in done.state.values())
        losses[steps] = done.facts["loss"]
    assert losses[60] < losses[2]


@pytest.mark.parametrize("task", ["denoise", "sr"])
@pytest.mark.parametrize("method", ["decouple", "tunable_conv", "hypernet"])
def test_recorded_steps_train_as_others_do(task, method, tmp_path, monkeypatch):
    preset = config.preset("smoke", ["steps=60", "precision=32-true", "batch=8"])
    stage, seen, record = Stage("joint", ("",), levels=Uniform()), [], Recorder.record

    def watched(self, batch):
        seen.append(tuple(batch.runs))
        return record(self, batch)

    monkeypatch.setattr(Recorder, "record", watched)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    recorded = trained(tmp_path / "recorded", preset, stage, task, method).facts["loss"]
    assert seen == [(4, 4)]
    monkeypatch.setattr(learner, "recorder", lambda *_: None)
    usual = trained(tmp_path / "usual", preset, stage, task, method).facts["loss"]
    assert recorded == pytest.approx(usual, rel=0.02)


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
