"""Every study by its command, from an empty store to its figure."""

import json
import subprocess
import sys

import pandas as pd
import pytest

from benchmark import cli, studies
from benchmark.studies import ablation
from tests.studies.conftest import SMOKE

SMALL = {
    "ablation": ("--methods", "ftn", "ftn:depthwise=true", "--levels", "0.2,1"),
    "content": ("--methods", "dni"),
    "cost": (),
    "dial-linearity": ("--methods", "dni"),
    "drop-in": ("--levels", "0.2,1"),
    "experts": ("--methods", "dni"),
    "filter-similarity": ("--task", "denoise", "--methods", "dni,ftn"),
    "joint": (
        "--task",
        "operators-4",
    ),
    "kernel-map": (
        "--task",
        "operators-4",
    ),
    "receptive-field": ("--task", "denoise", "--methods", "dni"),
    "seeds": ("--methods", "dni,ftn", "--seeds", "0,1", "--levels", "0.2,1"),
    "single-layer": (),
    "wrong-level": ("--methods", "dni"),
}


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory, at_home):
    """One store for all studies, so that they share what is trained."""
    store = tmp_path_factory.mktemp("studies") / "runs"
    with at_home(store) as patch:
        patch.setattr(ablation, "BLOCKS", (1, 2))
        yield store


def test_every_study_is_tested():
    assert sorted(SMALL) == studies.names()


@pytest.mark.parametrize("name", SMALL)
def test_one_command_makes_a_study(name, shared_home, capsys):
    assert cli.main(["analyze", name, *SMALL[name], *SMOKE]) == 0
    shown = capsys.readouterr().out
    assert "figure.svg" in shown
    (folder,) = (shared_home / "studies" / name).iterdir()
    assert {"about.json", "figure.png", "figure.svg"} < {path.name for path in folder.iterdir()}
    for path in folder.glob("*.csv"):
        assert len(pd.read_csv(path)) > 0, path
    for part in json.loads((folder / "about.json").read_bytes())["parts"]:
        assert ("levels" in part) != studies.get(name).own_levels
        assert part.get("levels", ["1"])[-1] == "1"


def test_a_study_made_again_trains_nothing_and_gives_the_same_files(shared_home, capsys):
    words = ["analyze", "wrong-level", *SMALL["wrong-level"], *SMOKE]
    assert cli.main(words) == 0
    stages = sorted((shared_home / "stages").iterdir())
    (folder,) = (shared_home / "studies" / "wrong-level").iterdir()
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    capsys.readouterr()
    assert cli.main(words) == 0
    assert "train" not in capsys.readouterr().err
    assert sorted((shared_home / "stages").iterdir()) == stages
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_what_answers_at_no_level_that_was_asked_for_has_no_receptive_field(shared_home, capsys):
    words = ["receptive-field", "--task", "denoise", "--methods", "experts", "--levels", "0.3"]
    assert cli.main(["analyze", *words, *SMOKE]) == 1
    assert "no method answers at these levels; give others" in capsys.readouterr().err


def test_what_is_left_out_of_a_study_that_trains_nothing_is_said(shared_home, capsys):
    words = ["analyze", "cost", "--task", "blur-noise", *SMOKE, "--methods"]
    assert cli.main([*words, "cfsnet"]) == 1
    error = capsys.readouterr().err
    assert "cfsnet: skipped: takes one control axis, not 2" in error
    assert "no method of this study takes the task" in error
    assert cli.main([*words, "dni,cfsnet"]) == 0
    assert "cfsnet: skipped: takes one control axis, not 2" in capsys.readouterr().err


def test_the_list_names_every_study_and_imports_nothing_heavy():
    code = (
        "import sys\nfrom benchmark.cli import main\nmain(['analyze', '--list'])\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    *lines, modules = done.stdout.splitlines()
    assert [one.split()[0] for one in lines] == studies.names()
    assert not {"torch", "pandas", "matplotlib", "sklearn", "lightning"} & {*modules.split()}


@pytest.mark.parametrize("name", studies.names())
def test_every_study_takes_its_own_task_and_methods(name, home, capsys):
    assert cli.main(["analyze", name, "--dry-run", *SMOKE]) == 0, capsys.readouterr().err
