"""The mirror where there is no wandb: these tests need none."""

import subprocess
import sys

import pytest

from benchmark import cli, tasks, tracking
from benchmark.verbs import bench
from tests.wandb_files import build


def test_importing_the_mirror_does_not_import_wandb():
    code = "import sys, benchmark.tracking; assert not {'wandb', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_wandb_the_mirror_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    said = tracking.mirror(build(tmp_path / "pictures"), tasks.get("sr"), tmp_path)
    assert "pip install wandb" in said.text and said.failed


@pytest.mark.parametrize("words", ["run denoise --wandb", "sweep denoise --wandb", "publish"])
def test_what_forbids_a_mirror_is_said_before_any_work(words, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(bench, "Store", lambda: pytest.fail("this was accepted"))
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])

    def said() -> str:
        assert cli.main(words.split()) == 2
        return capsys.readouterr().err

    for mode in ("banana", "OFFLINE"):
        monkeypatch.setenv("WANDB_MODE", mode)
        assert said() == (
            f"dialbench: unknown WANDB_MODE '{mode}'; choose from: online, offline, disabled, dryrun\n"
        )
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setitem(sys.modules, "wandb", None)
    assert said() == "dialbench: to mirror results wandb is needed; run pip install wandb\n"
    # A folder that offline runs left is no package.
    monkeypatch.delitem(sys.modules, "wandb")
    (tmp_path / "wandb").mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert said() == "dialbench: to mirror results wandb is needed; run pip install wandb\n"


def test_long_tables_are_split_since_wandb_would_cut_them_off():
    parts = list(tracking.pieces("rows", list(range(7)), 3))
    assert parts == [("rows", [0, 1, 2]), ("rows-2", [3, 4, 5]), ("rows-3", [6])]
    assert list(tracking.pieces("rows", [], 3)) == [("rows", [])]
