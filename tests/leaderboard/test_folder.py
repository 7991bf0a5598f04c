"""Folders of entries: what may lie where, and that nothing in them leads elsewhere."""

import json
import os
import shutil
import time

import pytest

from benchmark.leaderboard import assemble, check, entry, rows, synthetic
from benchmark.store import STALE


@pytest.mark.parametrize(
    "name", ["../../x.safetensors", "/etc/passwd", "weights/../../x.safetensors", "C:\\x"]
)
def test_a_path_that_leaves_the_folder_is_refused(put, faults, edit, name):
    path = put()
    weights = json.loads((path / entry.NAME).read_bytes())["weights"]
    edit(path, weights=[{**weights[0], "file": name}])
    assert (
        "weights: file: is a path that leaves the folder" in faults(path)[0]
        or "code" in faults(path)[0]
    )


def test_links_hidden_and_unknown_files_are_refused(put, faults, tmp_path):
    path = put()
    (tmp_path / "secret").write_text("x")
    (path / "notes.txt").write_text("x")
    (path / ".hidden").write_text("x")
    (path / "more").mkdir()
    os.mkfifo(path / "pipe")
    (path / "weights" / "link.safetensors").symlink_to(tmp_path / "secret")
    assert sorted(faults(path)) == [
        ".hidden: a hidden file",
        "more: unknown folder",
        "notes.txt: unknown file",
        "pipe: neither a file nor a folder",
        "weights/link.safetensors: a symbolic link, which may lead out of the folder",
    ]


def test_a_linked_entry_file_is_refused(put, faults, tmp_path):
    path = put()
    shutil.move(path / rows.NAME, tmp_path / "rows")
    (path / rows.NAME).symlink_to(tmp_path / "rows")
    assert faults(path) == ["rows.csv.gz: a symbolic link, which may lead out of the folder"]


def test_a_folder_in_the_place_of_a_board_is_a_fault(put, boards):
    put()
    (boards / "sr" / "board.csv").mkdir()
    assert "sr/board.csv: unknown folder" in check.check(boards).faults


def test_an_entry_lies_in_the_folder_of_its_name(put, faults):
    path = put()
    moved = path.with_name("elsewhere-00000000")
    path.rename(moved)
    assert "lies in a folder of elsewhere-00000000" in faults(moved)[0]


def test_nothing_is_written_half_or_over(boards, put, monkeypatch):
    files = synthetic.make()
    name = entry.parse(files[entry.NAME]).id
    with pytest.raises(assemble.UserError, match="cannot be an entry: notes: unknown file"):
        assemble.place(boards, "sr", name, {**files, "notes": b"x"})
    assert list((boards / "sr" / "entries").iterdir()) == []
    assert assemble.place(boards, "sr", name, files)[1]
    assert not assemble.place(boards, "sr", name, files)[1]
    with pytest.raises(assemble.UserError, match="holds other numbers of the same run"):
        assemble.place(boards, "sr", name, synthetic.make(quality=1.0))


def test_an_entry_that_was_half_written_is_told_to_be_removed_and_goes_after_an_hour(boards, put):
    path = put()
    left = path.with_name(f".{'0' * 32}.tmp")
    left.mkdir()
    (fault,) = (one for one in check.check(boards).faults if left.name in one)
    assert fault.endswith("was killed; remove it, as others do after an hour")
    for old, there in ((0, True), (STALE + 9, False)):
        os.utime(left, (time.time() - old,) * 2)
        assemble.place(boards, "sr", path.name, synthetic.make())
        assert left.exists() is there


def test_whatever_has_no_place_in_the_folders_is_named(boards, put):
    put()
    (boards / "README.md").write_text("x")
    (boards / "x.html").write_text("x")
    (boards / "sr" / "index.html").write_text("x")
    (boards / "sr" / "entries" / "loose").write_text("x")
    (boards / "Strange").mkdir()
    assert [fault for fault in check.check(boards).faults if "board" not in fault] == [
        "Strange: unknown folder",
        "sr/entries/loose: unknown file",
        "sr/index.html: unknown file",
        "x.html: unknown file",
    ]
