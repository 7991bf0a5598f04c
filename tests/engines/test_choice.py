"""The engine that --engine names, before anything is run."""

import importlib.util
import shutil
import subprocess
import sys

import pytest

from benchmark import cli
from benchmark.errors import UserError
from benchmark.registry import engines

RUN = ["run", "sr", "--preset", "smoke", "--methods", "floor", "--dry-run", "--engine"]


def without(monkeypatch, package):
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: name != package and real(name, *rest)
    )
    # ``find_spec`` answers None for a package that is not there.
    monkeypatch.setattr(engines, "_installed", lambda name: bool(importlib.util.find_spec(name)))


@pytest.mark.parametrize(("engine", "package"), [("ray", "ray"), ("slurm", "submitit")])
def test_a_missing_package_is_one_sentence_that_says_how_to_get_it(
    home, capsys, monkeypatch, engine, package
):
    without(monkeypatch, package)
    assert cli.main([*RUN, engine]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert f"in the folder of dialbench run: pip install -e '.[{engine}]'" in error


def test_slurm_needs_a_host_that_submits(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(UserError, match="no sbatch"):
        engines.engine("slurm")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lokal", "did you mean 'local'"),
        ("local:chunk=2", "no option 'chunk'; local takes: timeout"),
        ("ray:cpus=0", "cpus must be a whole number of 1 or more"),
        ("ray:cpus=1.5", "cpus must be a whole number"),
        ("ray:gpus=-1", "gpus must be a number of 0 or more"),
        ("local:timeout=soon", "timeout must be a number of 1 or more"),
        ("slurm:chunk=true", "chunk must be a whole number"),
        ("slurm:minutes=2", "minutes must be a whole number of 3 or more"),
        ("slurm:memory=1e999", "memory must be a number of 1 or more"),
        ("ray:address=10.0.0.1:6379", "RAY_ADDRESS=10.0.0.1:6379"),
    ],
)
def test_wrong_engines_and_options_are_named(home, capsys, text, message):
    assert cli.main([*RUN, text]) == 2
    assert message in capsys.readouterr().err


def test_options_are_handed_over():
    assert engines.engine("ray:address=auto:cpus=4").options == {"address": "auto", "cpus": 4}
    assert engines.engine("local:timeout=90").options == {"timeout": 90}
    assert engines.engine("ray:gpus=0.5:retries=0").options == {"gpus": 0.5, "retries": 0}


@pytest.mark.parametrize("name", ["00", "1e5", "1_000", "0x10", "true", "cpu"])
def test_names_of_a_cluster_are_handed_over_as_they_are_written(name, monkeypatch):
    monkeypatch.setattr(engines, "_installed", lambda name: True)
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/sbatch")
    for quoted in (name, f"'{name}'"):
        chosen = engines.engine(f"slurm:account={quoted}:chunk=2:qos={quoted}")
        assert chosen.options == {"account": name, "chunk": 2, "qos": name}
        assert engines.engine(str(chosen)) == chosen


def test_choosing_an_engine_imports_none():
    code = (
        "import sys\n"
        "from benchmark.registry import engines\n"
        "engines.engine('ray:cpus=2')\n"
        "sys.exit(bool({'ray', 'submitit', 'torch'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("option", ["ray:address", "slurm:partition", "slurm:chunk=2:account"])
def test_an_option_without_a_value_is_not_the_default(monkeypatch, option):
    monkeypatch.setattr(shutil, "which", lambda name: name)
    with pytest.raises(UserError, match="has no value; give one, or leave it out"):
        engines.engine(f"{option}=")
