"""The store: atomic, self-healing, without locks."""

import contextlib
import errno
import os
import shutil
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load

from benchmark import records
from benchmark import store as storing
from benchmark.errors import Failure, JobError, UserError
from benchmark.store import NEEDS, Cell, Row, Store
from benchmark.training.scratch import SILENT

STATE = {"w": torch.arange(6.0).reshape(2, 3), "b": torch.ones(2)}


@pytest.fixture
def store(tmp_path) -> Store:
    found = Store(tmp_path / "runs")
    found.prepare()
    return found


def cell(key: str = "c1", **changes) -> Cell:
    row = Row("a", "psnr-rgb", 30.0, "ok", "")._replace(**changes)
    pictures = {"image": "a", "restored": f"{key}.png", "input": "i.png", "clean": "o.png"}
    return Cell(key, {"method": "m"}, (row,), {"macs": 1}, pictures)


def written(store: Store) -> Cell:
    for name in ("c1.png", "i.png", "o.png"):
        store.write_picture("sr", name, b"png")
    store.write_cell("sr", cell())
    return cell()


def test_a_stage_comes_back_as_it_was_stored(store):
    store.write_stage("k", STATE, {"steps": 4})
    found = store.read_stage("k")
    assert found.facts == {"steps": 4}
    loaded = store.load_stage("k")
    assert all(torch.equal(loaded[name], STATE[name]) for name in STATE)


def test_tensors_that_are_one_come_back_under_every_name(store):
    shared = torch.arange(6.0).view(2, 3)
    state = {"first": shared, "again": shared, "turned": shared.T}
    store.write_stage("a", state, {})
    back = store.load_stage("a")
    assert all(torch.equal(back[name], own) for name, own in state.items())
    assert len(back) == len(state)


def test_the_same_weights_have_the_same_hash(store):
    store.write_stage("a", STATE, {"steps": 4})
    store.write_stage("b", dict(reversed(STATE.items())), {"steps": 9})
    assert store.read_stage("a").weights_sha256 == store.read_stage("b").weights_sha256


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path):
    blob = bytearray(path.read_bytes())
    blob[len(blob) // 2] ^= 1
    path.write_bytes(bytes(blob))


DAMAGES = {
    "gone": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "cut": cut,
    "flipped": flip,
    "other": lambda path: path.write_text("[1, 2]"),
}


@pytest.mark.parametrize("file", ["stage.json", "model.safetensors"])
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_stage_counts_as_missing_and_is_replaced(store, damage, file):
    store.write_stage("k", STATE, {"steps": 4})
    damage(store.stage_folder("k") / file)
    assert store.read_stage("k") is None
    with pytest.raises(JobError, match="run again"):
        store.load_stage("k")
    store.write_stage("k", STATE, {"steps": 4})
    assert store.read_stage("k") is not None


OTHER = {"w": torch.zeros(2, 3), "b": torch.ones(2)}


class Killed(Exception):
    pass


def files(store: Store) -> set[str]:
    return {path.name for path in store.stage_folder("k").iterdir()}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("age", [0, 3600])
def test_weights_that_are_damaged_after_they_were_read_are_noticed(store, damage, age):
    store.write_stage("k", STATE, {"steps": 4})
    path = store.stage_folder("k") / "model.safetensors"
    os.utime(path, (time.time() - age,) * 2)
    assert store.read_stage("k") is not None
    damage(path)
    assert store.read_stage("k") is None
    store.write_stage("k", OTHER, {"steps": 4})
    assert store.read_stage("k") is not None


def test_a_change_within_a_tick_of_the_disks_clock_is_noticed(store):
    store.write_stage("k", STATE, {"steps": 4})
    path = store.stage_folder("k") / "model.safetensors"
    assert store.read_stage("k") is not None
    told = path.stat().st_mtime_ns
    flip(path)
    os.utime(path, ns=(told, told))
    assert store.read_stage("k") is None


@pytest.mark.parametrize("steps", [0, 1, 2, 3])
def test_a_stage_can_be_read_wherever_its_replacement_is_killed(store, steps, monkeypatch):
    store.write_stage("k", STATE, {"steps": 4})
    left = iter(range(steps))

    def killed(path, blob, write=storing.write):
        if next(left, None) is None:
            raise Killed
        write(path, blob)

    with monkeypatch.context() as patch, contextlib.suppress(Killed):
        for module in (records, storing):
            patch.setattr(module, "write", killed)
        store.write_stage("k", OTHER, {"steps": 9})
    expected, facts = (OTHER, {"steps": 9}) if steps == 3 else (STATE, {"steps": 4})
    assert store.read_stage("k").facts == facts
    assert torch.equal(store.load_stage("k")["w"], expected["w"])
    assert torch.equal(load(store.weights_path("k").read_bytes())["w"], expected["w"])
    for state in (STATE, OTHER):
        store.write_stage("k", state, {"steps": 1})
        assert torch.equal(store.load_stage("k")["w"], state["w"])
        assert files(store) == {"model.safetensors", "stage.json"}


def test_what_another_run_keeps_while_it_replaces_a_stage_stays(store):
    store.write_stage("k", STATE, {"steps": 4})
    folder = store.stage_folder("k")
    sha = store.read_stage("k").weights_sha256
    kept = folder / f"replaced-{'0' * 64}.safetensors"
    kept.write_bytes(b"of another run")
    store.write_stage("k", OTHER, {"steps": 9})
    assert kept.exists() and not (folder / f"replaced-{sha}.safetensors").exists()


def test_of_two_runs_that_write_a_stage_at_once_one_is_whole(store, monkeypatch):
    waiting, write_json = [OTHER], storing.write_json

    def overtaken(path, record):
        if waiting:
            store.write_stage("k", waiting.pop(), {"steps": 9})
        write_json(path, record)

    monkeypatch.setattr(storing, "write_json", overtaken)
    store.write_stage("k", STATE, {"steps": 4})
    assert store.read_stage("k").facts == {"steps": 4}
    assert torch.equal(store.load_stage("k")["w"], STATE["w"])
    assert files(store) == {"model.safetensors", "stage.json"}


def test_a_stage_that_is_replaced_while_it_is_read_is_the_one_or_the_other(store, monkeypatch):
    store.write_stage("k", STATE, {"steps": 4})
    reading, waiting = storing.read_json, [OTHER]

    def overtaken(path):
        record = reading(path)
        if waiting:
            store.write_stage("k", waiting.pop(), {"steps": 9})
        return record

    monkeypatch.setattr(storing, "read_json", overtaken)
    assert store.read_stage("k").facts == {"steps": 9}
    waiting.append(STATE)
    assert torch.equal(store.load_stage("k")["w"], STATE["w"])


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_cell_counts_as_missing_and_is_replaced(store, damage):
    expected = written(store)
    assert store.read_cell("sr", "c1") == expected
    damage(store.cell_path("sr", "c1"))
    assert store.read_cell("sr", "c1") is None
    store.write_cell("sr", expected)
    assert store.read_cell("sr", "c1") == expected


def test_a_cell_without_its_picture_counts_as_missing(store):
    written(store)
    store.picture_path("sr", "c1.png").unlink()
    assert store.read_cell("sr", "c1") is None


def test_a_forgotten_cell_takes_its_own_pictures_along_and_leaves_those_of_others(store):
    written(store)
    for name in ("c1-map.png", "c1-single.png", "c12.png"):
        store.write_picture("sr", name, b"png")
    store.forget_cell("sr", "c1")
    left = {path.name for path in (store.home / "cells" / "sr").iterdir()}
    assert left == {"i.png", "o.png", "c12.png"}


def test_a_record_of_another_schema_counts_as_missing(store, monkeypatch):
    written(store)
    monkeypatch.setattr(records, "SCHEMA", records.SCHEMA + 1)
    assert store.read_cell("sr", "c1") is None


def test_a_cell_lacks_metrics_that_are_new_or_can_be_had_now():
    both = ["psnr-rgb", "niqe"]
    assert cell().without(["psnr-rgb"], {}) == []
    assert cell().without(both, {"niqe": "no weights"}) == ["niqe"]
    null = cell(metric="niqe", status="unavailable", value=None)
    assert null.without(["niqe"], {"niqe": "still no weights"}) == []
    assert null.without(["niqe"], {"niqe": None}) == ["niqe"]
    assert cell(status="failed", value=None).without(["psnr-rgb"], {}) == []


def test_a_cell_lacks_metrics_of_networks_that_were_imported_later():
    old = Cell("c1", {NEEDS + "psnr-rgb": "abc"}, cell().rows, {}, {})
    assert old.without(["psnr-rgb"], {}, {"psnr-rgb": "abc"}) == []
    assert old.without(["psnr-rgb"], {}, {"psnr-rgb": "abd"}) == ["psnr-rgb"]
    assert cell().without(["psnr-rgb"], {}, {"psnr-rgb": "abc"}) == ["psnr-rgb"]


def test_a_failed_write_leaves_the_old_content_and_no_temporary_file(tmp_path, monkeypatch):
    path = tmp_path / "file"
    records.write(path, b"old")

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(JobError, match="disk is full"):
        records.write(path, b"new")
    assert path.read_bytes() == b"old"
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_old_temporary_files_are_swept_and_fresh_ones_kept(store):
    folder = store.home / "stages" / "k"
    folder.mkdir(parents=True)
    old, fresh = f".cell.json.{'0' * 32}.tmp", f".{'1' * 32}.tmp"
    # Whoever points DIALBENCH_HOME at a folder of theirs keeps their files.
    for name, age in ((old, 2 * storing.STALE), (fresh, 0), ("mine.tmp", 2 * storing.STALE)):
        (folder / name).write_bytes(b"")
        os.utime(folder / name, (time.time() - age,) * 2)
    store.prepare()
    assert {one.name for one in folder.iterdir()} == {fresh, "mine.tmp"}


def test_a_clock_ahead_of_that_of_the_disk_makes_no_file_old(store, monkeypatch):
    fresh = store.home / f".{'1' * 32}.tmp"
    fresh.write_bytes(b"")
    ahead = time.time() + 2 * storing.STALE
    monkeypatch.setattr(time, "time", lambda: ahead)
    store.prepare()
    assert fresh.exists()


def test_checkpoints_that_nobody_uses_go_once_their_stage_is_stored(store):
    store.write_stage("done", {"w": torch.zeros(1)}, {})
    kept = set()
    for key, owner, silent in (
        ("done", "left-1", 0),
        ("done", "othernode-1", 2 * SILENT),
        ("done", "othernode-2", 0),
        ("missing", "othernode-1", 2 * SILENT),
    ):
        folder = store.home / "scratch" / key / owner
        folder.mkdir(parents=True)
        (folder / "last.ckpt").write_bytes(b"")
        os.utime(folder, (time.time() - silent,) * 2)
        if key == "missing" or owner == "othernode-2":
            kept.add(folder)
    store.prepare()
    assert {*store.home.glob("scratch/*/*")} == kept


def test_folders_that_vanish_while_a_store_is_swept_are_no_trouble(store, monkeypatch):
    for name in ("a", "b"):
        (store.home / "scratch" / name).mkdir(parents=True)
    walk = os.walk

    def vanishing(top):
        for found in walk(top):
            yield found
            shutil.rmtree(store.home / "scratch", ignore_errors=True)

    monkeypatch.setattr(os, "walk", vanishing)
    store.prepare()
    assert not (store.home / "scratch").exists()


def test_a_store_that_cannot_be_written_to_is_one_sentence(tmp_path):
    (tmp_path / "runs").write_text("in the way")
    with pytest.raises(UserError, match="DIALBENCH_HOME"):
        Store(tmp_path / "runs").prepare()


def test_failures_are_recorded_and_cleared(store):
    failure = Failure("ftn", "small", 0, "the loss is not finite", "Traceback ...")
    store.write_failure("k", failure)
    assert store.read_failure("k") == failure
    assert store.read_failure("k").trace == "Traceback ..."
    store.clear_failure("k")
    assert store.read_failure("k") is None


def test_dialbench_home_moves_the_store(monkeypatch, tmp_path):
    monkeypatch.setenv("DIALBENCH_HOME", str(tmp_path / "elsewhere"))
    assert Store().home == tmp_path / "elsewhere"
    monkeypatch.setenv("DIALBENCH_HOME", "~/runs")
    assert Store().home == Path("~/runs").expanduser()
