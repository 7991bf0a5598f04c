"""Against a base, nothing that is there may change or vanish."""

import gzip
import shutil
import subprocess

import pytest

from benchmark import cli
from benchmark.leaderboard import entry, proof, rows, synthetic
from benchmark.leaderboard.base import compare


@pytest.fixture(params=["folder", "git"])
def base(request, boards, put, tmp_path):
    """Two entries that are there already, and the base that knows them."""
    put(), put(method="ftn")
    if request.param == "folder":
        shutil.copytree(boards, tmp_path / "before")
        return str(tmp_path / "before")
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "x"]):
        who = ["-c", "user.name=x", "-c", "user.email=x@localhost"]
        subprocess.run(["git", "-C", str(boards), *who, *words], check=True)
    return "HEAD"


@pytest.fixture
def path(boards, base):
    return next((boards / "sr" / "entries").glob("dni-*"))


def moved(path, by: float) -> bytes:
    """Returns the text of the rows with one value moved."""
    lines = gzip.decompress((path / rows.NAME).read_bytes()).splitlines()
    start, _, value = lines[3].rpartition(b",")
    lines[3] = start + b"," + f"{float(value) + by:.6f}".encode()
    return b"\n".join(lines) + b"\n"


def test_new_entries_are_welcome(boards, base, put):
    put(method="adafm")
    assert compare(boards, base, False) == []


def test_a_removed_entry_is_named(boards, base, path):
    shutil.rmtree(path)
    assert compare(boards, base, False) == [f"sr/entries/{path.name}: removed; entries stay"]


def test_a_value_may_move_by_no_more_than_epsilon(boards, base, path, reseal):
    reseal(path, moved(path, 0.00005))
    assert compare(boards, base, False) == []
    reseal(path, moved(path, 0.05))
    (fault,) = compare(boards, base, False)
    assert "1 value changed by more than 0.0001, row psnr-y601,made-up,0,0,0,img_003" in fault


def test_no_fact_changes_and_no_status_unless_told(boards, base, path, edit):
    edit(path, licence="GPL-3.0")
    assert [one.partition(": ")[2] for one in compare(boards, base, False)] == [
        "licence changed; an entry stays as it is, make another one"
    ]
    edit(path, licence="MIT")
    files = {one.name: one.read_bytes() for one in path.iterdir() if one.is_file()}
    (path / proof.NAME).write_bytes(synthetic.proven(files, "reproduced"))
    assert "verified.json is not as it was" in compare(boards, base, False)[0]
    assert compare(boards, base, True) == []


def test_a_metric_may_be_added_but_not_removed(boards, base, path):
    def replace(metrics):
        for name, blob in synthetic.make(metrics=metrics).items():
            (path / name).write_bytes(blob)

    before = {name: (path / name).read_bytes() for name in (entry.NAME, rows.NAME, "card.md")}
    replace(4)
    assert "lpips" not in compare(boards, base, False)[0]
    assert "metrics: niqe@dialbench-bsds, colour-drift removed" in compare(boards, base, False)[0]
    for name, blob in before.items():
        (path / name).write_bytes(blob)
    assert compare(boards, base, False) == []


def test_a_new_entry_cannot_say_that_it_was_reproduced(boards, base, put):
    put(method="adafm", status="reproduced")
    assert "a new entry has no verified.json" in compare(boards, base, False)[0]
    assert compare(boards, base, True) == []


def test_a_damaged_entry_is_a_fault_not_a_crash(boards, base, path):
    (path / entry.NAME).write_bytes(b"{")
    assert "cannot be compared with the base" in compare(boards, base, False)[0]


def test_a_folder_in_the_place_of_a_file_is_a_fault_not_a_crash(boards, base, path):
    (path / proof.NAME).unlink(missing_ok=True)
    (path / proof.NAME).mkdir()
    assert "verified.json: not a file" in compare(boards, base, False)[0]


def test_one_entry_can_be_compared_alone(base, path, edit):
    there = f"{base}/sr/entries/{path.name}" if base != "HEAD" else base
    assert compare(path, there, False) == []
    edit(path, licence="GPL-3.0")
    assert len(compare(path, there, False)) == 1


def test_a_base_that_is_none_is_bad_usage(boards, base, capsys):
    for wrong in ("no-such-thing", "--help"):
        assert cli.main(["board", "check", str(boards), f"--base={wrong}"]) == 2
        assert "no git revision of" in capsys.readouterr().err
    assert cli.main(["board", "check", str(boards), "--base=./no-such-folder"]) == 2
    assert "there is no such folder" in capsys.readouterr().err


def test_what_keeps_git_from_answering_is_said(boards, capsys, monkeypatch):
    words = ["board", "check", str(boards), "--base=HEAD"]
    assert cli.main(words) == 2
    assert "(fatal: not a git repository" in capsys.readouterr().err
    monkeypatch.setenv("PATH", str(boards))
    assert cli.main(words) == 2
    assert "git is not installed here; install it, or give a folder" in capsys.readouterr().err
