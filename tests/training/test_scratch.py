"""Scratch folders of stages in training."""

import os

from benchmark.training import scratch


def test_checkpoints_of_a_dead_process_are_taken_over_and_those_of_a_living_one_are_not(
    tmp_path, monkeypatch
):
    (scratch.folder(tmp_path, "k") / "last.ckpt").write_bytes(b"mine")
    living = os.getpid()
    monkeypatch.setattr(scratch.os, "getpid", lambda: 4_000_001)
    second = scratch.folder(tmp_path, "k")
    assert list(second.iterdir()) == []
    (second / "last.ckpt").write_bytes(b"second")
    monkeypatch.setattr(scratch.os, "getpid", lambda: living)
    scratch.clear(tmp_path, "k")
    assert (scratch.folder(tmp_path, "k") / "last.ckpt").read_bytes() == b"second"
