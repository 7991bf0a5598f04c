"""Runs that are killed, run side by side, or lose a worker."""

import os
import signal
import subprocess
import sys
import time

import pandas as pd

from benchmark import cli

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
