"""What errors say."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

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


def test_a_python_without_the_packages_says_which_and_how_to_get_them():
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    # Without the module site, Python finds its own library and what lies here.
    command = [sys.executable, "-S", "-m", "benchmark", "run", "denoise"]
    done = subprocess.run(
        command, capture_output=True, text=True, env=env, cwd=Path(errors.__file__).parents[1]
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"dialbench: {sys.executable} does not have the package torch, which this needs; run make "
        "setup in the folder of dialbench and take its .venv/bin/dialbench"
    )


def test_a_module_of_our_own_that_is_gone_is_no_missing_package():
    assert errors.not_installed(ModuleNotFoundError("no", name="benchmark.gone")) is None
    assert errors.not_installed(ModuleNotFoundError("no")) is None


def test_where_the_folder_is_not_there_the_installation_is_to_be_repeated(monkeypatch):
    monkeypatch.setattr(errors, "in_own_folder", lambda: False)
    said = errors.not_installed(ModuleNotFoundError("no", name="scipy.special"))
    assert said.endswith(
        "the package scipy, which this needs; install dialbench again, with all that it requires"
    )
