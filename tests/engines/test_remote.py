"""Notes of jobs that run elsewhere."""

import pytest

from benchmark.engines import remote
from benchmark.engines.remote import Note, Notes, perform_noted
from benchmark.errors import Failure, JobError
from benchmark.records import write_json
from benchmark.store import Store
from benchmark.training.stage import start_stage


@pytest.fixture
def disk(monkeypatch):
    """A disk that is full for as many writes as ``disk.full`` says."""

    class Disk:
        def __init__(self):
            self.full, self.slept = 0, []

        def write(self, path, record):
            if self.full:
                self.full -= 1
                raise JobError("the disk is full")
            write_json(path, record)

    one = Disk()
    monkeypatch.setattr(remote, "write_json", one.write)
    monkeypatch.setattr(remote.time, "sleep", one.slept.append)
    return one


def test_a_line_that_cannot_be_written_ends_nothing(tmp_path, disk):
    notes = Notes(tmp_path)
    notes.say("a", "1/3 steps")
    disk.full = 1
    notes.say("a", "2/3 steps")
    assert notes.read("a") == Note("1/3 steps", False, None)
    notes.say("a", "3/3 steps")
    assert notes.read("a") == Note("3/3 steps", False, None) and not disk.slept


def test_the_end_is_tried_until_it_can_be_written(tmp_path, disk):
    notes, disk.full = Notes(tmp_path), 2
    notes.end("a", "why")
    assert notes.read("a") == Note("", True, "why")
    assert disk.slept == [*remote.PAUSES[:2]]
    disk.full = 99
    with pytest.raises(JobError, match="full"):
        notes.end("b", None)
    assert notes.read("b") is None


def test_notes_are_written_every_few_seconds_only(tmp_path, monkeypatch, train_job):
    from benchmark.config import preset

    clock, found = iter(range(100)), []
    monkeypatch.setattr(remote.time, "monotonic", lambda: next(clock))

    def perform(job, store, say):
        for step in range(12):
            say(f"{step}")

    class Kept(Notes):
        def say(self, key, text):
            found.append(text)

    monkeypatch.setattr(remote, "perform", perform)
    job, notes = train_job("denoise", start_stage(), preset("smoke")), Kept(tmp_path)
    perform_noted(job, Store(tmp_path), notes)
    assert found[0] == "" and 1 < len(found) < 5
    assert notes.read(job.key) == Note("", True, None)


def test_what_needs_a_stage_that_failed_fails_for_the_same_reason(tmp_path, train_job):
    from benchmark.config import preset

    job = train_job("sr", start_stage(), preset("smoke"), start_key="s")
    store, notes = Store(tmp_path / "runs"), Notes(tmp_path)
    perform_noted(job, store, notes)
    assert notes.read(job.key) == Note("", True, "stage s is missing; run again to train it")
    store.write_failure("s", Failure("ftn", "small", 0, "no luck"))
    perform_noted(job, store, notes)
    assert notes.read(job.key).failure == store.read_failure(job.key).reason == "no luck"
