"""What errors say."""

from __future__ import annotations

import importlib.metadata

import pytest

from benchmark import config, degradations, errors, operators, tasks
from benchmark.errors import UserError, unknown
from benchmark.metrics import protocol, records


def test_an_unknown_name_is_told_with_the_choices_and_the_nearest():
    assert unknown("dial", "lefel", ["map", "level"]) == (
        "unknown dial 'lefel' (did you mean 'level'?); choose from: map, level"
    )
    assert unknown("dial", "knob", ["map"]) == "unknown dial 'knob'; choose from: map"


@pytest.mark.parametrize(
    ("get", "kind", "name", "near"),
    [
        (config.preset, "preset", "laptob", "laptop"),
        (degradations.get, "degradation", "jpg", "jpeg"),
        (operators.get, "operator", "shok", "shock"),
        (protocol.get, "protocol", "flaot", "float"),
        (records.get, "metric", "psnr-rbg", "psnr-rgb"),
        (tasks.get, "task", "denoize", "denoise"),
    ],
)
def test_whatever_is_asked_for_by_name_suggests_the_nearest(get, kind, name, near):
    said = f"unknown {kind} '{name}' \\(did you mean '{near}'\\?\\); choose from: .*{near}"
    with pytest.raises(UserError, match=said):
        get(name)


@pytest.mark.parametrize(
    ("there", "required", "said"),
    [
        (True, ['gradio>=6; extra == "demo"'], "in the folder of dialbench run: pip install -e"),
        (False, ["numpy>=2", 'gradio>=6; extra == "demo"'], "run: pip install 'gradio>=6'"),
        (False, None, "in the folder of dialbench run: pip install -e '.[demo]'"),
    ],
)
def test_what_an_extra_brings_is_named_where_its_folder_is_not_there(
    monkeypatch, there, required, said
):
    monkeypatch.setattr(errors, "in_own_folder", lambda: there)
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: required)
    assert errors.to_get("demo").startswith(said)
