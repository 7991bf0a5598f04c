"""From the store to an entry that the referee accepts."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from baselines import floor
from baselines.external.srvgg import SRVGG
from benchmark import cli, tasks
from benchmark.leaderboard import entry, shipped

WANTED = ["sr", "--methods", "floor", "--preset", "smoke", "--offline"]


@pytest.fixture
def stored(home, boards):
    """The floor, scored: it needs no training."""
    assert cli.main(["run", *WANTED, "--jobs", "1"]) == 0
    return boards


def test_what_is_stored_becomes_an_entry_once_and_a_board(stored, capsys):
    submit = ["board", "submit", *WANTED, "--boards", str(stored)]
    assert cli.main(submit) == 0
    (path,) = (stored / "sr" / "entries").iterdir()
    facts = json.loads((path / entry.NAME).read_bytes())
    assert (facts["method"], facts["weights"]) == ("floor", [])
    assert facts["levels"] == ["0", "0.5", "1"] and facts["training"] == []
    assert facts["missing"]["lpips-alex@lpips-0.1.4"]
    before = {one.name: one.read_bytes() for one in path.iterdir()}
    capsys.readouterr()
    assert cli.main(submit) == 0
    assert "is there already" in capsys.readouterr().out
    assert {one.name: one.read_bytes() for one in path.iterdir()} == before
    assert cli.main(["board", "build", str(stored)]) == 0
    assert cli.main(["board", "check", str(stored)]) == 0
    # What is not stored becomes nothing, and says why.
    assert cli.main([*submit[:3], *WANTED[1:2], "blend", *WANTED[3:], *submit[-2:]]) == 1
    assert "cells on builtin are not stored" in capsys.readouterr().err
    assert len(list((stored / "sr" / "entries").iterdir())) == 1
    assert cli.main([*submit, "--weights", "ftp://x"]) == 2
    # What does not take the task is left out, which is no failure.
    capsys.readouterr()
    assert cli.main([*submit[:2], "filter-shock", "--methods", "dni", *submit[5:]]) == 0
    assert "dni: skipped: takes " in capsys.readouterr().err


def test_an_entry_goes_by_the_name_without_options_that_go_without_saying(home, boards):
    wanted = [*WANTED, "--backbone", "small:width=32:blocks=2"]
    assert cli.main(["run", *wanted, "--jobs", "1"]) == 0
    assert cli.main(["board", "submit", *wanted, "--boards", str(boards)]) == 0
    (path,) = (boards / "sr" / "entries").iterdir()
    assert json.loads((path / entry.NAME).read_bytes())["backbone"] == "small:blocks=2"
    assert cli.main(["board", "verify", str(path), "--offline"]) == 0


def test_of_a_method_that_is_only_a_file_it_is_said_that_nobody_can_verify_it(
    home, boards, tmp_path, capsys
):
    file = tmp_path / "mine.py"
    file.write_text(Path(floor.__file__).read_text())
    wanted = [*WANTED, "--method", str(file)]
    assert cli.main(["run", *wanted, "--jobs", "1"]) == 0
    capsys.readouterr()
    assert cli.main(["board", "submit", *wanted, "--boards", str(boards)]) == 0
    (note,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note:")]
    assert note.startswith("note: mine: nobody else can verify or rank") and "--package" in note


@pytest.mark.parametrize(("words", "licence"), [((), "BSD-3-Clause"), (("--licence", "X"), "X")])
def test_weights_of_others_keep_their_licence(words, licence, home, boards, tmp_path, photographs):
    torch.save(SRVGG(1).state_dict(), tmp_path / "network.pth")
    assert cli.main(["import", "srvgg-dni", *[str(tmp_path / "network.pth")] * 2]) == 0
    wanted = ["sr-noise", "--methods", "srvgg_dni:convs=1", "--preset", "smoke", "--offline"]
    wanted += ["--levels", "1", "--test", str(photographs)]
    assert cli.main(["run", *wanted, "--jobs", "1"]) == 0
    assert cli.main(["board", "submit", *wanted, "--boards", str(boards), *words]) == 0
    (path,) = (boards / "sr-noise" / "entries").iterdir()
    assert json.loads((path / entry.NAME).read_bytes())["licence"] == licence
    assert cli.main(["board", "check", str(path)]) == 0


def test_a_test_set_may_be_a_folder_by_its_path(home, boards, tmp_path, monkeypatch):
    photographs = tmp_path / "my-photographs"
    photographs.mkdir()
    for number in range(2):
        pixels = np.random.default_rng(number).integers(0, 256, (40, 48, 3), np.uint8)
        Image.fromarray(pixels).save(photographs / f"{number}.png")
    wanted = [*WANTED, "--test", str(photographs), "--levels", "0,1"]
    assert cli.main(["run", *wanted, "--jobs", "1"]) == 0
    assert cli.main(["board", "submit", *wanted, "--boards", str(boards)]) == 0
    # A folder is named by where one stands, too.
    monkeypatch.chdir(boards / "sr")
    assert cli.main(["board", "build", "."]) == 0 and (boards / "sr" / "board.md").is_file()
    assert cli.main(["board", "check", "."]) == 0


def test_an_entry_says_that_its_only_image_is_one(home, boards, photographs):
    (photographs / "p1.png").unlink()
    wanted = [*WANTED, "--test", str(photographs), "--levels", "0,1"]
    assert cli.main(["run", *wanted, "--jobs", "1"]) == 0
    assert cli.main(["board", "submit", *wanted, "--boards", str(boards)]) == 0
    (path,) = (boards / "sr" / "entries").iterdir()
    facts = json.loads((path / entry.NAME).read_bytes())
    assert "1 test image: too few for small differences" in facts["limits"]


def test_an_entry_says_what_an_image_and_a_switch_took(home, boards):
    wanted = ["denoise", "--methods", "decouple,floor", "--preset", "smoke", "--offline"]
    wanted += ["--levels", "0.2,1", "--set", "steps=1", "--set", "timing=true"]
    for verb in ("train", "sweep"):
        assert cli.main([verb, *wanted, "--jobs", "1"]) == 0
    assert cli.main(["board", "submit", *wanted, "--boards", str(boards)]) == 0
    entries = (boards / "denoise" / "entries").iterdir()
    facts = [json.loads((path / entry.NAME).read_bytes()) for path in entries]
    costs = {one["method"]: one["cost"] for one in facts}
    assert all(one["ms_per_image"] > 0 for one in costs.values())
    assert costs["decouple"]["switch_ms"] > 0
    # Nobody turns the dial of the floor.
    assert costs["floor"]["switch_ms"] is None


def test_a_level_that_leaves_images_as_they_are_is_left_out(home, boards):
    wanted = ["blur-noise", "--methods", "floor", "--preset", "smoke", "--offline"]
    assert cli.main(["sweep", *wanted, "--jobs", "1"]) == 0
    assert cli.main(["board", "submit", *wanted, "--boards", str(boards)]) == 0
    (path,) = (boards / "blur-noise" / "entries").iterdir()
    levels = json.loads((path / entry.NAME).read_bytes())["levels"]
    assert "0/0" not in levels and len(levels) == 8


@pytest.mark.parametrize("task", ["style-3", "blur-noise", "denoise-deblur"])
def test_tasks_with_several_dials_have_entries_too(home, boards, task, capsys):
    wanted = [task, *WANTED[1:], "--levels", "0/0.5,0.5/0"]
    assert cli.main(["run", *wanted, "--jobs", "1"]) == 0
    assert cli.main(["board", "submit", *wanted, "--boards", str(boards)]) == 0
    (path,) = (boards / task / "entries").iterdir()
    facts = json.loads((path / entry.NAME).read_bytes())
    assert [one["last"] for one in facts["range"]] == [
        axis.physical(far)
        for axis, far in zip(tasks.get(task).space.axes, tasks.get(task).space.last, strict=True)
    ]
    assert cli.main(["board", "build", str(boards)]) == 0
    assert cli.main(["board", "check", str(boards)]) == 0


def test_an_entry_says_in_which_precision_it_was_trained_not_which_was_asked_for(
    home, boards, monkeypatch
):
    from benchmark import train

    monkeypatch.setattr(train, "precision_of", lambda preset: "32-true")
    wanted = ["denoise", "--methods", "decouple_fast", *WANTED[3:], "--set", "precision=bf16-mixed"]
    assert cli.main(["run", *wanted, "--jobs", "1"]) == 0
    assert cli.main(["board", "submit", *wanted, "--boards", str(boards)]) == 0
    (path,) = (boards / "denoise" / "entries").iterdir()
    facts = json.loads((path / entry.NAME).read_bytes())
    assert facts["budget"]["precision"] == "32-true"
    assert facts["preset"] == "smoke:precision=bf16-mixed"


def test_no_value_differs_by_more_than_a_card_says():
    said = {shipped.bound(value) for value in (0.00061, 0.00069, 0.0007)}
    assert said == {"0.0007"} and shipped.bound(0.0) == "0.0000"
