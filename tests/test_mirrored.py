"""What is to be mirrored in Weights & Biases: which runs there are, and what they are told apart by."""

import math
from pathlib import Path

import pandas as pd
import pytest

from benchmark import mirrored, tasks
from benchmark.results import Results
from tests.wandb_files import LPIPS, PSNR, build


def test_run_ids_depend_on_who_was_trained_but_not_on_the_numbers(tmp_path):
    task = tasks.get("sr")
    one = mirrored.runs(build(tmp_path / "p", ("dni",), (0, 1)), task, {}, tmp_path / "no")
    more = build(tmp_path / "p", ("dni", "ftn"), (0, 1), gain=2.0)
    other = mirrored.runs(more, task, {}, tmp_path / "no")
    assert [run.id for run in one] == [run.id for run in (*other[:2], other[-1])]
    assert len({run.id for run in other}) == 5
    assert one[0].digests() != other[0].digests()


@pytest.mark.parametrize(
    ("column", "value"),
    [("weights_sha256", "other"), ("dataset", "set14"), ("preset", "laptop:steps=9")],
)
def test_other_weights_sets_and_budgets_are_other_runs(tmp_path, column, value):
    """W&B cannot take history back: two networks in one run would stay mixed."""
    task = tasks.get("sr")
    one, other = build(tmp_path / "p"), build(tmp_path / "p")
    other.rows[column] = value
    ids = [[run.id for run in mirrored.runs(a, task, {}, tmp_path)] for a in (one, other)]
    assert ids[0][0] != ids[1][0]
    # The report is of a budget and of data sets, whoever is in it.
    assert (ids[0][1] == ids[1][1]) == (column == "weights_sha256")


def test_runs_of_two_budgets_have_each_their_own_pictures(tmp_path):
    one, other = build(tmp_path / "one"), build(tmp_path / "other")
    for table in (other.rows, other.costs, other.pictures):
        table.loc[table["method"] == "dni", "preset"] = "smoke"
    pairs = ((one.rows, other.rows), (one.costs, other.costs), (one.pictures, other.pictures))
    both = Results(*map(pd.concat, pairs))
    *found, _ = mirrored.runs(both, tasks.get("sr"), {}, tmp_path)
    folders = [Path(run.pictures["0"]["set5/restored"]).parent.name for run in found]
    assert [run.kind for run in found] == ["laptop", "smoke"] and folders == ["one", "other"]


def test_reports_of_networks_trained_on_other_sets_are_other_runs(tmp_path):
    results, task = build(tmp_path / "p"), tasks.get("sr")
    ids = {
        mirrored.runs(results, task, {}, tmp_path, {"sets": [name]})[-1].id
        for name in ("t91", "bsds500-train")
    }
    assert len(ids) == 2


def test_keys_of_metrics_hold_the_release_only_to_tell_two_apart():
    names = mirrored.short_names([PSNR, LPIPS, "niqe@pyiqa-0.1.16", "niqe@dialbench-bsds"])
    keys = ["psnr-y601", "lpips-alex", "niqe-pyiqa-0-1-16", "niqe-dialbench-bsds"]
    assert list(names.values()) == keys


def test_keys_of_sets_tell_names_apart_that_differ_in_what_keys_cannot_hold():
    names = ("夜景", "人像", "s.1", "s-1", "a b", "a/b", "s-1-2", "set5")
    assert mirrored.set_keys(names) == {
        "s-1": "s-1", "s-1-2": "s-1-2", "set5": "set5", "a b": "a-b", "a/b": "a-b-2",
        "s.1": "s-1-3", "人像": "set", "夜景": "set-2",
    }  # fmt: skip


def test_no_set_takes_the_numbers_pictures_or_points_of_another(tmp_path):
    one, other = build(tmp_path / "one"), build(tmp_path / "other", gain=1.0)
    for name, results in (("夜景", one), ("人像", other)):
        for table in (results.rows, results.pictures):
            table["dataset"] = name
    tables = ((one.rows, other.rows), (one.pictures, other.pictures))
    rows, pictures = map(pd.concat, tables)
    run, _ = mirrored.runs(Results(rows, one.costs, pictures), tasks.get("sr"), {}, tmp_path)
    start = run.levels["0"]
    assert (start["set-2/psnr-y601"], start["set/psnr-y601"]) == (28.0, 29.0)
    folders = {key: Path(path).parent.name for key, path in run.pictures["0"].items()}
    assert folders["set-2/restored"] == "one" and folders["set/restored"] == "other"
    assert len(folders) == 6 and len(run.curve) == 6


def test_a_level_without_numbers_is_neither_skipped_nor_replaced_by_the_next(tmp_path):
    results = build(tmp_path / "store")
    missing = results.rows["level"] == "0"
    results.rows.loc[missing, ["value", "status", "reason"]] = [math.nan, "null", "no weights"]
    one, *_ = mirrored.runs(results, tasks.get("sr"), {}, tmp_path / "report")
    assert [*one.levels] == ["0", "0.5", "1"] and one.levels["0"] == {}
    assert {key.partition("/")[0] for key in one.summary if "/" in key} == {"end"}
    assert "set5/restored" in one.pictures["0"] and set(one.pictures) == set(one.levels)
