"""A smoke campaign under sixty SIGKILLs, with two runs at work at once on one store."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest
from PIL import Image
from safetensors.torch import load

from benchmark.records import read_json

KILLS = 60
WORDS = ["run", "sr", "--preset", "smoke", "--set", "steps=30", "--offline"]
METHODS = ["--methods", "floor,dni,ftn,hypernet,cfsnet"]


def start(home, jobs: int) -> subprocess.Popen:
    """Starts a run in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "benchmark", *WORDS, *METHODS, "--jobs", str(jobs)],
        env={**os.environ, "DIALBENCH_HOME": str(home), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finished(run: subprocess.Popen) -> bool:
    """Whether a run has ended by itself, and well."""
    if run.poll() is None:
        return False
    assert run.stderr is not None
    assert run.returncode == 0, run.stderr.read()
    return True


def kill(run: subprocess.Popen, chance: random.Random) -> None:
    """Kills a run, or the run with its workers."""
    if chance.random() < 0.5:
        run.kill()
    else:
        os.killpg(run.pid, signal.SIGKILL)
    run.wait()


def disturbed(home, kills: int, chance: random.Random) -> int:
    """Runs the campaign twice at once, killing at random until it is complete; returns the kills."""
    runs = [start(home, jobs) for jobs in (1, 2)]
    done = 0
    try:
        while not any(finished(run) for run in runs):
            if done == kills:
                runs[0].wait()
                continue
            wait = time.monotonic() + chance.uniform(0.2, 9)
            while time.monotonic() < wait and not any(finished(run) for run in runs):
                time.sleep(0.02)
            if not any(finished(run) for run in runs):
                at = chance.randrange(2)
                kill(runs[at], chance)
                runs[at] = start(home, at + 1)
                done += 1
        for run in runs:
            run.wait()
            assert finished(run)
    finally:
        for run in runs:
            run.kill()
    return done


@pytest.mark.slow
def test_sixty_kills_end_in_the_table_of_an_undisturbed_run(home, tmp_path):
    calm = start(tmp_path / "calm", 1)
    calm.wait()
    assert finished(calm)
    wanted = {
        name: (tmp_path / "calm/report/sr" / name).read_bytes()
        for name in ("table.csv", "table.md", "table.tex")
    }
    chance, kills, campaigns = random.Random(1), 0, 0
    while kills < KILLS:
        folder = tmp_path / f"disturbed{campaigns}"
        campaigns += 1
        kills += disturbed(folder, KILLS - kills, chance)
        for name, content in wanted.items():
            assert (folder / "report/sr" / name).read_bytes() == content
        for path in folder.rglob("*"):
            if path.suffix == ".json" and "report" not in path.parts:
                assert read_json(path) is not None, f"{path} is torn"
            elif path.suffix == ".safetensors":
                assert load(path.read_bytes())
            elif path.suffix == ".png":
                Image.open(path).load()
    print(f"{kills} kills in {campaigns} campaigns")
