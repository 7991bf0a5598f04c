"""What runs where: no cell without an answer, and the answers are what a plan says too."""

from __future__ import annotations

import json

import pytest

from benchmark import cli, config, plan, tasks
from benchmark.planning.request import Choice, Request
from benchmark.registry.discovery import default_methods, entries
from benchmark.store import Store
from benchmark.verbs import coverage

TASKS = ("denoise", "blur-noise", "blur-noise-jpeg", "filter-shock", "sr", "pixel-adaptive")


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return coverage.matrix(
        Store(tmp_path_factory.mktemp("runs")), TASKS, ("small", "nafnet", "swinir")
    )


def test_every_cell_says_yes_or_why_not(found):
    known = [entry.name for entry in entries() if entry.group != "network"]
    assert len(found) == len(known) * len(TASKS) * 3
    assert {place[0] for place in found} == set(known)
    reasons = {reason for reason in found.values() if reason}
    assert reasons and all(len(reason) > 10 and "Error" not in reason for reason in reasons)


def test_a_backbone_that_takes_no_level_map_is_told_apart(found):
    assert found["ftn", "pixel-adaptive", "small"] == ""
    assert "tokens" in found["ftn", "pixel-adaptive", "swinir"]
    assert "pixel by pixel" in found["tunable_conv", "pixel-adaptive", "nafnet"]
    assert "level map" in found["cdncnn", "pixel-adaptive", "small"]


def test_every_task_and_backbone_is_in_the_matrix(monkeypatch):
    monkeypatch.setattr(coverage, "_assembled", lambda *_: None)
    whole = coverage.matrix(Store())
    assert {place[1] for place in whole} == set(tasks.names())
    assert {place[2] for place in whole} == {e.name for e in entries() if e.group == "network"}


@pytest.mark.parametrize("task", ["denoise", "blur-noise", "filter-shock"])
def test_a_plan_skips_what_the_matrix_says_and_nothing_else(found, task, home):
    choices = tuple(Choice(name) for name in default_methods())
    smoke = config.preset("smoke")
    request = Request(task, choices, smoke, "small:blocks=2:width=8", (0,), offline=True)
    made = plan.make(request, Store())
    assert not made.failures
    skipped = {one.method: one.reason for one in made.skipped if one.reason.startswith("skipped")}
    expected = {one.method: found[one.method, task, "small"] for one in choices}
    assert skipped == {name: f"skipped: {why}" for name, why in expected.items() if why}


def test_a_backbone_that_a_method_refuses_is_named_with_the_reason():
    reasons = {"small": "", "rrdb": "too dense", "swinir": "too dense"}
    assert coverage._outcome(reasons) == "yes, not on rrdb, swinir (too dense)"
    assert coverage._outcome({"small": "a", "rrdb": "b"}) == "no, not on small (a), not on rrdb (b)"
    shown = coverage.page({("dni", "sr", one): reason for one, reason in reasons.items()})
    assert "1 x 1 x 3; 1 run, 2 do not" in shown
    assert shown.splitlines()[-1].strip() == "yes, not on rrdb, swinir (too dense): all tasks"


def test_the_matrix_is_printed_as_text_or_json(found, monkeypatch, capsys):
    monkeypatch.setattr(coverage, "matrix", lambda store: found)
    assert cli.main(["list", "--matrix"]) == 0
    shown = capsys.readouterr().out
    assert "no, takes one control axis, not 2: blur-noise" in shown
    # Methods of the same answers stand together.
    assert "cfsnet, dynamic_net, ftn, hypernet\n" in shown
    assert max(map(len, shown.splitlines())) <= 100
    assert cli.main(["list", "--matrix", "--json"]) == 0
    cells = json.loads(capsys.readouterr().out)
    assert {(one["method"], one["task"], one["backbone"]): one["reason"] for one in cells} == found
    assert cli.main(["list", "--json"]) == 2
