"""What somebody might hand in to look better, or to make others look worse."""

import csv
import dataclasses
import hashlib
import itertools
import json
import re
import shutil
import subprocess
import time
from types import SimpleNamespace

import pytest

from benchmark import cli
from benchmark.errors import UserError
from benchmark.leaderboard import (
    build,
    canary,
    card,
    check,
    drawing,
    entry,
    exchange,
    proof,
    results,
    rows,
    schema,
    synthetic,
    verify,
)
from benchmark.leaderboard.base import compare
from benchmark.leaderboard.entry import Entry
from benchmark.leaderboard.standings import _kinds
from benchmark.metrics.records import METRICS
from benchmark.report.series import Series
from benchmark.store import Store

FIELD = {"images": 20, "levels": 5, "status": "reproduced"}
METHODS = (("dni", 0.0), ("ftn", 0.1), ("adafm", 0.3), ("hypernet", 0.5))


def lines(boards, task="denoise") -> dict[str, dict[str, str]]:
    build.write(boards)
    with open(boards / task / "board.csv", newline="") as file:
        return {line["method"] + line["preset"]: line for line in csv.DictReader(file)}


@pytest.fixture
def field(boards, put):
    for method, quality in METHODS:
        put("denoise", method=method, quality=quality, **FIELD)
    return boards


def ranks(boards) -> dict[str, str]:
    found = lines(boards)
    return {method: found[f"{method}laptop"]["rank"] for method, _ in METHODS}


def test_a_folder_that_a_change_brings_along_is_no_base(boards, put, tmp_path, monkeypatch):
    path = put()
    for words in (["init", "-q", "-b", "trunk"], ["add", "-A"], ["commit", "-q", "-m", "x"]):
        who = ["-c", "user.name=x", "-c", "user.email=x@localhost"]
        subprocess.run(["git", "-C", str(boards), *who, *words], check=True)
    shutil.rmtree(path)
    shutil.copytree(boards, tmp_path / "trunk")
    monkeypatch.chdir(tmp_path)
    assert "removed; entries stay" in compare(boards, "trunk", False)[0]


def test_one_odd_entry_moves_nobody(field, put):
    before = lines(field)
    # It is better on some images and far worse on others.
    put("denoise", method="cresmd", quality=-20.0, jitter=20.0, **FIELD)
    after = lines(field)
    assert ranks(field) == {"dni": "4", "ftn": "3", "adafm": "2", "hypernet": "1"}
    for name, line in before.items():
        wide = [float(one["high"]) - float(one["low"]) for one in (line, after[name])]
        # Around the mean of the field it would be half a decibel.
        assert wide[1] < wide[0] + 0.05


def test_copies_of_an_entry_count_once(field, put):
    before = ranks(field)
    for seed in range(1, 4):
        put("denoise", method="hypernet", quality=0.5, seeds=(seed,), **FIELD)
    twin = {0: synthetic.tensors(1)}
    for groups in (2, 4):
        put("denoise", method=f"ftn:groups={groups}", quality=0.4, blobs=twin, **FIELD)
    after = ranks(field)
    assert before == {"dni": "4", "ftn": "3", "adafm": "2", "hypernet": "1"}
    # The two of other weights than ftn's are one method more.
    assert after == {"dni": "5", "ftn": "4", "adafm": "3", "hypernet": "1"}


def test_a_copy_is_not_pushed_down_by_its_better_self(field, put):
    put("denoise", method="hypernet", quality=0.05, seeds=(1,), **FIELD)
    build.write(field)
    with open(field / "denoise" / "board.csv", newline="") as file:
        found = [(line["method"], line["rank"]) for line in csv.DictReader(file)]
    # Above the worse one of hypernet lie adafm and ftn.
    assert [rank for method, rank in found if method == "hypernet"] == ["1", "3"]
    assert dict(found)["dni"] == "4"


@pytest.mark.parametrize("order", [*itertools.permutations(range(3))])
def test_copies_are_found_in_any_order(order):
    # The third has the name of the first and the weights of the second, so all three are one method.
    entries = [
        SimpleNamespace(
            series=Series(method, "small", "laptop"), facts={"weights_sha256": {"0": weights}}
        )
        for method, weights in (("ftn", "a"), ("ftn:groups=2", "b"), ("ftn", "b"), ("dni", "b"))
    ]
    kinds = _kinds([*(entries[at] for at in order), entries[3]])
    assert len(set(kinds[:3])) == 1 and kinds[3] != kinds[0]


def test_what_is_claimed_moves_nobody(boards, put):
    put("denoise", quality=0.0, **FIELD)
    put("denoise", method="floor", quality=-9.0, **FIELD)
    before = lines(boards)["dnilaptop"]
    put("denoise", method="ftn", quality=9.0, jitter=9.0, images=20, levels=5)
    assert lines(boards)["dnilaptop"] == before
    (drawn,) = {tuple(one.entry.facts["method"] for one in panel.shown) for panel in panels(boards)}
    assert drawn == ("dni",)


def panels(boards):
    return drawing.panels(build.compared(boards / "denoise"))


def test_spoilt_experts_are_no_reference(field, put):
    put("denoise", method="experts", quality=0.4, **{**FIELD, "levels": 3})
    before = lines(field)["dnilaptop"]["gap_to_experts"]
    for at in range(2, 6):
        put(
            "denoise",
            method="experts",
            quality=-5.0,
            method_digest=f"{at}" * 20,
            **{**FIELD, "levels": 3},
        )
    assert lines(field)["dnilaptop"]["gap_to_experts"] == before


def test_spoilt_experts_are_no_reference_where_less_is_better(boards, put, monkeypatch):
    psnr = dataclasses.replace(METRICS["psnr-rgb"], higher_is_better=False)
    monkeypatch.setitem(METRICS, "psnr-rgb", psnr)
    three = {**FIELD, "levels": 3}
    put("denoise", **FIELD)
    put("denoise", method="experts", quality=0.4, **three)
    before = lines(boards)["dnilaptop"]["gap_to_experts"]
    put("denoise", method="experts", quality=5.0, method_digest="2" * 20, **three)
    assert lines(boards)["dnilaptop"]["gap_to_experts"] == before != ""


def test_experts_of_fewer_seeds_are_no_reference_where_others_have_all(boards, put):
    seeds = {**FIELD, "seeds": (0, 1)}
    put("denoise", **seeds)
    put("denoise", method="experts", quality=0.4, **{**seeds, "levels": 3})
    before = lines(boards)["dnilaptop"]["gap_to_experts"]
    put("denoise", method="experts", quality=0.5, **{**FIELD, "levels": 3, "seeds": (0,)})
    assert lines(boards)["dnilaptop"]["gap_to_experts"] == before != ""


def test_methods_that_share_weights_by_design_compete(boards, put):
    blobs = {0: synthetic.tensors(1)}
    put("denoise", method="dni", blobs=blobs, **FIELD)
    put("denoise", method="ftn", quality=0.5, blobs=blobs, **FIELD)
    found = lines(boards)
    assert (found["ftnlaptop"]["rank"], found["dnilaptop"]["rank"]) == ("1", "2")


def test_the_middle_one_of_three_has_an_interval_too(boards, put):
    for method, quality in METHODS[:3]:
        put("denoise", method=method, quality=4 * quality, **FIELD)
    assert all(float(one["high"]) > float(one["low"]) for one in lines(boards).values())


def test_entries_of_others_cannot_be_broken(boards, put, edit, tmp_path):
    path = put()
    shutil.copytree(boards, tmp_path / "before")
    base = str(tmp_path / "before")
    seen = json.loads((path / canary.NAME).read_bytes())
    for level in seen["levels"].values():
        level["pixels_sha256"] = "0" * 64
    blob = schema.written(seen)
    (path / canary.NAME).write_bytes(blob)
    about = {"sha256": hashlib.sha256(blob).hexdigest(), "bytes": len(blob)}
    files = json.loads((path / entry.NAME).read_bytes())["files"]
    edit(path, files={**files, canary.NAME: about})
    assert "canary.json changed; it stays as it is" in compare(boards, base, False)[0]


def test_a_new_entry_of_an_old_version_is_refused(boards, put, tmp_path):
    old = {"axis": "quality", "unit": "", "start": 40.0, "end": 10.0, "first": 40.0, "last": 10.0}
    put("dejpeg", task_version=1, range=[old], **FIELD)
    shutil.copytree(boards, tmp_path / "before")
    put("dejpeg", method="ftn", task_version=1, range=[old], **{**FIELD, "status": "claimed"})
    (fault,) = compare(boards, str(tmp_path / "before"), False)
    assert "a new entry is of the newest version of its task, 2, not of 1" in fault


@pytest.mark.parametrize(
    "extra",
    [
        "<script>alert(1)</script>",
        '<image href="https://elsewhere.invalid/x.png"/>',
        '<use xlink:href="https://elsewhere.invalid/x.svg#a"/>',
        '<g onload="alert(1)"/>',
        "<!-- my method: 99 dB -->",
        "<!-- my -- method: 99 dB -->",
        '<g style="fill: url(https://elsewhere.invalid/x)"/>',
        "<style>@import 'x.css'</style>",
        "<style>@\\69mport 'x.css'</style>",
        "<style>svg{background:u\\72l(https://elsewhere.invalid/x)}</style>",
        "<style>svg{background:image-set('https://elsewhere.invalid/x' 1x)}</style>",
        '<g style="fill: &#117;rl(https://elsewhere.invalid/x)"/>',
    ],
)
def test_a_figure_of_another_release_holds_nothing_that_ours_does_not(field, extra):
    build.write(field)
    path = field / "denoise" / "curves.svg"
    older = re.sub(r"matplotlib [\w.]+<", "matplotlib 3.0.0<", path.read_text())
    path.write_text(older)
    assert check.check(field).faults == []
    path.write_text(older.replace("</svg>", f"{extra}</svg>"))
    assert len(check.check(field).faults) == 1
    path.write_text(older.replace('"http://www.w3.org/Graphics', '"https://elsewhere.invalid'))
    assert len(check.check(field).faults) == 1


@pytest.mark.parametrize("word", ["a", "<!--", "<!-- ", "- ", "href"])
def test_a_figure_of_one_long_word_takes_no_minutes(word):
    table = hashlib.sha256(b"").hexdigest()
    text = f"<svg><dc:description>board.csv {table}, matplotlib 3.1</dc:description></svg>"
    ours, theirs = text.encode(), text.replace("3.1", "3.0").encode()
    began = time.process_time()
    drawing.current(theirs.replace(b"</svg>", word.encode() * 200_000), ours, b"")
    assert time.process_time() - began < 10


def test_figures_in_sentences_are_of_what_was_computed_again(field, put):
    address = "denoise made-up dni psnr-rgb mean"
    before = results.text(f"<!-- {address} -->0<!-- / -->", field)
    put("denoise", quality=8.0, images=20, levels=5, preset="paper")
    after = results.text(f"<!-- {address} -->0<!-- / -->", field)
    assert before.partition("\n")[0] == after.partition("\n")[0]


def test_seeds_have_weights_of_their_own(put):
    twice = {seed: synthetic.tensors(1) for seed in (0, 1)}
    with pytest.raises(UserError, match="two seeds have the same weights"):
        put(seeds=(0, 1), blobs=twice)


def test_what_is_tested_was_not_trained_on(put):
    with pytest.raises(UserError, match="training: a set that is tested too"):
        put(training=[{"name": "mine", "digest": "2" * 20, "images": 4}])


def test_other_scripts_digits_are_no_digits(put):
    for changed in ({"paper": "١٨٠٧.٠٨١٨٦"}, {"created_utc": "20٢٥-11-21T00:00:00Z"}):
        with pytest.raises(UserError):
            put(**changed)


def test_an_entry_elsewhere_is_not_overwritten(put, tmp_path, reseal, boards):
    there = exchange.Disk(tmp_path / "there")
    path = put()
    exchange.push(path, there)
    exchange.push(path, there)
    blob = (there.root / "sr" / "entries" / path.name / rows.NAME).read_bytes()
    shutil.rmtree(path)
    other = put(jitter=0.5)
    assert other.name == path.name
    with pytest.raises(UserError, match="another entry of that name is there"):
        exchange.push(other, there)
    assert (there.root / "sr" / "entries" / path.name / rows.NAME).read_bytes() == blob


def test_an_entry_with_other_terms_is_not_called_the_same(put):
    put()
    with pytest.raises(UserError, match="is there already, with other licence"):
        put(licence="GPL-3.0")


def test_boards_say_how_much_was_computed_again(boards, put):
    path = put("denoise", **FIELD)
    put("denoise", method="ftn", images=20, levels=5)
    record = json.loads((path / proof.NAME).read_bytes())
    del record["check"]
    record["rows"]["psnr-rgb"] |= {"compared": 24, "of": 100}
    (path / proof.NAME).write_bytes(proof.written(record))
    assert {one["status"]: one["checked"] for one in lines(boards).values()} == {
        "reproduced": "0.240000",
        "claimed": "0.000000",
    }
    assert "| reproduced, 24 % |" in (boards / "denoise" / "board.md").read_text()


def test_a_budget_that_its_preset_does_not_have_is_found(home, boards):
    wanted = ["denoise", "--methods", "dni", "--preset", "smoke", "--offline", "--set", "steps=1"]
    assert cli.main(["run", *wanted, "--jobs", "1"]) == 0
    assert cli.main(["board", "submit", *wanted, "--boards", str(boards)]) == 0
    (path,) = (boards / "denoise" / "entries").iterdir()
    assert verify.verify(path, "fast", Store(), offline=True).faults == []
    facts = json.loads((path / entry.NAME).read_bytes())
    facts["budget"]["steps"] *= 2
    (path / entry.NAME).write_bytes(schema.written(facts))
    (path / card.NAME).write_bytes(card.card(Entry(facts)))
    (fault,) = verify.verify(path, "fast", Store(), offline=True).faults
    assert fault == "budget: steps is 8, but its preset has 4"
    facts["training"] = []
    (path / entry.NAME).write_bytes(schema.written(facts))
    (path / card.NAME).write_bytes(card.card(Entry(facts)))
    first, second = verify.verify(path, "fast", Store(), offline=True).faults
    assert "no set is named, though its stages are trained here" in first and second == fault
