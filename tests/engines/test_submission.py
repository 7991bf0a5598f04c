"""What was handed in to SLURM, and what of it has not ended; no SLURM is asked."""

import dataclasses
import json
import os
import time

import pytest

from benchmark.config import preset
from benchmark.engines import queue
from benchmark.engines.submission import OLD, Place, Submission, covers, live, own_folder
from benchmark.errors import UserError
from benchmark.planning.jobs import SweepJob, to_json
from benchmark.records import write
from benchmark.store import Store

JOB = SweepJob("s", "sr", "m", None, "small", preset("smoke"), 0, {"a": "a"}, "x", ((0.0,), (1.0,)))


def test_a_job_in_the_queue_stands_for_one_that_wants_no_more(tmp_path):
    write(tmp_path / "jobs" / "s.json", to_json(JOB).encode())
    place = Place(Submission(tmp_path, "7", (("s",),)), 0)
    assert covers(place, JOB.only([((1.0,), (1.0,))]))
    assert not covers(place, dataclasses.replace(JOB, levels=((0.5,),)))


def test_a_submission_that_was_not_committed_is_none(tmp_path):
    Submission(tmp_path, "7", (("s",), ("t",)), 2).write()
    assert Submission.read(tmp_path).id(1) == "7_1"
    record = json.loads((tmp_path / "submission.json").read_text())
    (tmp_path / "submission.json").write_text(json.dumps({**record, "array": "8"}))
    assert Submission.read(tmp_path) is None


def test_what_was_handed_in_half_is_cancelled_once_and_removed(tmp_path, monkeypatch):
    told: list[tuple[str, ...]] = []
    answers = iter([False, True])
    monkeypatch.setattr(queue, "entries", dict)
    monkeypatch.setattr(queue, "command", lambda *words: told.append(words) or next(answers))
    old, fresh = (tmp_path / name for name in ("dialbench-old", "dialbench-fresh"))
    for folder in (old, fresh):
        (folder / "jobs").mkdir(parents=True)
    os.utime(old, (time.time() - 2 * queue.PATIENCE,) * 2)
    for left in ({old, fresh}, {fresh}, {fresh}):
        assert live(tmp_path) == {}
        assert set(tmp_path.iterdir()) == left
    assert told == [("scancel", "--name=dialbench-old")] * 2


def test_a_job_of_another_name_with_the_number_of_ours_is_not_ours(tmp_path, monkeypatch):
    Submission(tmp_path / "dialbench-x", "7", (("a",), ("b",))).write()
    shown = "7_0|PENDING|my-own-thing|Priority\n7_1|RUNNING|dialbench-x|None\n8|RUNNING|else|None\n"
    monkeypatch.setattr(queue, "_run", lambda *_: shown)
    assert queue.entries()["7_0"] == queue.Entry("my-own-thing", "PENDING", "Priority")
    assert set(live(tmp_path)) == {"b"}


def test_what_has_ended_is_not_followed_though_its_element_goes_on(tmp_path, monkeypatch):
    one = Submission(tmp_path / "dialbench-x", "7", (("a", "b"),))
    one.write()
    one.notes.end("a", None)
    one.notes.say("b", "3/9 steps")
    monkeypatch.setattr(queue, "_run", lambda *_: "7|RUNNING|dialbench-x|None\n")
    assert set(live(tmp_path)) == {"b"}


def test_only_what_is_long_over_is_removed(tmp_path, monkeypatch):
    names = ("dialbench-alive", "dialbench-fresh", "dialbench-over")
    for number, name in enumerate(names):
        Submission(tmp_path / name, str(number), (("a",),)).write()
    for name in ("dialbench-alive", "dialbench-over"):
        os.utime(tmp_path / name, (time.time() - 2 * OLD,) * 2)
    monkeypatch.setattr(queue, "_run", lambda *_: "0|RUNNING|dialbench-alive|None\n")
    assert set(live(tmp_path)) == {"a"}
    assert {path.name for path in tmp_path.iterdir()} == {*names[:2]}


def test_clusters_that_share_a_store_have_folders_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setattr(queue, "_run", lambda *_: "SlurmUser = x\nClusterName             = blue\n")
    assert own_folder(Store(tmp_path)) == tmp_path / "slurm" / "blue"
    monkeypatch.setattr(queue, "_run", lambda *_: "")
    with pytest.raises(UserError, match="does not answer"):
        own_folder(Store(tmp_path))


def test_the_log_of_an_element_is_named_where_there_is_one(tmp_path):
    place = Place(Submission(tmp_path, "7", (("a",), ("b",))), 1)
    (tmp_path / "log").mkdir()
    assert place.log() == tmp_path / "log"
    (tmp_path / "log" / "7_1_0_log.err").touch()
    assert place.log() == tmp_path / "log" / "7_1_0_log.err"
