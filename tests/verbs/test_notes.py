"""Notes beside a report: what is not stored, and which report it replaces."""

import errno
import shutil
from pathlib import Path

import pytest

from benchmark import cli, records
from benchmark.errors import JobError

SMOKE = ("--preset", "smoke", "--set", "steps=2", "--offline")


@pytest.fixture(scope="module")
def trained(tmp_path_factory, at_home):
    """A store with two methods at two levels, and their report."""
    folder = tmp_path_factory.mktemp("notes") / "runs"
    with at_home(folder):
        run = ["run", "denoise", "--methods", "floor,dni", "--levels", "0.2,0.6", *SMOKE]
        assert cli.main([*run, "--jobs", "1"]) == 0
    return folder


@pytest.fixture
def stored(trained, home, capsys):
    """Returns what a verb answers about a copy of that store: exit code and errors."""
    shutil.copytree(trained, home)

    def call(*words: str) -> tuple[int, str]:
        code = cli.main([*words, *SMOKE])
        return code, capsys.readouterr().err

    return call


def test_a_report_says_what_was_asked_for_and_is_not_stored(stored):
    report = ("report", "denoise")
    every = ("--methods", "floor,dni", "--levels", "0.2,0.6")
    assert stored(*report, *every) == (0, "")
    more = ("--methods", "floor,dni,ftn", "--levels", "0.2,0.6,0.8,1", "--seeds", "0,7")
    assert stored(*report, *more) == (0, "note: not stored: ftn; levels 0.8, 1; seed 7\n")
    code, err = stored(*report, *every, "--matrix")
    assert (code, err) == (0, "note: not stored: the level x dial matrix\n")
    code, err = stored(*report, "--methods", "experts,floor", "--levels", "0.2,0.3")
    assert "note: experts: answers only at levels 0.2, 0.6, 1" in err
    assert code == 0 and "note: not stored: experts; level 0.3\n" in err
    code, err = stored(*report, "--methods", "ftn")
    assert code == 2 and err.startswith("dialbench: nothing is stored for this request")


def test_what_is_missing_of_one_method_only_is_counted(stored):
    assert stored("run", "denoise", "--methods", "dni", "--levels", "0.8,1")[0] == 0
    code, err = stored("report", "denoise", "--methods", "floor,dni", "--levels", "0.2,0.8,1")
    assert (code, err) == (0, "note: not stored: 2 cells of floor\n")


def test_publish_says_it_too_and_of_which_task(stored, monkeypatch):
    from benchmark import tracking

    monkeypatch.setattr(tracking, "mirror", lambda *_: tracking.Said("done"))
    methods = ("--methods", "floor,dni,ftn", "--levels", "0.2,0.6")
    assert stored("publish", "denoise", *methods) == (0, "note: not stored: ftn\n")
    assert stored("publish", *methods) == (0, "note: denoise: not stored: ftn\n")


def test_a_report_that_replaces_one_with_more_says_so(stored, home):
    floor = ("--methods", "floor", "--levels", "0.2,0.6")
    said = (
        "note: this replaces the report of smoke:steps=2, small:blocks=2:width=8, builtin with {}\n"
    )
    assert stored("report", "denoise", *floor) == (0, said.format("2 methods"))
    assert stored("report", "denoise", *floor) == (0, "")
    code, err = stored("run", "denoise", *floor, "--set", "batch=3", "--jobs", "1")
    assert code == 0 and said.format("1 method") in err
    (home / "report" / "denoise" / "table.csv").write_bytes(b"\xff\0")
    assert stored("report", "denoise", "--methods", "floor,dni", "--levels", "0.2,0.6") == (0, "")


def test_a_report_elsewhere_needs_no_store_that_can_be_written(stored, home, tmp_path, monkeypatch):
    def refused(self, *args, **kwargs):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "write_bytes", refused)
    (home / "leakage").rename(home / "moved")
    (home / "leakage").touch()
    methods = ("--methods", "floor,dni", "--levels", "0.2,0.6")
    assert stored("report", "denoise", *methods, "--to", str(tmp_path / "mine")) == (0, "")
    assert (tmp_path / "mine" / "index.html").is_file()
    code, err = stored("report", "denoise", *methods)
    assert code == 2 and f"cannot write to {home}" in err


def test_a_report_goes_where_it_is_asked_to_and_spoils_nothing(stored, home, tmp_path):
    methods = ("--methods", "floor,dni", "--levels", "0.2,0.6")
    usual, kept = home / "report", tmp_path / "a" / "kept"
    before = {path: path.stat().st_mtime_ns for path in usual.rglob("*") if path.is_file()}
    assert stored("report", "denoise", *methods, "--to", str(kept)) == (0, "")
    for name in ("index.html", "table.csv", "pd_curve.svg"):
        assert (kept / name).read_bytes() == (usual / "denoise" / name).read_bytes()
    assert [path.name for path in kept.parent.iterdir()] == ["kept"]
    assert {path: path.stat().st_mtime_ns for path in before} == before

    code, err = stored("report", "denoise", "--methods", "floor", "--to", str(kept))
    assert code == 0 and "note: this replaces the report of smoke:steps=2" in err
    (own := tmp_path / "own").mkdir()
    (own / "index.html").write_text("mine")
    code, err = stored("report", "denoise", *methods, "--to", str(own))
    assert code == 2 and err.endswith(
        "holds files that are no report's; name a new folder with --to\n"
    )
    assert [(path.name, path.read_text()) for path in own.iterdir()] == [("index.html", "mine")]
    code, err = stored("report", "denoise", *methods, "--to", str(own / "index.html"))
    assert code == 2 and err.endswith("is no folder; name another with --to\n")


def test_a_report_that_was_cut_off_is_written_again_where_it_lies(stored, tmp_path, monkeypatch):
    words = ("report", "denoise", "--methods", "floor,dni", "--to", str(tmp_path / "kept"))
    write = records.write

    def full(path, blob):
        if path.name == "pd_curve.svg":
            raise JobError("the disk is full")
        write(path, blob)

    with monkeypatch.context() as patch:
        patch.setattr(records, "write", full)
        assert stored(*words, "--levels", "0.2,0.6")[0] == 1
    assert not (tmp_path / "kept" / "index.html").exists()
    assert stored(*words, "--levels", "0.2,0.6") == (0, "")
    assert (tmp_path / "kept" / "index.html").is_file()


@pytest.mark.parametrize("facts", ['{"study": "paths"}', "mine", "[]"])
def test_a_folder_with_other_facts_is_no_reports(facts, stored, tmp_path):
    (tmp_path / "about.json").write_text(facts)
    code, err = stored("report", "denoise", "--methods", "floor,dni", "--to", str(tmp_path))
    assert code == 2 and "holds files that are no report's" in err
    assert (tmp_path / "about.json").read_text() == facts


def test_a_report_of_another_task_is_not_replaced_in_silence(stored, home, tmp_path):
    shutil.copytree(home / "report" / "denoise", kept := tmp_path / "kept")
    about = (kept / "about.json").read_text()
    (kept / "about.json").write_text(about.replace('"denoise"', '"dejpeg"'))
    words = ("report", "denoise", "--methods", "floor,dni", "--levels", "0.2,0.6")
    code, err = stored(*words, "--to", str(kept))
    assert code == 0 and "note: this replaces the report of dejpeg, smoke:steps=2" in err
    assert stored(*words, "--to", str(kept)) == (0, "")
