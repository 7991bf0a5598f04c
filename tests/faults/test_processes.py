"""Runs that are killed, run side by side, or lose a worker."""

import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

from benchmark import cli
from benchmark.training.scratch import _lives

WORDS = ["run", "sr", "--preset", "smoke", "--methods", "floor,ftn", "--offline", "--jobs", "1"]


def start(home) -> subprocess.Popen:
    environment = {**os.environ, "DIALBENCH_HOME": str(home)}
    return subprocess.Popen(
        [sys.executable, "-m", "benchmark", *WORDS],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_runs_on_one_store_one_of_them_killed_give_the_table_of_an_undisturbed_run(
    home, tmp_path, monkeypatch
):
    killed, other = start(home), start(home)
    try:
        deadline = time.monotonic() + 300
        while not list(home.glob("stages/*/stage.json")) and time.monotonic() < deadline:
            time.sleep(0.02)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        _, error = other.communicate(timeout=300)
        assert other.returncode == 0, error
    finally:
        killed.kill()
        other.kill()
    table = home / "report" / "sr" / "table.csv"
    survived = table.read_bytes()
    for left in home.glob("cells/sr/*.json"):
        left.unlink()
        break
    assert cli.main(WORDS) == 0
    assert table.read_bytes() == survived

    monkeypatch.setenv("DIALBENCH_HOME", str(tmp_path / "undisturbed"))
    assert cli.main(WORDS) == 0
    fresh = tmp_path / "undisturbed" / "report" / "sr" / "table.csv"
    columns = ["method", "level", "psnr-y601", "train_steps"]
    pd.testing.assert_frame_equal(pd.read_csv(table)[columns], pd.read_csv(fresh)[columns])


def test_a_dying_worker_fails_only_its_own_job(home, tmp_path, capsys):
    file = tmp_path / "dying_method.py"
    file.write_text(
        "import os\nfrom benchmark.method import ControlMethod, Stage, Uniform\n"
        "class Dying(ControlMethod):\n"
        "    def build(self, backbone, control): pass\n"
        "    def stages(self, task): return [Stage('joint', ('',), Uniform())]\n"
        "    def forward(self, x, level): os._exit(9)\n"
    )
    words = ["run", "sr", "--preset", "smoke", "--set", "steps=1", "--levels", "0", "--offline"]
    code = cli.main([*words, "--methods", "floor", "--method", str(file), "--jobs", "2"])
    assert code == 1
    error = capsys.readouterr().err
    assert "dying_method: the worker process died (exit 9" in error
    table = pd.read_csv(home / "report" / "sr" / "table.csv")
    assert set(table["method"]) == {"floor"}


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no system ends such a process")
def test_a_worker_that_hangs_in_a_call_ends_with_a_run_that_is_killed(home, tmp_path):
    file, told = tmp_path / "hanging_method.py", tmp_path / "told"
    file.write_text(
        "import ctypes, os\nfrom pathlib import Path\n"
        "from benchmark.method import ControlMethod, Stage, Uniform\n"
        "class Hanging(ControlMethod):\n"
        "    def build(self, backbone, control): pass\n"
        "    def stages(self, task): return [Stage('joint', ('',), Uniform())]\n"
        "    def forward(self, x, level):\n"
        f"        Path({str(told)!r}).write_text(str(os.getpid()))\n"
        "        ctypes.PyDLL(None).sleep(600)  # keeps Python's lock, so that no thread goes on\n"
    )
    words = ["train", "sr", "--preset", "smoke", "--set", "steps=1", "--offline", "--jobs", "2"]
    run = subprocess.Popen(
        [sys.executable, "-m", "benchmark", *words, "--methods", "dni", "--method", str(file)],
        env={**os.environ, "DIALBENCH_HOME": str(home)},
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 180
        while not (told.exists() and told.read_text()) and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(0.5)
    finally:
        run.kill()
        run.wait()
    worker = int(told.read_text())
    deadline = time.monotonic() + 10
    while _lives(worker) and time.monotonic() < deadline:
        time.sleep(0.1)
    try:
        assert not _lives(worker)
    finally:
        if _lives(worker):
            os.kill(worker, signal.SIGKILL)
