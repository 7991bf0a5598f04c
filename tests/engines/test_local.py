"""Worker processes on this machine."""

import multiprocessing
import subprocess
import sys
import time

import pytest

from benchmark import cli
from benchmark.config import preset
from benchmark.engines import local
from benchmark.planning.jobs import TrainJob
from benchmark.store import Store
from benchmark.training.stage import start_stage


class Stuck(local.Worker):
    """A worker that hangs while it starts."""

    def __init__(self, home, threads):
        context = multiprocessing.get_context("spawn")
        self.pipe, self.theirs = context.Pipe()
        self.heard, self.up = time.monotonic(), False
        self.process = context.Process(target=time.sleep, args=(3600,))
        self.process.start()


def test_a_worker_that_hangs_before_its_first_sign_of_life_is_ended(home, monkeypatch):
    monkeypatch.setattr(local, "Worker", Stuck)
    monkeypatch.setattr(local, "STARTING", 2)
    job = TrainJob("k", "sr", None, None, "small", start_stage(), preset("smoke"), 0, (), None)
    failures = local.run([job], Store(home), 1, timeout=0.5)
    assert failures == {"k": local.silent_text(2)}


def test_a_script_whose_workers_run_it_again_is_told_so(home, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\nfrom benchmark import cli\n"
        "words = ['run', 'denoise', '--methods', 'floor,dni', '--preset', 'smoke', '--set', 'steps=1']\n"
        "sys.exit(cli.main([*words, '--levels', '1', '--offline', '--jobs', '2']))\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    assert done.returncode == 1
    assert f": {local.UNSTARTED}" in done.stderr and "out of memory" not in done.stderr


def test_the_local_engine_needs_no_module_or_signal_that_only_some_systems_have():
    code = """
import os, signal, sys
sys.modules.update(dict.fromkeys(("fcntl", "pwd", "resource", "termios")))
del os.sched_getaffinity, signal.SIGHUP
import benchmark.cli, benchmark.verbs.bench, benchmark.engines.local
with benchmark.training.stopping.armed(*benchmark.engines.local.SIGNALS):
    print(benchmark.engines.local.cores())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip().isdigit(), done.stderr


def test_cores_are_shared_out_and_nobody_goes_without(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(local, "cores", lambda: 8)
    assert [local.threads_each(count) for count in (1, 3, 16)] == [8, 2, 1]


TOLD = """
import multiprocessing
from pathlib import Path

from methods.decouple import Decouple


class Told(Decouple):
    def loss(self, batch, stage):
        Path(__file__).with_suffix(".txt").write_text(multiprocessing.get_start_method())
        return super().loss(batch, stage)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere processes are spawned throughout")
@pytest.mark.parametrize("devices", [1, 2])
def test_a_worker_forks_what_loads_its_training_data(home, photographs, tmp_path, devices):
    file = tmp_path / "told.py"
    file.write_text(TOLD)
    words = ["run", "denoise", "--preset", "smoke", "--set", "workers=2", "--methods", str(file)]
    words += ["--set", f"devices={devices}", "--test", str(photographs), "--levels", "1"]
    assert cli.main([*words, "--offline", "--engine", "local:timeout=300"]) == 0
    assert file.with_suffix(".txt").read_text() == "fork"
