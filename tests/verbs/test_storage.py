"""``dialbench store``: what is stored, and clearing some of it."""

import os
import re
from pathlib import Path

import pytest

from benchmark import cli
from benchmark.store import Store

SMOKE = ("--preset", "smoke", "--set", "steps=2", "--levels", "0.2,1", "--offline", "--jobs", "1")
RUN = ("run", "denoise", "--methods", "dni,adafm,floor", *SMOKE)


@pytest.fixture
def filled(home, capsys):
    """A store that holds a run; returns what ``dialbench store`` answers: code, output, errors."""
    assert cli.main(RUN) == 0

    def call(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        return (cli.main(["store", *words]), *capsys.readouterr())

    return call


def rows(text: str) -> dict[str, tuple[str, ...]]:
    """Returns stages and cells by method, of the lines of the table."""
    lines = [re.split(r" {2,}", line) for line in text.splitlines() if line.startswith("denoise ")]
    return {line[3]: (line[5], line[6]) for line in lines}


def files(home) -> set[str]:
    return {str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()}


def test_every_file_is_counted_once_under_the_names_that_commands_take(filled, home):
    code, out, _ = filled()
    assert code == 0
    assert rows(out) == {
        "adafm": ("1", "2"),
        "dni": ("0", "2"),
        "floor": ("0", "2"),
        "shared": ("2", "0"),
    }
    assert "denoise  smoke:steps=2  small" in out
    *_, last = out.splitlines()
    told = sum(float(number) for number in re.findall(r" (\d+\.\d)\b", last.split(":", 1)[1]))
    size = sum(path.stat().st_size for path in home.rglob("*") if path.is_file())
    assert told == pytest.approx(size / 1e6, abs=0.05 * (last.count(",") + 1))


def test_what_is_cleared_is_done_again_and_ends_in_the_same_table(filled, home):
    table = home / "report" / "denoise" / "rows.csv"
    before, there = table.read_bytes(), files(home)
    code, out, _ = filled("clear", "--methods", "adafm,flo*")
    assert code == 0 and set(rows(out)) == {"adafm", "floor"}
    gone = there - files(home)
    assert all(name.startswith(("stages/", "cells/denoise/")) for name in gone)
    assert set(rows(filled()[1])) == {"dni", "shared"}
    plan = ("run", "denoise", "--methods", "dni", *SMOKE, "--dry-run")
    assert cli.main(plan) == 0
    assert cli.main(RUN) == 0
    wanted, found = (
        re.sub(rb"\d{4}-\d\d-\d\dT[0-9:]+Z", b"", text) for text in (before, table.read_bytes())
    )
    assert found == wanted and files(home) == there


def test_pictures_go_with_the_last_cell_that_shows_them(filled, home):
    pictures = home / "cells" / "denoise"
    filled("clear", "--methods", "dni,adafm")
    shared = {one.name for path in [pictures] for one in path.glob("*.png")}
    cells = list(Store().cells("denoise"))
    named = {name for cell in cells for kind, name in cell.pictures.items() if kind != "image"}
    assert shared == named and cells
    filled("clear", "--task", "*")
    assert not list(pictures.iterdir()) and not list((home / "stages").iterdir())
    code, out, _ = filled()
    assert code == 0 and out.startswith(f"MB in {home.resolve()}: stages and cells 0.0, ")


def test_what_would_be_cleared_is_shown_and_left(filled, home):
    there = files(home)
    code, out, _ = filled("clear", "--preset", "smoke*", "--dry-run")
    assert code == 0 and len(rows(out)) == 4 and out.endswith("(--dry-run)\n")
    assert files(home) == there


def test_a_name_that_nothing_has_is_told_and_the_others_are_cleared(filled):
    code, out, err = filled("clear", "--methods", "dni,adafn", "--seeds", "0,1")
    assert code == 0 and rows(out) == {"dni": ("0", "2")}
    assert err.endswith("runs is of method 'adafn' or seed '1'\n") and err.startswith("note: ")
    assert "dni" not in rows(filled()[1])


def test_age_is_that_of_the_commit(filled, home):
    for mark in (home / "cells" / "denoise").glob("*.json"):
        if Store().read_cell("denoise", mark.stem).facts["method"] == "dni":
            os.utime(mark, (0, 0))
    code, out, _ = filled("clear", "--days", "2")
    assert code == 0 and rows(out) == {"dni": ("0", "2")} and "1970-01-01" in out
    assert "dni" not in rows(filled()[1])


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["clear"], "say what to clear, like --preset 'smoke*', or --task '*' for all"),
        (["clear", "--task", "sr"], "matches; 'dialbench store' shows what is there"),
        (["--methods", "dn"], "matches; 'dialbench store' shows what is there"),
        (["clear", "--preset", "smoke", "--methods", "dni,dn"], "of preset 'smoke' or method 'dn'"),
        (["clear", "--methods", "floor", "--seeds", "0", "--days", "1"], "runs matches; "),
        (["clear", "--task", ","], "--task: name one, or leave it out"),
        (["clear", "--methods", ""], "--methods: name one, or leave it out"),
        (["clear", "--days", "0"], "--days 0: give 1 to 100,000"),
        (["clear", "--days", "9" * 400], "9: give 1 to 100,000"),
        (["--dry-run"], "--dry-run is for clear"),
    ],
)
def test_bad_usage_clears_nothing(filled, home, words, text):
    there = files(home)
    code, out, err = filled(*words)
    assert (code, out) == (2, "") and text in err and err.count("\n") == 1
    assert files(home) == there


def test_records_of_other_versions_and_damaged_ones_stop_nothing(filled, home):
    store, (mark, *_) = Store(), (home / "stages").glob("*/stage.json")
    mark.write_bytes(b"{")
    (home / "cells" / "denoise" / "broken.json").write_text("[]")
    assert filled()[0] == 0
    key = next(path.parent.name for path in (home / "stages").glob("*/stage.json") if path != mark)
    facts = store.read_stage(key).facts
    facts["job"]["preset"]["unheard"] = 1
    store.write_stage(key, store.load_stage(key), facts)
    code, out, _ = filled()
    assert code == 0 and "denoise  smoke  " in out


def test_what_others_remove_while_it_is_listed_stops_nothing(filled, home, monkeypatch):
    stage = next((home / "stages").iterdir())
    (home / "scratch" / "left").mkdir(parents=True)

    def late(read):
        def reads(path="."):
            if os.path.basename(path) in ("left", stage.name) and os.path.isdir(path):
                os.rename(path, f"{home}-without-{os.path.basename(path)}")
            return read(path)

        return reads

    monkeypatch.setattr(os, "listdir", late(os.listdir))
    monkeypatch.setattr(os, "scandir", late(os.scandir))
    code, out, err = filled()
    assert (code, err) == (0, "") and "MB in" in out


def test_what_a_stop_leaves_counts_as_missing_and_can_be_cleared(filled, home, monkeypatch):
    removed, unlink = [], Path.unlink

    def stops(path: Path, missing_ok: bool = False) -> None:
        if removed:
            raise KeyboardInterrupt
        removed.append(path)
        unlink(path, missing_ok)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", stops)
        assert filled("clear", "--methods", "shared")[0] == 130
    (path,) = removed
    assert Store().read_stage(path.parent.name) is None
    assert rows(filled()[1])["shared"] == ("2", "0")
    assert filled("clear", "--methods", "shared")[0] == 0 and "shared" not in rows(filled()[1])
