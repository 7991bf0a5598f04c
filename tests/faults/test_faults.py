"""What goes wrong for users: each time one clear line, and nothing else stops."""

import json
from pathlib import Path
from unittest.mock import ANY

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchmark import cli

SMALL = ["--preset", "smoke", "--set", "steps=1", "--levels", "0,1", "--offline", "--jobs", "1"]

METHOD = '''
import torch
from benchmark.method import ControlMethod, Stage, Uniform


class {name}(ControlMethod):
    """A level scales the output."""

    def build(self, backbone, control):
        self.gain = torch.nn.Parameter(torch.ones(1))

    def stages(self, task):
        return [Stage("joint", ("",), Uniform())]

    def forward(self, x, level):
        return self.backbone(x) * {factor}
'''


@pytest.fixture
def run(home, capsys):
    """Runs a command line; returns its exit code and what it wrote to stderr."""

    def call(*words: str) -> tuple[int, str]:
        capsys.readouterr()
        code = cli.main([*words])
        return code, capsys.readouterr().err

    return call


def method_file(folder: Path, stem: str, factor: str = "self.gain") -> str:
    file = folder / f"{stem}.py"
    file.write_text(METHOD.format(name=stem.title().replace("_", ""), factor=factor))
    return str(file)


def methods_in_table(home: Path, task: str = "sr") -> set[str]:
    return set(pd.read_csv(home / "report" / task / "table.csv")["method"])


def one_failure(error: str) -> str:
    """Returns the only failure listed at the end of a run."""
    _, failed, rest = error.partition("shows where):\n")
    assert failed
    (line,) = rest.strip().splitlines()
    return line


def test_debug_shows_where_a_job_and_a_method_of_someone_else_failed(run, home, tmp_path):
    bad = method_file(tmp_path, "raising", "int('none')")
    broken = tmp_path / "broken.py"
    broken.write_text("import nowhere_at_all\n")
    words = ["run", "sr", *SMALL, "--methods", "floor", "--method", bad, "--method", str(broken)]
    for _ in range(2):
        code, error = run(*words, "--debug")
        assert code == 1
        _, _, rest = error.partition("failed:\n")
        assert "  raising: ValueError" in rest and "raising.py" in rest
        assert "  broken: " in rest and "ModuleNotFoundError" in rest and "broken.py" in rest
        assert rest.count("Traceback") >= 2
    code, error = run(*words)
    assert "Traceback" not in error and "failed (--debug shows where):" in error


def test_a_method_with_a_nan_loss_fails_and_the_others_finish(run, home, tmp_path):
    bad = method_file(tmp_path, "nan_method", "float('nan') * self.gain")
    words = ["run", "sr", *SMALL, "--methods", "floor,dni", "--method", bad]
    code, error = run(*words)
    assert code == 1
    assert "nan_method" in one_failure(error)
    assert "not finite" in one_failure(error)
    assert methods_in_table(home) == {"floor", "dni"}
    assert "not finite" in (home / "report" / "sr" / "table.md").read_text()
    reasons = [json.loads(path.read_text())["reason"] for path in (home / "failures").iterdir()]
    assert all("not finite" in reason for reason in reasons)

    code, error = run(*words)
    assert (code, "[2/2]" in error) == (1, True), "only the failed method is tried again"


def test_a_method_whose_last_gradient_is_not_finite_fails_and_its_weights_are_not_stored(
    run, home, tmp_path
):
    # The loss is: of a square root at 0, only the slope has no end.
    bad = method_file(tmp_path, "endless", "(self.gain + 0 * (0 * self.gain).sqrt())")
    code, error = run("run", "sr", *SMALL, "--methods", "floor", "--method", bad)
    assert code == 1
    assert "endless: the weights of stage 'joint' are not finite" in one_failure(error)
    assert not list(home.glob("stages/*/stage.json"))


def test_a_mask_without_end_is_no_weight_that_training_spoiled(run, home, tmp_path):
    mask = "self.mask.softmax(0)[0] * self.gain"
    file = Path(method_file(tmp_path, "masked", mask))
    text, gain = file.read_text(), "        self.gain = "
    assert gain in text
    own = "        self.register_buffer('mask', torch.tensor([0.0, -torch.inf]))\n"
    file.write_text(text.replace(gain, own + gain))
    code, error = run("run", "sr", *SMALL, "--methods", "floor", "--method", str(file))
    assert code == 0, error
    assert methods_in_table(home) == {"floor", "masked"}


@pytest.mark.parametrize("where", ["forward", "stages"])
def test_a_method_that_ends_the_process_fails_alone(run, home, tmp_path, where):
    file = tmp_path / f"leaves_in_{where}.py"
    method_file(tmp_path, file.stem)
    named = f"def {where}("
    before, _, after = file.read_text().partition(named)
    signature, _, rest = after.partition("\n")
    file.write_text(f"{before}{named}{signature}\n        raise SystemExit(0)\n{rest}")
    code, error = run("run", "sr", *SMALL, "--methods", "floor", "--method", str(file))
    assert code == 1
    assert f"{file.stem}: SystemExit" in one_failure(error)
    assert methods_in_table(home) == {"floor"}


def test_a_method_file_that_does_not_import_fails_alone_and_is_cleared_when_repaired(
    run, home, tmp_path
):
    file = tmp_path / "typo_method.py"
    file.write_text("import torhc\n")
    words = ["run", "sr", *SMALL, "--methods", "floor", "--method", str(file)]
    code, error = run(*words)
    assert code == 1
    assert "torhc" in one_failure(error)
    assert methods_in_table(home) == {"floor"}
    assert len(list((home / "failures").iterdir())) == 1

    method_file(tmp_path, "typo_method")
    assert run(*words)[0] == 0
    assert methods_in_table(home) == {"floor", "typo_method"}
    assert list((home / "failures").iterdir()) == []


def test_two_things_of_one_name_are_refused(run, home, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name / "HR").mkdir(parents=True)
        Image.new("RGB", (64, 64)).save(tmp_path / name / "HR" / f"{name}.png")
        method_file(tmp_path / name, "mine")
    sets = ",".join(str(tmp_path / name / "HR") for name in ("one", "two"))
    code, error = run("run", "sr", *SMALL, "--methods", "floor", "--test", sets)
    assert code == 2 and "are both called 'HR'; rename one folder" in error
    files = [str(tmp_path / name / "mine.py") for name in ("one", "two")]
    code, error = run("run", "sr", *SMALL, "--method", files[0], "--method", files[1])
    assert code == 2 and "are both called 'mine'; rename one file" in error


@pytest.mark.parametrize(
    ("setting", "what"),
    [("schedule=cosine", "choose one-cycle or constant"), ("batch=0", "give 1 or more")],
)
def test_a_setting_without_a_meaning_is_refused(run, home, setting, what):
    code, error = run("run", "sr", *SMALL, "--set", setting)
    assert code == 2 and what in error


def test_a_method_that_cannot_be_built_fails_alone(run, home, tmp_path):
    file = tmp_path / "unbuilt_method.py"
    text = METHOD.format(name="Unbuilt", factor="1")
    file.write_text(text.replace("torch.nn.Parameter(torch.ones(1))", "backbone.no_such_layer"))
    code, error = run("run", "sr", *SMALL, "--methods", "floor", "--method", str(file))
    assert code == 1
    assert "no_such_layer" in one_failure(error)
    assert methods_in_table(home) == {"floor"}


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "empty"),
        (b"no image at all", "not an image"),
        (None, "damaged"),
    ],
    ids=["empty", "not an image", "truncated"],
)
@pytest.mark.parametrize("split", ["train", "test"])
def test_a_bad_image_is_named(run, photographs, split, content, what):
    bad = photographs / "p1.png"
    bad.write_bytes(bad.read_bytes()[:2000] if content is None else content)
    method = "dni" if split == "train" else "floor"
    code, error = run("run", "sr", *SMALL, "--methods", method, f"--{split}", str(photographs))
    assert code in (1, 2)
    assert str(bad) in error.strip().splitlines()[-1]
    assert what in error
    assert "Traceback" not in error


@pytest.mark.parametrize("words", [["run", "sr", *SMALL, "--methods", "floor"], ["data", "check"]])
def test_an_image_whose_name_is_not_utf_8_is_named(run, photographs, words):
    (photographs / "p1.png").rename(photographs / "p\udce4.png")
    code, error = run(*words, "--test", str(photographs))
    assert code == 2
    assert error.splitlines()[-1].startswith("dialbench: p\\udce4: this name is not UTF-8")


def test_a_set_whose_folder_is_not_utf_8_is_named_before_anything_is_trained(
    run, photographs, home
):
    folder = photographs.rename(photographs.with_name("l\udcf6n"))
    code, error = run("run", "sr", *SMALL, "--methods", "floor", "--test", str(folder))
    assert code == 2
    assert error.splitlines()[-1].startswith("dialbench: l\\udcf6n: this name is not UTF-8")
    assert not (home / "cells").exists()


def test_a_store_in_a_folder_that_is_not_utf_8_has_its_report(run, tmp_path, monkeypatch):
    home = tmp_path / "l\udcf6n"
    monkeypatch.setenv("DIALBENCH_HOME", str(home))
    assert run("run", "denoise", *SMALL, "--methods", "floor") == (0, ANY)
    assert "floor" in methods_in_table(home, "denoise")
    assert (home / "report" / "denoise" / "strip.png").is_file()


def test_a_missing_folder_and_an_empty_one_are_named(run, tmp_path):
    for name in ("nowhere", "empty"):
        (tmp_path / "empty").mkdir(exist_ok=True)
        code, error = run("run", "sr", *SMALL, "--methods", "floor", "--test", str(tmp_path / name))
        assert (code, error.count("\n")) == (2, 1)
        assert name in error


def test_an_image_smaller_than_a_patch_is_named(run, tmp_path):
    folder = tmp_path / "tiny"
    folder.mkdir()
    Image.fromarray(np.zeros((40, 100, 3), np.uint8)).save(folder / "low.png")
    code, error = run("run", "sr", *SMALL, "--methods", "floor,dni", "--train", str(folder))
    assert (code, error.count("\n")) == (2, 1)
    assert "low.png is 100x40, smaller than a training patch" in error


def test_a_store_that_cannot_be_written_to_is_one_line(run, home):
    home.write_text("a file stands where the folder should be")
    code, error = run("run", "sr", *SMALL, "--methods", "floor")
    assert (code, error.count("\n")) == (2, 1)
    assert "DIALBENCH_HOME" in error


def test_a_full_disk_is_a_clear_failure(run, home, monkeypatch):
    import errno
    import os

    real = os.fsync

    def full(descriptor: int) -> None:
        if "model.safetensors" in os.readlink(f"/proc/self/fd/{descriptor}"):
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    code, error = run("run", "sr", *SMALL, "--methods", "floor,dni")
    assert code == 1
    assert "disk is full" in one_failure(error)
    assert methods_in_table(home) == {"floor"}


def test_what_failed_is_named_also_where_no_failure_can_be_recorded(run, home, monkeypatch):
    import errno
    import os

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    code, error = run("run", "denoise", *SMALL, "--methods", "floor")
    assert code == 1
    assert one_failure(error).strip().startswith("floor: the disk is full")


def test_a_damaged_cell_is_scored_again_and_the_table_stays_the_same(run, home):
    words = ["run", "denoise", *SMALL, "--methods", "floor"]
    assert run(*words)[0] == 0
    table = home / "report" / "denoise" / "table.csv"
    before = table.read_bytes()
    cell = next((home / "cells" / "denoise").glob("*.json"))
    cell.write_bytes(cell.read_bytes()[:100])
    code, error = run(*words)
    assert code == 0
    assert "[1/1] sweep floor" in error
    assert table.read_bytes() == before


def test_a_method_that_cannot_take_the_task_is_shown_with_its_reason(run, home, tmp_path):
    file = tmp_path / "choosy_method.py"
    skip = '\n    def skip(self, task):\n        return "it dislikes super-resolution"\n'
    file.write_text(METHOD.format(name="Choosy", factor="1") + skip)
    code, error = run("run", "sr", *SMALL, "--methods", "floor", "--method", str(file))
    assert code == 0
    assert "dislikes" in error
    assert "dislikes" in (home / "report" / "sr" / "table.md").read_text()
