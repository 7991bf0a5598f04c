"""The suites of ``make perf`` that need what a test machine lacks, on stand-ins for it."""

import dataclasses
import functools

import pytest
import torch

from benchmark import config
from benchmark.perf import __main__ as perf
from benchmark.perf import gpu
from benchmark.perf.measure import rivals


def test_the_gpu_suite_measures_every_method_and_states_what_the_preset_takes(monkeypatch):
    monkeypatch.setattr(gpu, "PRESET", dataclasses.replace(config.PRESETS["smoke"], steps=100))
    monkeypatch.setattr(gpu, "SMALL_PATCH", 16)
    monkeypatch.setattr(gpu, "TURNS", 1)
    monkeypatch.setattr(gpu, "LIMITS", {"dni": None, "ftn": None})
    monkeypatch.setattr(gpu, "busy", lambda run: 0.5)
    taken = {"script": 9, "patch": 1, "piecewise": 2, "start": 6, "end": 12, "tune": 60}
    measured = functools.partial(rivals, rounds=1)
    monkeypatch.setattr(gpu, "rivals", lambda runs: {one: taken[one] for one in measured(runs)})
    figures = list(gpu.measured(torch.device("cpu")))
    assert len(figures) == 12
    assert all(one.value > 0 for one in figures)
    speed = {one.name: one for one in figures if one.unit == "images/s"}
    # The start network and what is tuned from it: 150 steps each.
    assert "165.0 min for 300 steps" in speed["training of ftn, 32x32"].note
    assert "15.0 min for 150 steps" in speed["training of plain, 32x32"].note


def test_a_suite_that_has_nothing_to_measure_says_so(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("DIALBENCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(perf, "settle", lambda threads: None)
    monkeypatch.setattr("sys.argv", ["perf", "gpu"])
    assert perf.main() == 0
    assert "nothing to measure on this machine" in capsys.readouterr().out


def test_an_unknown_suite_is_refused(monkeypatch):
    monkeypatch.setattr("sys.argv", ["perf", "gpus"])
    with pytest.raises(SystemExit) as ended:
        perf.main()
    assert ended.value.code == 2
