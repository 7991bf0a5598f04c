"""The SLURM engine: how jobs are put into elements, and runs on a real cluster of one machine."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmark import cli
from benchmark.config import preset
from benchmark.engines.graph import Graph
from benchmark.planning.jobs import SweepJob, TrainJob
from benchmark.store import Store
from benchmark.training.stage import start_stage

pytest.importorskip("submitit")

from benchmark.engines import queue
from benchmark.engines import slurm as engine


def train(key: str, start: str | None = None) -> TrainJob:
    return TrainJob(key, "sr", None, None, "small", start_stage(), preset("smoke"), 0, (), start)


def sweep(key: str, *stages: str) -> SweepJob:
    names = {stage: stage for stage in stages}
    return SweepJob(key, "sr", "m", None, "small", preset("smoke"), 0, names, "x", ((0.0,), (1.0,)))


JOBS = [train("a"), train("b", "a"), train("c", "a"), sweep("s", "a", "b"), sweep("t", "a", "c")]


@pytest.mark.parametrize("size", [1, 2, 3, 9])
def test_an_element_holds_no_more_than_a_chunk_and_never_waits_for_itself(size):
    graph = Graph([*JOBS, sweep("u"), sweep("v")])
    elements = engine.chunks(graph, graph.jobs, size)
    assert sorted(key for one in elements for key in one) == sorted(graph.jobs)
    assert max(map(len, elements)) <= size
    place = {key: index for index, one in enumerate(elements) for key in one}
    for key, needs in graph.needs.items():
        assert all(place[one] < place[key] for one in needs)


def test_small_jobs_share_elements():
    graph = Graph([sweep(f"s{index}") for index in range(7)])
    assert [len(one) for one in engine.chunks(graph, graph.jobs, 3)] == [3, 3, 1]


def test_a_job_in_the_queue_stands_for_one_that_wants_no_more(tmp_path):
    queued = sweep("s", "a")
    submission = engine.Submission(tmp_path, "7", (("s",),))
    engine.write(tmp_path / "jobs" / "s.json", engine.to_json(queued).encode())
    place = engine.Place(submission, 0)
    assert engine._covers(place, queued.only([((1.0,), (1.0,))]))
    assert not engine._covers(place, dataclasses.replace(queued, levels=((0.5,),)))


def test_a_submission_that_was_not_committed_is_none(tmp_path):
    engine.Submission(tmp_path, "7", (("s",), ("t",)), 2).write()
    assert engine.Submission.read(tmp_path).id(1) == "7_1"
    record = json.loads((tmp_path / "submission.json").read_text())
    (tmp_path / "submission.json").write_text(json.dumps({**record, "array": "8"}))
    assert engine.Submission.read(tmp_path) is None


def test_what_was_handed_in_half_is_cancelled_once_and_removed(tmp_path, monkeypatch):
    told: list[tuple[str, ...]] = []
    answers = iter([False, True])
    monkeypatch.setattr(queue, "states", dict)
    monkeypatch.setattr(queue, "command", lambda *words: told.append(words) or next(answers))
    old, fresh = (tmp_path / "slurm" / name for name in ("dialbench-old", "dialbench-fresh"))
    for folder in (old, fresh):
        (folder / "jobs").mkdir(parents=True)
    os.utime(old, (time.time() - 2 * queue.PATIENCE,) * 2)
    for left in ({old, fresh}, {fresh}, {fresh}):
        assert engine._live(Store(tmp_path)) == {}
        assert set((tmp_path / "slurm").iterdir()) == left
    assert told == [("scancel", "--name=dialbench-old")] * 2


def submissions(home: Path) -> list[Path]:
    return sorted((home / "slurm").glob("*/submission.json"))


@pytest.mark.cluster
def test_a_run_that_is_killed_is_followed_by_the_next_and_gives_the_local_table(
    slurm, home, local_table, campaign, table_of, capsys
):
    words = [*campaign, "--engine", "slurm", "--jobs", "2"]
    first = subprocess.Popen(
        [sys.executable, "-m", "benchmark", *words],
        env={**os.environ, "DIALBENCH_HOME": str(home)},
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 120
        while not submissions(home) and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:
        first.send_signal(signal.SIGKILL)
        first.wait()
    (record,) = submissions(home)
    array = json.loads(record.read_text())["array"]
    shown = subprocess.run(
        ["scontrol", "show", "job", array], capture_output=True, text=True, check=True
    ).stdout
    assert "ArrayTaskThrottle=2" in shown
    assert "afterany" in shown

    assert cli.main(words) == 0
    assert "following" in capsys.readouterr().err
    assert submissions(home) == [record], "nothing was handed in twice"
    assert table_of(home) == local_table


@pytest.mark.cluster
def test_one_failed_job_stops_only_what_is_behind_it(slurm, home, tmp_path, capsys):
    file = tmp_path / "nan_method.py"
    file.write_text(
        "from benchmark.method import ControlMethod, Stage, Uniform\n"
        "class Nan(ControlMethod):\n"
        "    def build(self, backbone, control): pass\n"
        "    def stages(self, task): return [Stage('joint', ('',), Uniform())]\n"
        "    def forward(self, x, level): return self.backbone(x) * float('nan')\n"
    )
    words = ["run", "sr", "--preset", "smoke", "--set", "steps=1", "--levels", "0,1", "--offline"]
    words += ["--methods", "floor,blend", "--method", str(file), "--engine", "slurm:chunk=3"]
    assert cli.main(words) == 1
    error = capsys.readouterr().err
    _, _, failed = error.partition("shows where):\n")
    assert failed.count("\n") == 1
    assert "nan_method: the loss of stage 'joint' is not finite" in failed
    assert len(list((home / "cells" / "sr").glob("*.json"))) == 4
    assert "in 3 elements" in error, "chunks of up to three"
    assert cli.main(words) == 1, "only what failed is handed in again"
    assert "2 jobs in" in capsys.readouterr().err


@pytest.mark.cluster
def test_cancelled_jobs_are_failures_and_a_run_again_repairs(slurm, home, capsys):
    words = ["run", "sr", "--preset", "smoke", "--levels", "0", "--offline", "--methods", "floor"]
    words += ["--engine", "slurm"]
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmark", *words],
        env={**os.environ, "DIALBENCH_HOME": str(home)},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        while not submissions(home):
            time.sleep(0.05)
        array = json.loads(submissions(home)[0].read_text())["array"]
        assert queue.command("scancel", array)
        _, error = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 1
    assert "ended without a result" in error
    assert cli.main(words) == 0


@pytest.mark.cluster
def test_an_element_at_its_time_limit_saves_its_stage_and_queues_again(slurm, home):
    words = ["train", "sr", "--preset", "smoke", "--set", "steps=20000", "--offline"]
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmark", *words, "--methods", "dni", "--engine", "slurm"],
        env={**os.environ, "DIALBENCH_HOME": str(home)},
        stderr=subprocess.DEVNULL,
    )
    array = ""
    try:
        deadline = time.monotonic() + 120
        while not list(home.glob("scratch/*/*")) and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(2)
        array = json.loads(submissions(home)[0].read_text())["array"]
        # What submitit asks SLURM to send ahead of the limit.
        assert queue.command("scancel", "--signal=USR2", f"{array}_0")
        while not list(home.glob("scratch/*/left-*/last.ckpt")) and time.monotonic() < deadline:
            time.sleep(0.1)
        states = queue.states() or {}
        while states.get(f"{array}_0") != "PENDING" and time.monotonic() < deadline:
            time.sleep(0.2)
            states = queue.states() or {}
        own = {one: state for one, state in states.items() if one.startswith(f"{array}_")}
        assert own == {f"{array}_0": "PENDING", f"{array}_1": "PENDING"}
        assert list(home.glob("scratch/*/left-*/last.ckpt"))
    finally:
        process.kill()
        process.wait()
        queue.command("scancel", array)
