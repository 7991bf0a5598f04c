"""Runs that are told to stop, and jobs that hang."""

import fcntl
import os
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchmark import cli, plan
from benchmark.engines import local, perform
from benchmark.planning.request import request_of
from benchmark.store import Store
from benchmark.training import stopping
from benchmark.training.scratch import LEFT, SILENT
from benchmark.verbs import tools

STEPS = 200
LONG = ["train", "sr", "--preset", "smoke", "--set", f"steps={STEPS}", "--offline"]
LONG += ["--methods", "dni", "--seeds", "0"]


@pytest.fixture(autouse=True)
def terminal():
    """A terminal whose closing is heard: under nohup it is not, nor in what runs below it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def start(home: Path, *words: str, **more: Any) -> subprocess.Popen:
    # The fixture of the module starts a run before the variables of a developer are taken away.
    clear = {name: text for name, text in os.environ.items() if not name.startswith("DIALBENCH")}
    return subprocess.Popen(
        [sys.executable, "-m", "benchmark", *LONG, *words],
        env={**clear, "DIALBENCH_HOME": str(home), "OMP_NUM_THREADS": "1"},
        text=True,
        **{"stderr": subprocess.PIPE, **more},
    )


def wait_for_a_stage(home: Path) -> None:
    """Returns when a run trains."""
    deadline = time.monotonic() + 180
    while not list(home.glob("scratch/*/*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)


def stop_inside_a_stage(process: subprocess.Popen, home: Path, number: int) -> str:
    """Signals a run that trains; returns what it said."""
    wait_for_a_stage(home)
    process.send_signal(number)
    try:
        return process.communicate(timeout=120)[1]
    finally:
        process.kill()


def weights(home: Path) -> list[bytes]:
    return sorted(path.read_bytes() for path in home.glob("stages/*/model.safetensors"))


# Both signals, and jobs in the process itself and in others.
@pytest.mark.parametrize(("number", "jobs"), [(signal.SIGINT, "1"), (signal.SIGTERM, "2")])
def test_a_run_told_to_stop_saves_its_stage_and_goes_on_to_the_same_weights(
    home, tmp_path, undisturbed, number, jobs
):
    process = start(home, "--jobs", jobs)
    error = stop_inside_a_stage(process, home, number)
    assert process.returncode == 128 + number
    (line,) = [line for line in error.splitlines() if line.startswith("dialbench:")]
    assert f"stopped by {number.name}; what is done is saved" in line
    assert "Traceback" not in error
    (left,) = home.glob("scratch/*/*")
    assert left.name.startswith(LEFT)
    assert (left / "last.ckpt").is_file()
    if number == signal.SIGTERM:
        # What is found where another machine died in the midst of training.
        left = left.rename(left.with_name("othernode-123"))
        os.utime(left, (time.time() - 2 * SILENT,) * 2)

    again = start(home, "--jobs", jobs)
    _, error = again.communicate(timeout=180)
    assert again.returncode == 0, error
    assert weights(home) == undisturbed
    assert not list(home.glob("scratch/*/*"))


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_terminal_that_closes_stops_a_run_which_saves_its_stage(home, jobs):
    ours, theirs = os.openpty()
    process = start(
        home,
        *("--jobs", jobs),
        **dict.fromkeys(("stdin", "stdout", "stderr"), theirs),
        start_new_session=True,
        # Makes it the terminal of the session, whose first process is told of its end.
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(theirs)
    wait_for_a_stage(home)
    os.close(ours)
    # The system tells whoever opened the terminal, as a rule a shell, and that all its jobs.
    os.killpg(process.pid, signal.SIGHUP)
    try:
        assert process.wait(timeout=120) > 0, "it ended by itself, not by the signal"
    finally:
        process.kill()
    (left,) = home.glob("scratch/*/*")
    assert left.name.startswith(LEFT) and (left / "last.ckpt").is_file()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> list[bytes]:
    home = tmp_path_factory.mktemp("undisturbed")
    process = start(home, "--jobs", "1")
    _, error = process.communicate(timeout=180)
    assert process.returncode == 0, error
    return weights(home)


def test_a_hanging_job_is_ended_and_the_others_finish(home, tmp_path, capsys):
    file = tmp_path / "hanging_method.py"
    file.write_text(
        "import time\nfrom benchmark.method import ControlMethod, Stage, Uniform\n"
        "class Hanging(ControlMethod):\n"
        "    def build(self, backbone, control): pass\n"
        "    def stages(self, task): return [Stage('joint', ('',), Uniform())]\n"
        "    def forward(self, x, level): time.sleep(3600)\n"
    )
    words = ["run", "sr", "--preset", "smoke", "--set", "steps=1", "--levels", "0", "--offline"]
    words += ["--methods", "floor", "--method", str(file)]
    assert cli.main([*words, "--engine", "local:timeout=8", "--jobs", "2"]) == 1
    assert "hanging_method: no sign of life for 8 s" in capsys.readouterr().err
    assert set(pd.read_csv(home / "report" / "sr" / "table.csv")["method"]) == {"floor"}


@pytest.mark.parametrize(
    ("end", "said"), [("KeyboardInterrupt()", "interrupted"), ("Stopped(2)", "stopped by SIGINT")]
)
def test_ctrl_c_twice_in_a_hurry_is_one_sentence(end, said):
    code = f"""
import os, signal, sys
from benchmark import cli, streams
from benchmark.training.stopping import Stopped
from benchmark.verbs import tools

def ended(args):
    raise {end}

def hasty(text, say=streams.say):
    os.kill(os.getpid(), signal.SIGINT)
    say(text)

signal.signal(signal.SIGINT, signal.default_int_handler)
tools.list_all, streams.say = ended, hasty
sys.exit(cli.main())
"""
    words = [sys.executable, "-c", code, "list"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 130
    assert done.stderr.startswith(f"dialbench: {said}") and done.stderr.count("\n") == 1


def test_an_interrupted_call_from_python_leaves_ctrl_c_as_it_was(monkeypatch, capsys):
    def ended(args):
        raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(tools, "list_all", ended)
    assert cli.main(["list"]) == 130
    assert signal.getsignal(signal.SIGINT) == before
    assert "interrupted" in capsys.readouterr().err


def test_outside_a_job_a_signal_ends_at_once_and_inside_the_second_does():
    before = signal.getsignal(signal.SIGTERM)
    with stopping.armed(signal.SIGTERM):
        with pytest.raises(stopping.Stopped):
            os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(stopping.Stopped), stopping.one_job():
            os.kill(os.getpid(), signal.SIGTERM)
            assert stopping.asked()
            os.kill(os.getpid(), signal.SIGTERM)
            pytest.fail("the second signal ends the job")
        with pytest.raises(stopping.Stopped), stopping.one_job():
            os.kill(os.getpid(), signal.SIGTERM)
        assert not stopping.asked()
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_worker_that_is_told_twice_saves_its_stage(home, tmp_path):
    file = tmp_path / "slow_method.py"
    file.write_text(
        "import time\nfrom benchmark.method import ControlMethod, Stage, Uniform\n"
        "class Slow(ControlMethod):\n"
        "    def build(self, backbone, control): pass\n"
        "    def stages(self, task): return [Stage('joint', ('',), Uniform())]\n"
        "    def forward(self, x, level):\n"
        "        time.sleep(0.5)\n"
        "        return self.backbone(x)\n"
    )
    top, _ = cli.parser()
    words = ["train", "sr", "--preset", "smoke", "--set", "steps=400", "--offline"]
    args = top.parse_args([*words, "--methods", "floor", "--method", str(file)])
    (job,) = plan.make(request_of(args), Store()).trains.values()
    worker = local.Worker(home, 1)
    try:
        worker.give(job)
        while "steps" not in (worker.hear()[1] or ""):
            pass
        # Of ``timeout``, which tells all processes, and of the parent, which is told too.
        for number in (signal.SIGUSR2, signal.SIGTERM, signal.SIGTERM):
            time.sleep(0.05)
            os.kill(worker.process.pid, number)
        worker.process.join(60)
    finally:
        worker.kill()
    (left,) = home.glob("scratch/*/*")
    assert left.name.startswith(LEFT) and (left / "last.ckpt").is_file()


def test_a_run_under_nohup_outlives_its_terminal():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stopping.armed(signal.SIGTERM, signal.SIGHUP):
            os.kill(os.getpid(), signal.SIGHUP)
            assert signal.getsignal(signal.SIGTERM) == stopping._handle
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_terminal_that_closes_may_say_so_twice():
    before = signal.getsignal(signal.SIGHUP)
    with stopping.armed(signal.SIGHUP):
        saved = False
        with pytest.raises(stopping.Stopped), stopping.one_job():
            os.kill(os.getpid(), signal.SIGHUP)
            stopping.rearm()
            os.kill(os.getpid(), signal.SIGHUP)
            saved = stopping.asked()
        assert saved, "the job goes on until it has saved"
    assert signal.getsignal(signal.SIGHUP) == before


def test_a_job_that_fails_of_the_signal_does_not_hide_it(home, monkeypatch):
    def failing(*_):
        os.kill(os.getpid(), signal.SIGTERM)
        raise RuntimeError("a worker is gone")

    monkeypatch.setattr(perform, "_train", failing)
    top, _ = cli.parser()
    words = ["run", "sr", "--preset", "smoke", "--methods", "dni", "--offline"]
    store = Store()
    job = next(iter(plan.make(request_of(top.parse_args(words)), store).trains.values()))
    with stopping.armed(signal.SIGTERM), pytest.raises(stopping.Stopped):
        perform.perform(job, store, print)
    assert store.read_failure(job.key) is None and not stopping.asked()
