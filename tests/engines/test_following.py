"""What becomes of SLURM's array elements: how they are followed, and how they run; no SLURM is asked."""

import os
import signal

import pytest

from benchmark.engines.graph import Graph
from benchmark.engines.progress import Progress
from benchmark.store import Store
from benchmark.training import stopping

pytest.importorskip("submitit")

from benchmark.engines import slurm as engine
from benchmark.engines.submission import Submission
from benchmark.errors import JobError
from tests.engines.jobs import sweep, train


def test_jobs_are_followed_until_they_have_ended_and_what_they_wait_for_is_said(
    tmp_path, monkeypatch, answers, capsys
):
    submission = Submission(tmp_path / "dialbench-x", "7", (("a",),))
    answers.queue = "7|PENDING|dialbench-x|BadConstraints\n"
    for name in ("TOLD", "GRACE"):
        monkeypatch.setattr(engine, name, 0)
    monkeypatch.setattr(engine.time, "sleep", lambda _: submission.notes.end("a", None))
    store, graph = Store(tmp_path), Graph([train("a")])
    found = engine._follow(graph, store, Progress(1), submission.places())
    assert found == {}
    error = capsys.readouterr().err
    assert "0 running, 1 waiting (BadConstraints 1)" in error and "[1/1]" in error


def test_a_job_that_leaves_the_queue_without_a_note_has_failed(tmp_path, monkeypatch, answers):
    submission = Submission(tmp_path / "dialbench-x", "7", (("a",),))
    answers.queue = "7|RUNNING|of-another|None\n"
    clock = iter(range(0, 1000, 4))
    monkeypatch.setattr(engine.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(engine.time, "sleep", lambda _: None)
    found = engine._follow(Graph([train("a")]), Store(tmp_path), Progress(1), submission.places())
    assert "SLURM job 7 ended without a result" in found["a"]


@pytest.mark.parametrize("shared", [False, True])
def test_what_a_failure_leaves_without_work_is_cancelled(tmp_path, monkeypatch, answers, shared):
    jobs, last = [train("a"), sweep("s", "a"), sweep("t")], ("s", "t") if shared else ("s",)
    submission = Submission(tmp_path / "dialbench-x", "7", (("a",), last, ("t",))[: 3 - shared])
    answers.queue = "".join(f"7_{at}|RUNNING|dialbench-x|None\n" for at in range(3))
    submission.notes.end("a", "no luck")
    looks = iter(range(3))
    monkeypatch.setattr(
        engine.time, "sleep", lambda _: (next(looks), submission.notes.end("t", None))
    )
    found = engine._follow(Graph(jobs), Store(tmp_path), Progress(3), submission.places())
    assert found == {"a": "no luck", "s": "no luck"}
    cancelled = [words for words in answers if words[0] == "scancel"]
    assert cancelled == [("scancel", "--name=dialbench-x", "7_1")] * (not shared)


@pytest.fixture
def handed_in(monkeypatch):
    """Hands jobs in as one element, which this process then runs."""

    def hand_in(folder, keys):
        submission = Submission(folder / "dialbench-x", "7", (tuple(keys),))
        submission.write()
        for key in keys:
            path = submission.folder / "jobs" / f"{key}.json"
            engine.write(path, engine.to_json(train(key)).encode())
        return submission

    monkeypatch.setattr(engine, "settle", lambda cpus: None)
    return hand_in


def test_an_element_that_begins_again_leaves_out_what_has_ended(tmp_path, monkeypatch, handed_in):
    submission, run = handed_in(tmp_path, "abc"), []
    submission.notes.end("a", None)
    submission.notes.say("b", "3/9 steps")
    monkeypatch.setattr(engine, "perform_noted", lambda job, store, notes: run.append(job.key))
    engine.run_element(str(submission.folder), str(tmp_path), 0)
    assert run == ["b", "c"]


@pytest.mark.parametrize(
    ("number", "restarts", "preempted", "again"),
    [
        (signal.SIGUSR2, 0, "None", True),
        (signal.SIGUSR2, engine.RESTARTS, "None", False),
        (signal.SIGTERM, 0, "None", False),
        (signal.SIGTERM, 0, "2026-12-01T03:37:21", True),
        (signal.SIGTERM, engine.RESTARTS, "2026-12-01T03:37:21", False),
    ],
)
def test_only_what_comes_to_its_time_limit_or_is_preempted_queues_again_and_not_for_ever(
    tmp_path, monkeypatch, answers, handed_in, number, restarts, preempted, again
):
    submission = handed_in(tmp_path, "a")
    answers.job = f"{answers.job.removesuffix('None')}{preempted} SuspendTime=None"

    def stopped(job, store, notes):
        raise stopping.Stopped(number)

    monkeypatch.setattr(engine, "perform_noted", stopped)
    monkeypatch.setenv("SLURM_RESTART_COUNT", str(restarts))
    with pytest.raises(SystemExit) as ended:
        engine.run_element(str(submission.folder), str(tmp_path), 0)
    assert ended.value.code == 128 + number
    asked = ("scontrol", "--oneliner", "show", "job", "7")
    assert [one for one in answers if one != asked] == [("scontrol", "requeue", "7")] * again


def test_an_element_that_is_cancelled_while_it_loads_torch_ends_at_once(
    tmp_path, monkeypatch, answers, handed_in
):
    submission, run = handed_in(tmp_path, "a"), []
    monkeypatch.setattr(engine, "settle", lambda cpus: os.kill(os.getpid(), signal.SIGTERM))
    monkeypatch.setattr(engine, "perform_noted", lambda job, store, notes: run.append(job.key))
    # As submitit does until somebody else wants to know.
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with pytest.raises(SystemExit) as ended:
            engine.run_element(str(submission.folder), str(tmp_path), 0)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert ended.value.code == 128 + signal.SIGTERM and not run
    assert [one[1] for one in answers] == [
        "--oneliner"
    ]  # it was asked whether this is a preemption


def test_a_job_whose_end_cannot_be_noted_does_not_stop_those_of_its_element(
    tmp_path, monkeypatch, capsys, handed_in
):
    submission, run = handed_in(tmp_path, "ab"), []

    def noted(job, store, notes):
        run.append(job.key)
        if job.key == "a":
            raise JobError("the disk is full")

    monkeypatch.setattr(engine, "perform_noted", noted)
    with pytest.raises(SystemExit) as ended:
        engine.run_element(str(submission.folder), str(tmp_path), 0)
    assert ended.value.code == 1 and run == ["a", "b"]
    assert "the disk is full" in capsys.readouterr().err
