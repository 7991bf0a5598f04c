"""The SLURM engine: how jobs are put into elements, and runs on a real cluster of one machine."""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmark import cli
from benchmark.engines.graph import Graph
from benchmark.store import Store

pytest.importorskip("submitit")

from benchmark.engines import queue
from benchmark.engines import slurm as engine
from benchmark.engines.submission import Submission
from benchmark.errors import JobError, UserError
from tests.engines.jobs import sweep, train

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


def test_an_array_that_is_too_large_names_the_chunk_that_would_do(answers):
    graph = Graph([*(sweep(f"s{index}", "a") for index in range(7)), train("a")])
    assert len(engine._fitting(graph, graph.jobs, 2)) == 5
    with pytest.raises(UserError, match="8 array elements.* takes 5 at once; use chunk=2 or more"):
        engine._fitting(graph, graph.jobs, 1)
    row = Graph([train("a0"), *(train(f"a{n}", f"a{n - 1}") for n in range(1, 7))])
    with pytest.raises(UserError, match="hand in fewer"):
        engine._fitting(row, row.jobs, 1)
    answers.config = "MaxArraySize = 8\n"
    assert len(engine._fitting(graph, graph.jobs, 1)) == 8
    answers.config = "MaxArraySize = 7\n"
    with pytest.raises(UserError, match="8 array elements"):
        engine._fitting(graph, graph.jobs, 1)
    answers.config = ""
    assert len(engine._fitting(graph, graph.jobs, 1)) == 8


@pytest.mark.parametrize("end", [KeyboardInterrupt, JobError])
def test_what_is_interrupted_while_it_is_handed_in_is_cancelled(
    end, answers, tmp_path, monkeypatch
):
    graph, own = Graph([train("a"), sweep("s", "a")]), tmp_path / "slurm" / "blue"
    monkeypatch.setattr(engine, "_hand_in", lambda *_: "7")

    def interrupted(*_):
        raise end("no")

    monkeypatch.setattr(queue, "split", interrupted)
    with pytest.raises(KeyboardInterrupt if end is KeyboardInterrupt else UserError):
        engine._submit(Store(tmp_path), own, graph, list(graph.jobs), {}, None, 1, {})
    ((program, name),) = [words for words in answers if words[0] == "scancel"]
    assert name.startswith("--name=dialbench-") and not list(own.iterdir())


def test_what_cannot_be_cancelled_is_left_for_the_next_run(answers, tmp_path, monkeypatch):
    graph, own = Graph([train("a"), sweep("s", "a")]), tmp_path / "slurm" / "blue"

    def refused(*words):
        raise JobError("no answer")

    monkeypatch.setattr(engine, "_hand_in", lambda *_: "7")
    monkeypatch.setattr(queue, "_run", refused)
    monkeypatch.setattr(engine, "_fitting", lambda *_: (("a",), ("s",)))
    with pytest.raises(UserError, match="SLURM did not take the jobs"):
        engine._submit(Store(tmp_path), own, graph, list(graph.jobs), {}, None, 1, {})
    (left,) = own.iterdir()
    assert (left / "jobs" / "a.json").is_file() and Submission.read(left) is None


@pytest.mark.parametrize("wishes", [{}, {"memory": 1.5, "cpus": 4, "gpus": 2, "minutes": 30}])
def test_an_array_is_handed_in_on_hold_with_what_was_wished_for(tmp_path, monkeypatch, wishes):
    import submitit

    asked = {}

    class Executor:
        def __init__(self, folder):
            pass

        def update_parameters(self, **parameters):
            asked.update(parameters)

        def map_array(self, function, *columns):
            tasks = list(zip(*columns, strict=True))
            assert function is engine.run_element
            assert tasks == [(str(tmp_path / "x"), str(tmp_path), at) for at in range(3)]
            return [argparse.Namespace(job_id=f"7_{at}") for at in range(3)]

    monkeypatch.setattr(submitit, "SlurmExecutor", Executor)
    assert engine._hand_in(tmp_path / "x", Store(tmp_path), 3, 2, wishes) == "7"
    more = {"hold": True, **({"mem": "1536M"} if wishes else {})}
    gpus = {"gpus_per_node": 2} if wishes else {}
    assert asked == {
        "job_name": "x",
        "time": wishes.get("minutes", engine.MINUTES),
        "cpus_per_task": wishes.get("cpus", 1),
        "array_parallelism": 2,
        "additional_parameters": more,
        **gpus,
    }


def test_what_waits_in_the_queue_is_told_with_the_reasons(tmp_path):
    submission = Submission(tmp_path / "dialbench-x", "7", (("a",), ("b",), ("c", "d"), ("e",)))
    places = submission.places().values()

    def entries(*states):
        return {
            f"7_{at}": queue.Entry("dialbench-x", state, reason)
            for at, (state, reason) in enumerate(states)
        }

    assert engine.waiting(entries(("RUNNING", "None")), places) == ""
    found = entries(("RUNNING", "None"), ("PENDING", "Resources"), ("PENDING", "Dependency"))
    line = engine.waiting(found, places)
    assert line == "in the queue: 1 running, 2 waiting (Resources 1, Dependency 1)"
    line = engine.waiting(entries(*[("PENDING", "BadConstraints")] * 3), places)
    assert "0 running, 3 waiting (BadConstraints 3); BadConstraints does not pass" in line
    assert "scontrol show job 7_0" in line and "scancel 7'" in line


@pytest.mark.parametrize(
    ("shown", "waits"),
    [("5_0|RUNNING|dialbench-old|None\n", "5_0"), ("5_0|RUNNING|else|None\n", ""), (None, "5_0")],
)
def test_an_element_waits_for_what_earlier_runs_handed_in_unless_that_has_ended(
    tmp_path, answers, monkeypatch, shown, waits
):
    old = Submission(tmp_path / "dialbench-old", "5", (("a",), ("z",)))
    new = Submission(tmp_path / "dialbench-new", "7", (("b",),))
    new.folder.mkdir()
    answers.queue = shown
    if shown is None:
        monkeypatch.setattr(queue, "entries", lambda: None)
    engine._order(new, Graph([train("b", "a"), train("a")]), {"a": old.places()["a"]})
    asked = [words[-1] for words in answers if words[-1].startswith("Dependency=")]
    assert asked == ([f"Dependency=afterany:{waits}"] if waits else [])


def test_an_element_waits_for_the_same_job_of_an_earlier_run(tmp_path, answers):
    old = Submission(tmp_path / "dialbench-old", "5", (("a",), ("z",)))
    new = Submission(tmp_path / "dialbench-new", "7", (("a",),))
    new.folder.mkdir()
    answers.queue = "5_0|RUNNING|dialbench-old|None\n"
    engine._order(new, Graph([train("a")]), {"a": old.places()["a"]})
    assert [words[-1] for words in answers if words[0] == "scontrol"] == ["Dependency=afterany:5_0"]


def test_a_submission_can_be_followed_before_anything_of_it_begins(answers, tmp_path, monkeypatch):
    own, followed = tmp_path / "slurm" / "blue", []
    monkeypatch.setattr(engine, "_hand_in", lambda *_: "7")
    monkeypatch.setattr(
        queue, "release", lambda array: followed.extend(map(Submission.read, own.iterdir()))
    )
    graph = Graph([train("a")])
    submission = engine._submit(Store(tmp_path), own, graph, ["a"], {}, None, 1, {"cpus": 2})
    assert followed == [submission] and submission.job("a") == train("a")


def test_what_an_earlier_run_left_on_hold_is_released_and_not_handed_in_again(
    answers, tmp_path, monkeypatch, capsys
):
    old = Submission(tmp_path / "slurm" / "blue" / "dialbench-old", "7", (("a",), ("z",)))
    old.write()
    engine.write(old.folder / "jobs" / "a.json", engine.to_json(train("a")).encode())
    answers.queue = "7_0|PENDING|dialbench-old|JobHeldUser\n7_1|PENDING|dialbench-old|None\n"
    monkeypatch.setattr(engine, "_follow", lambda graph, store, progress, places: places)
    assert engine.run([train("a")], Store(tmp_path)) == {"a": old.places()["a"]}
    assert ("scontrol", "release", "7") in answers
    assert "following 1 job of SLURM job 7" in capsys.readouterr().err


def test_an_array_that_cannot_be_released_is_tried_again(answers, monkeypatch):
    refused = iter([True, True, False])

    def run(*words):
        answers.append(words)
        if next(refused):
            raise JobError("busy")
        return ""

    monkeypatch.setattr(queue, "_run", run)
    monkeypatch.setattr(queue.time, "sleep", lambda _: None)
    queue.release("7")
    assert len(answers) == 3


def test_a_store_whose_path_slurm_would_read_otherwise_is_refused(tmp_path):
    with pytest.raises(UserError, match="DIALBENCH_HOME"):
        engine.run([train("a")], Store(tmp_path / "50%"))


def submissions(home: Path) -> list[Path]:
    return sorted((home / "slurm").glob("*/*/submission.json"))


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
@pytest.mark.parametrize("devices", [1, 2])
def test_an_element_at_its_time_limit_saves_its_stage_and_queues_again(slurm, home, devices):
    words = ["train", "sr", "--preset", "smoke", "--offline", "--methods", "dni"]
    words += ["--set", "steps=20000", "--set", f"devices={devices}"]
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmark", *words, "--engine", "slurm"],
        env={**os.environ, "DIALBENCH_HOME": str(home)},
        stderr=subprocess.DEVNULL,
    )
    array = ""
    try:
        deadline = time.monotonic() + 120
        while not list(home.glob("scratch/*/*")) and time.monotonic() < deadline:
            time.sleep(0.1)
        # Several processes take a while to begin.
        time.sleep(2 if devices == 1 else 20)
        array = json.loads(submissions(home)[0].read_text())["array"]
        # What submitit asks SLURM to send ahead of the limit.
        assert queue.command("scancel", "--signal=USR2", f"{array}_0")
        while not list(home.glob("scratch/*/left-*/last.ckpt")) and time.monotonic() < deadline:
            time.sleep(0.1)
        states: dict[str, str] = {}
        while states.get(f"{array}_0") != "PENDING" and time.monotonic() < deadline:
            time.sleep(0.2)
            states = {one: it.state for one, it in (queue.entries() or {}).items()}
        own = {one: state for one, state in states.items() if one.startswith(f"{array}_")}
        assert own == {f"{array}_0": "PENDING", f"{array}_1": "PENDING"}
        assert list(home.glob("scratch/*/left-*/last.ckpt"))
    finally:
        process.kill()
        process.wait()
        queue.command("scancel", array)
