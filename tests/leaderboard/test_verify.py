"""Entries computed again: a true one passes, one that was touched does not."""

import gzip
import hashlib
import json
import shutil
from types import SimpleNamespace

import pytest
from safetensors.numpy import load, save

from benchmark import cli
from benchmark.data.sources import open_set
from benchmark.leaderboard import (
    canary,
    card,
    check,
    entry,
    folder,
    loaded,
    proof,
    recompute,
    rows,
    sampling,
    schema,
    verify,
)
from benchmark.store import Store

WANTED = ["denoise", "--methods", "decouple", "--preset", "smoke", "--offline", "--set", "steps=1"]
WANTED += ["--matrix"]


@pytest.fixture(scope="module")
def made(tmp_path_factory, at_home):
    """The store and the entry of a network that was trained for a moment."""
    root = tmp_path_factory.mktemp("verify")
    with at_home(root / "runs"):
        assert cli.main(["run", *WANTED, "--jobs", "1"]) == 0
        assert cli.main(["board", "submit", *WANTED, "--boards", str(root / "boards")]) == 0
    (path,) = (root / "boards" / "denoise" / "entries").iterdir()
    return path


@pytest.fixture
def path(home, boards, made):
    """A copy of that entry, and an empty store."""
    there = boards / "denoise" / "entries" / made.name
    shutil.copytree(made, there)
    return there


def changed(path, by: float, chosen=lambda key: True) -> bytes:
    """Returns the text of the rows with the chosen ones of PSNR moved."""
    lines = gzip.decompress((path / rows.NAME).read_bytes()).decode().splitlines()
    for at, line in enumerate(lines):
        key, _, value = line.rpartition(",")
        if key.startswith("psnr-rgb,") and chosen(key):
            lines[at] = f"{key},{float(value) + by:.6f}"
    return ("\n".join(lines) + "\n").encode()


def test_weights_are_rounded_and_the_numbers_are_of_these(path):
    facts = json.loads((path / entry.NAME).read_bytes())
    (about,) = facts["weights"]
    state = load((path / about["file"]).read_bytes())
    assert {str(one.dtype) for one in state.values()} == {"float16"}
    assert about["precision"] == "float16" and about["sha256"] == facts["weights_sha256"]["0"]
    (told,) = [one for one in facts["limits"] if "float16" in one]
    moved = float(told.rpartition(" ")[2])
    assert 0 < moved < 0.01


def test_weights_can_go_along_as_they_are_or_stay_away(made, home, boards, monkeypatch):
    monkeypatch.setenv("DIALBENCH_HOME", str(made.parents[3] / "runs"))
    monkeypatch.setattr("benchmark.leaderboard.shipped.SMALL", 0)
    submit = ["board", "submit", *WANTED, "--boards", str(boards)]
    assert cli.main(submit) == 0
    (path,) = (boards / "denoise" / "entries").iterdir()
    with pytest.raises(
        verify.UserError, match="its weights are not published, so it stays claimed"
    ):
        run(path)
    held = boards.parent / "held"
    held.mkdir()
    (weights,) = json.loads((path / entry.NAME).read_bytes())["weights"]
    for blob in (made.parents[3] / "runs" / "stages").glob("*/model.safetensors"):
        sha = hashlib.sha256(blob.read_bytes()).hexdigest()
        shutil.copy(blob, held / f"{sha}.safetensors")
    assert weights["precision"] == "float32" and run(path, held=held).faults == []
    shutil.rmtree(path)
    assert cli.main([*submit, "--weights", "copy"]) == 0
    (path,) = (boards / "denoise" / "entries").iterdir()
    assert run(path).faults == [] and (path / "weights").is_dir()


def run(path, mode="fast", **options):
    return verify.verify(path, mode, Store(), **{"offline": True, **options})


def test_a_true_entry_is_reproduced_and_then_ranked(path, boards, capsys):
    assert loaded.load(path)[0].status == "claimed"
    # What a command that was killed left stops neither the next one nor the referee after it.
    for name in (path / proof.NAME, boards / "denoise" / "board.md"):
        (name.parent / f".{name.name}.{'0' * 32}.tmp").touch()
    assert cli.main(["board", "check", str(boards)]) == 1
    again = "half-written by a command that was killed; run it again, or remove it"
    assert capsys.readouterr().err.count(again) == 2
    assert cli.main(["board", "verify", str(path), "--offline"]) == 0
    assert f"{path.name}: reproduced; values: psnr-rgb 27 of 27" in capsys.readouterr().out
    assert loaded.load(path)[0].status == "reproduced"
    record = json.loads((path / proof.NAME).read_bytes())
    assert record["canary"] == {"levels": 3, "same_pixels": 3, "largest": 0.0, "allowed": 0.1}
    # Values have six decimals.
    assert all(one["largest"] <= 5e-7 for one in record["rows"].values())
    assert cli.main(["board", "build", str(boards)]) == 0
    assert "| reproduced |" in (boards / "denoise" / "board.md").read_text()
    assert cli.main(["board", "check", str(boards)]) == 0


@pytest.mark.parametrize("mode", ["fast", "exact"])
def test_a_raised_psnr_is_found_and_its_rows_are_named(path, reseal, capsys, mode):
    reseal(path, changed(path, 0.05))
    assert check.faults(path, "denoise", path.name) == []
    assert cli.main(["board", "verify", str(path), "--mode", mode, "--offline"]) == 1
    said = capsys.readouterr()
    assert "row psnr-rgb,builtin,0,0.2,0.2,astronaut: the entry says" in said.err
    assert "0.05" in said.err and "0.01 is allowed" in said.err and "NOT true" in said.out
    assert not (path / proof.NAME).exists()


def test_one_raised_row_is_found_by_the_exact_mode(path, reseal):
    reseal(path, changed(path, 0.05, lambda key: key.endswith("0.6,0.2,chelsea")))
    found = [one for one in run(path, "exact").faults if "on average" not in one]
    assert len(found) == 1 and found[0].startswith("row psnr-rgb,builtin,0,0.6,0.2,chelsea: ")


def test_another_cost_is_found(path, edit):
    facts = json.loads((path / entry.NAME).read_bytes())
    true = facts["cost"]
    edit(path, cost={**true, "macs": true["macs"] // 2, "params_stored": 1000, "folds": False})
    (path / card.NAME).write_bytes(card.card(entry.parse((path / entry.NAME).read_bytes())))
    assert run(path).faults == [
        "cost: folds is False, but True here",
        f"cost: params_stored is 1000, but {true['params_stored']} here",
        f"cost: macs is {true['macs'] // 2}, but {true['macs']} here",
    ]


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        (
            {"preset": "smoke:steps=1:workers=3"},
            "preset: smoke:steps=1:workers=3 is smoke:steps=1 here",
        ),
        ({"preset": "smoke:steps=01"}, "preset: smoke:steps=01 is smoke:steps=1 here"),
        (
            {"backbone": "small:width=8:blocks=2"},
            "backbone: small:width=8:blocks=2 is small:blocks=2:width=8 here",
        ),
        ({"paper": "2001.00001"}, "paper: 2001.00001 is 1807.08186 here"),
    ],
)
def test_nothing_goes_by_a_second_name(path, changes, fault):
    facts = {**json.loads((path / entry.NAME).read_bytes()), **changes}
    facts["id"] = entry.entry_id(facts)
    (path / entry.NAME).write_bytes(schema.written(facts))
    (path / card.NAME).write_bytes(card.card(entry.Entry(facts)))
    path = path.rename(path.with_name(facts["id"]))
    assert run(path).faults == [f"{fault}; it has to be handed in under that name"]


def test_how_it_was_trained_is_compared(path, edit):
    facts = json.loads((path / entry.NAME).read_bytes())
    (about,) = facts["training"]
    odd = {**facts["budget"], "precision": "32-true-32-true"}
    edit(path, training=[{**about, "images": 4000}], budget=odd)
    (path / card.NAME).write_bytes(card.card(entry.parse((path / entry.NAME).read_bytes())))
    assert run(path).faults == [
        "budget: precision is 32-true-32-true, but its preset has 32-true",
        f"training: builtin has {about['images']} images, not 4000",
    ]


def test_other_weights_are_found_by_the_canary(path, edit):
    facts = json.loads((path / entry.NAME).read_bytes())
    about = facts["weights"][0]
    state = {name: value * 1.5 for name, value in load((path / about["file"]).read_bytes()).items()}
    blob = save(state)
    sha = hashlib.sha256(blob).hexdigest()
    (path / about["file"]).write_bytes(blob)
    about |= {"sha256": sha, "bytes": len(blob)}
    facts["weights_sha256"] = {"0": sha}
    facts["id"] = entry.entry_id(facts)
    (path / entry.NAME).write_bytes(schema.written(facts))
    (path / card.NAME).write_bytes(card.card(entry.parse((path / entry.NAME).read_bytes())))
    path = path.rename(path.with_name(facts["id"]))
    found = run(path, "canary")
    assert "canary: level 0.2: its weights give another image" in found.faults[0]
    # What the canary finds is not looked at any further.
    assert run(path, "exact").faults == found.faults


def test_what_cannot_be_computed_here_is_one_sentence(path, edit, tmp_path_factory):
    facts = json.loads((path / entry.NAME).read_bytes())

    def told(**changes) -> str:
        edit(path, **{**facts, **changes})
        # Weights that were read before are found in a store by their hash.
        fresh = Store(tmp_path_factory.mktemp("store"))
        with pytest.raises((verify.UserError, verify.JobError)) as error:
            claimed = entry.Entry({**facts, **changes})
            recompute.Subject(path, claimed, fresh, offline=True).method(0)
        return str(error.value)

    assert "it is of version 2 of denoise" in told(task_version=2)
    unknown = told(method="mine:k=3")
    assert "unknown method 'mine'; install the package" in unknown
    assert "'dialbench new --package'" in unknown
    sets = [{**facts["sets"][0], "digest": "0" * 20}]
    assert "holds other images here" in told(sets=sets)
    assert "unknown test set 'elsewhere'" in told(sets=[{**facts["sets"][0], "name": "elsewhere"}])
    away = [{**one, "file": None} for one in facts["weights"]]
    assert "its weights are not published, so it stays claimed" in told(weights=away)
    away = [{**one, "url": "https://nowhere.invalid/x.safetensors"} for one in away]
    assert "are not here; --weights takes" in told(weights=away)
    assert "but the entry has weights of none" in told(weights=[], method="experts")


def test_an_exact_record_covers_all_rows_and_draws_differ(path, monkeypatch):
    monkeypatch.setattr(sampling, "DRAWN", 2)
    one = entry.parse((path / entry.NAME).read_bytes())
    assert len({str(sampling.drawn(one, "fast", seed)) for seed in range(9)}) > 3
    fast = run(path, draw=7)
    # Three levels, so three images, each at a level and at one that is to be its dial.
    assert fast.record["rows"]["psnr-rgb"]["compared"] == 12
    assert run(path, "exact").record["rows"]["psnr-rgb"]["compared"] == 27
    with pytest.raises(folder.Fault, match="missing|changed|cannot be read"):
        (path / canary.NAME).unlink()
        loaded.sums(path)


def test_training_again_makes_it_retrained(path, capsys, monkeypatch):
    monkeypatch.setattr("benchmark.engines.local.default_jobs", lambda: 1)
    assert cli.main(["board", "verify", str(path), "--mode", "retrain", "--offline"]) == 0
    assert loaded.load(path)[0].status == "retrained"
    record = json.loads((path / proof.NAME).read_bytes())
    assert record["means"]["psnr-rgb"]["compared"] == 9
    assert "retrained; means: psnr-rgb 9 of 9" in capsys.readouterr().out
    # Less is no reason to forget it.
    assert cli.main(["board", "verify", str(path), "--offline"]) == 0
    assert "reproduced again, and stays retrained" in capsys.readouterr().out
    assert loaded.load(path)[0].status == "retrained"


def test_a_task_that_compares_dials_is_computed_again_as_it_was_scored(home, boards):
    wanted = ["style", "--methods", "floor", "--preset", "smoke", "--offline"]
    assert cli.main(["run", *wanted, "--jobs", "1"]) == 0
    assert cli.main(["board", "submit", *wanted, "--boards", str(boards)]) == 0
    (path,) = (boards / "style" / "entries").iterdir()
    found = run(path, "exact")
    assert found.faults == [] and "objective" in found.record["rows"]


@pytest.mark.parametrize("same", [True, False])
def test_only_the_very_set_that_was_trained_on_is_looked_through(tmp_path, photographs, same):
    images = open_set(str(photographs), "train")
    digest = images.digest if same else "0" * 20
    about = {"name": str(photographs), "digest": digest, "images": len(images.pictures)}
    told = SimpleNamespace(facts={"training": [about]})
    subject = SimpleNamespace(entry=told, sets={"x": images}, store=Store(tmp_path))
    outcome = verify.Outcome()
    verify._leaks(subject, outcome)
    assert len(outcome.faults) == same
    assert not same or "2 images that show what is tested" in outcome.faults[0]


def test_an_entry_that_was_trained_on_what_is_tested_is_not_reproduced(path, monkeypatch):
    leak = "training: 1 image that shows what is tested, like a/b"
    monkeypatch.setattr(verify, "_leaks", lambda subject, outcome: outcome.faults.append(leak))
    outcome = run(path)
    assert outcome.faults == [leak] and outcome.record is None
