"""Scratch folders of stages in training."""

import math
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmark.training import scratch, stopping

DEAD = 4_000_001
"""The number of no process."""


@pytest.fixture
def no_sleep(monkeypatch):
    """Fails where a process waits."""
    monkeypatch.setattr(scratch.time, "sleep", lambda _: pytest.fail("it waits"))


def quiet(text: str) -> None:
    """What is waited for is of no interest."""


def elsewhere(home: Path, silent: float, pid: int = 123) -> Path:
    """Returns a folder with a checkpoint of a process on another machine, silent for some seconds."""
    path = home / "scratch" / "k" / f"othernode-{pid}"
    path.mkdir(parents=True)
    (path / "last.ckpt").write_bytes(b"theirs")
    age(path, silent)
    return path


def age(path: Path, seconds: float) -> None:
    """Makes the last sign of life of a folder's owner so old."""
    os.utime(path, (time.time() - seconds,) * 2)


def here(monkeypatch, home: Path, pid: int) -> Path:
    """Returns the folder of a process of this machine in the midst of training."""
    with monkeypatch.context() as patch:
        patch.setattr(scratch.os, "getpid", lambda: pid)
        path = scratch._own(home, "k")
    path.mkdir(parents=True)
    (path / "last.ckpt").write_bytes(b"theirs")
    return path


def found(home: Path) -> bytes | None:
    """Returns the checkpoint from which this process goes on, and stores the stage."""
    with scratch.held(home, "k", quiet) as own:
        path = own / "last.ckpt"
        return path.read_bytes() if path.exists() else None


def test_checkpoints_of_a_dead_process_are_taken_over_and_those_of_a_living_one_are_not(
    tmp_path, monkeypatch, no_sleep
):
    monkeypatch.setattr(scratch, "_age", lambda _: 3 * scratch.SILENT)
    living = here(monkeypatch, tmp_path, os.getppid())
    # A process of this machine is asked for, however long its signs of life do not come through.
    age(living, 2 * scratch.SILENT)
    assert found(tmp_path) is None
    assert (living / "last.ckpt").read_bytes() == b"theirs"
    here(monkeypatch, tmp_path, DEAD)
    assert found(tmp_path) == b"theirs"
    assert [*living.parent.iterdir()] == [living]


def test_a_number_that_a_dead_process_had_before_gives_its_checkpoint(
    tmp_path, monkeypatch, no_sleep
):
    here(monkeypatch, tmp_path, os.getpid())
    assert found(tmp_path) == b"theirs"


def test_a_process_that_has_only_the_number_of_a_dead_one_keeps_nothing(
    tmp_path, monkeypatch, no_sleep
):
    with subprocess.Popen(["sleep", "60"]) as other:
        try:
            assert 0 <= scratch._age(other.pid) < 30
            age(here(monkeypatch, tmp_path, other.pid), 2 * scratch.SILENT)
            assert found(tmp_path) == b"theirs"
            assert not list(tmp_path.glob("scratch/*"))
        finally:
            other.kill()
    assert scratch._age(other.pid) == math.inf


def test_what_failed_or_was_stopped_is_taken_over_at_once(tmp_path, monkeypatch, no_sleep):
    with pytest.raises(stopping.Stopped), scratch.held(tmp_path, "k", quiet) as own:
        (own / "last.ckpt").write_bytes(b"left")
        raise stopping.Stopped(15)
    (left,) = (tmp_path / "scratch" / "k").iterdir()
    assert left.name.startswith(scratch.LEFT)
    assert found(tmp_path) == b"left"
    with pytest.raises(OSError), scratch.held(tmp_path, "k", quiet):
        raise OSError("nothing saved yet")
    assert not list(tmp_path.glob("scratch/*"))


def test_another_machine_that_is_silent_is_dead_whatever_the_clock_of_this_one_says(
    tmp_path, monkeypatch, no_sleep
):
    elsewhere(tmp_path, scratch.SILENT + 1)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - 3600)
    assert found(tmp_path) == b"theirs"


def test_what_was_taken_over_has_an_owner_from_then_on(tmp_path, no_sleep):
    elsewhere(tmp_path, 2 * scratch.SILENT)
    with scratch.held(tmp_path, "k", quiet) as own:
        assert (own / "last.ckpt").read_bytes() == b"theirs"
        assert time.time() - own.stat().st_mtime < scratch.SILENT


def test_another_machine_that_gives_a_sign_of_life_keeps_its_checkpoint(tmp_path, monkeypatch):
    path = elsewhere(tmp_path, 20)
    waits = iter([lambda: age(path, 25), lambda: age(path, 0)])
    monkeypatch.setattr(scratch.time, "sleep", lambda _: next(waits)())
    assert found(tmp_path) is None
    assert [*path.parent.iterdir()] == [path] and next(waits, None) is None


def test_another_machine_that_died_a_moment_ago_is_waited_for_until_that_is_sure(
    tmp_path, monkeypatch
):
    path, told = elsewhere(tmp_path, 5), []
    silences = iter((60, 120, scratch.SILENT + 1))
    monkeypatch.setattr(scratch.time, "sleep", lambda _: age(path, next(silences)))
    with scratch.held(tmp_path, "k", told.append) as own:
        assert (own / "last.ckpt").read_bytes() == b"theirs"
    assert len(told) == 3 and "othernode-123" in told[0]
    assert not list(tmp_path.glob("scratch/*"))


def test_a_sign_of_life_from_before_the_clock_was_set_back_says_nothing(tmp_path, monkeypatch):
    path, told = elsewhere(tmp_path, -3600), []
    silences = iter((100 - 3600, scratch.SILENT + 1 - 3600))
    monkeypatch.setattr(scratch.time, "sleep", lambda _: age(path, next(silences)))
    with scratch.held(tmp_path, "k", told.append) as own:
        assert (own / "last.ckpt").read_bytes() == b"theirs"
    assert [line.split()[2] for line in told] == [f"{scratch.SILENT}", f"{scratch.SILENT - 100}"]


def test_the_newest_of_several_checkpoints_is_taken_and_the_others_go(tmp_path, no_sleep):
    for pid, seconds in ((1, 5000), (2, 4000), (3, 6000)):
        path = elsewhere(tmp_path, 1000, pid)
        (path / "last.ckpt").write_bytes(f"{pid}".encode())
        age(path / "last.ckpt", seconds)
        age(path, 1000)
    assert found(tmp_path) == b"2"
    assert not list(tmp_path.glob("scratch/*"))


def test_who_trains_gives_signs_of_life(tmp_path, monkeypatch):
    monkeypatch.setattr(scratch, "BEAT", 0.01)
    with scratch.held(tmp_path, "k", quiet) as own:
        age(own, 1000)
        end = time.monotonic() + 30
        while time.time() - own.stat().st_mtime > 500:
            assert time.monotonic() < end, "no sign of life"
            time.sleep(0.01)


def test_a_process_that_ended_and_that_nobody_asked_about_is_dead(tmp_path, monkeypatch, no_sleep):
    child = subprocess.Popen([sys.executable, "-c", ""])
    try:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        here(monkeypatch, tmp_path, child.pid)
        assert found(tmp_path) == b"theirs"
    finally:
        child.wait()


def test_a_newer_checkpoint_that_may_have_an_owner_is_waited_for(tmp_path, monkeypatch):
    old, new = elsewhere(tmp_path, 1000, 1), elsewhere(tmp_path, 20, 2)
    for path, seconds in ((old, 5000), (new, 100)):
        (path / "last.ckpt").write_bytes(path.name.encode())
        age(path / "last.ckpt", seconds)
    age(old, 1000)
    age(new, 20)
    monkeypatch.setattr(scratch.time, "sleep", lambda _: age(new, scratch.SILENT + 1))
    assert found(tmp_path) == b"othernode-2"
