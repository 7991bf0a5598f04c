"""What is said of images before anything is computed."""

import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmark import cli
from benchmark.errors import UserError
from benchmark.metrics import records
from benchmark.metrics.protocol import PROTOCOLS
from benchmark.metrics.scorer import Scorer, availability
from benchmark.plan import make
from benchmark.planning.inspection import inspect, least_side
from benchmark.planning.request import request_of
from benchmark.store import Store

SMALL = ("--preset", "smoke", "--levels", "0,1", "--offline")


def save(path, height, width):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def notes(home):
    def of(*words, task="denoise", **options):
        top, _ = cli.parser()
        return inspect(
            make(request_of(top.parse_args(["run", task, *SMALL, *words])), Store()), **options
        )

    return of


@pytest.mark.parametrize("metric", records.METRICS)
def test_the_least_side_is_that_from_which_a_metric_has_a_value(metric):
    if records.get(metric).of_dial or availability([metric], offline=True)[metric]:
        pytest.skip("it cannot be computed here, or not of a pair")
    protocol = replace(PROTOCOLS["rgb"], shave=3)
    least, score = least_side(metric, protocol), Scorer([metric], protocol, offline=True).score
    for side in {max(least - 1, 5), max(least, 5)}:
        one, other = torch.rand(2, 3, side, 120, generator=torch.Generator().manual_seed(0))
        found = score(one, other, other)[metric]
        assert (found.status == "ok") == (side >= least), found


def test_nothing_is_said_of_the_built_in_images(notes):
    assert notes("--methods", "adafm") == []


def test_what_is_not_read_is_named(notes, tmp_path):
    save(tmp_path / "mine" / "a.png", 100, 100)
    save(tmp_path / "mine" / "b.gif", 100, 100)
    save(tmp_path / "mine" / "more" / "c.png", 100, 100)
    (tmp_path / "mine" / "masks").mkdir()
    (tmp_path / "mine" / "readme.txt").write_text("about")
    (said,) = notes("--methods", "floor", "--test", str(tmp_path / "mine"))
    assert said == "mine: not read, because of their kind or place: b.gif, more/"


@pytest.mark.parametrize("name", ["b.jfif", "b.JPE", "b.pnm", "b.dng"])
def test_photographs_under_rarer_endings_are_not_left_out_without_a_word(notes, tmp_path, name):
    save(tmp_path / "mine" / "a.png", 100, 100)
    (tmp_path / "mine" / name).write_bytes(b"a photograph")
    (said,) = notes("--methods", "floor", "--test", str(tmp_path / "mine"))
    assert said == f"mine: not read, because of their kind or place: {name}"


def test_a_subfolder_that_one_may_not_look_into_is_no_reason_to_fail(notes, tmp_path, monkeypatch):
    save(tmp_path / "mine" / "a.png", 100, 100)
    (tmp_path / "mine" / "lost+found").mkdir()
    listed = Path.iterdir

    def closed(path):
        if path.name == "lost+found":
            raise PermissionError(13, "Permission denied")
        return listed(path)

    monkeypatch.setattr(Path, "iterdir", closed)
    assert notes("--methods", "floor", "--test", str(tmp_path / "mine")) == []


def test_images_too_small_for_a_metric_are_named_with_the_way_out(notes, tmp_path):
    folder = tmp_path / "mine"
    for name, side in (("a", 100), ("b", 40), ("c", 10)):
        save(folder / f"{name}.png", side, 100)
    first, second = notes("--methods", "floor", "--test", str(folder))
    assert first.startswith("mine: no mean of SSIM-RGB, LPIPS, since 1 image is too small: c;")
    assert "no mean of NIQE, NIQE-BSDS, since 2 images are too small: b, c;" in second
    assert notes("--methods", "floor", "--test", f"{folder}:without=b+c") == []
    assert f"--test {folder}:without=b+c tests" in second
    (again,) = notes("--methods", "floor", "--test", f"{folder}:without=c")
    assert f"--test {folder}:without=c+b tests" in again
    assert notes("--methods", "floor", "--test", str(folder), sweep=False) == []


def test_a_way_out_can_be_pasted_into_a_shell(notes, tmp_path):
    folder = tmp_path / "my images"
    save(folder / "a.png", 200, 200)
    save(folder / "b (copy).png", 40, 100)
    (note,) = notes("--methods", "floor", "--test", str(folder))
    _, test, spec, *_ = shlex.split(note.partition("; ")[2].replace("--test", "x --test"))
    assert test == "--test" and notes("--methods", "floor", "--test", spec) == []
    # What joins names, or sets, cannot stand in one.
    for odd in ("c+d.png", "c,d.png"):
        save(folder / odd, 40, 100)
        (note,) = notes("--methods", "floor", "--test", str(folder))
        assert "--test" not in note
        (folder / odd).unlink()


def test_images_too_small_to_train_or_test_on_are_refused_together(notes, tmp_path):
    folder = tmp_path / "mine"
    for index in range(3):
        save(folder / f"{index}.png", 20 if index else 96, 96)
    with pytest.raises(UserError, match=r"2 images .*: 1\.png is 96x20, smaller .* 32, 2\.png is"):
        notes("--methods", "adafm", "--train", str(folder))
    assert notes("--methods", "adafm", "--train", str(folder), train=False) == []
    save(folder / "1.png", 7, 96)
    save(folder / "2.png", 6, 96)
    with pytest.raises(UserError, match=r"1\.png is 96x7, and denoise needs 8 pixels .*2\.png"):
        notes("--methods", "floor", "--test", str(folder))


def test_a_run_says_it_and_trains_nothing_on_what_is_refused(home, tmp_path, capsys):
    save(tmp_path / "mine" / "a.png", 20, 96)
    words = ["run", "denoise", *SMALL, "--methods", "adafm", "--train", str(tmp_path / "mine")]
    for more in ([], ["--dry-run"]):
        assert cli.main([*words, *more]) == 2
        assert "a.png is 96x20, smaller than a training patch of 32" in capsys.readouterr().err
    assert not list(home.rglob("*.safetensors"))


def test_damage_behind_the_head_is_told_of_all_images_before_training(home, tmp_path, capsys):
    for index in range(3):
        path = tmp_path / "mine" / f"{index}.png"
        save(path, 96, 96)
        path.write_bytes(path.read_bytes()[: 2000 if index else None])
    words = ["run", "denoise", *SMALL, "--methods", "adafm", "--test", str(tmp_path / "mine")]
    assert cli.main(words) == 2
    said = capsys.readouterr().err
    assert "2 images cannot be used: 1.png is damaged or not an image, 2.png is damaged" in said
    assert not list(home.rglob("*.safetensors"))


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ("denoise --set crop=1", "remove them, or give a larger --set crop"),
        ("denoise --set patch=4000", "remove them, or give a smaller --set patch"),
        ("sr --set patch_sr=4000", "remove them, or give a smaller --set patch_sr"),
    ],
)
def test_a_setting_that_leaves_no_image_is_named(words, advice, home, capsys):
    assert cli.main(["run", *words.split(), "--preset", "smoke", "--offline", "--dry-run"]) == 2
    assert advice in capsys.readouterr().err


def test_weights_that_are_to_lie_where_no_folder_is_are_no_silence(
    home, tmp_path, capsys, monkeypatch
):
    monkeypatch.setenv("DIALBENCH_WEIGHTS", str(tmp_path / "gone"))
    assert cli.main(["run", "denoise", *SMALL, "--methods", "floor"]) == 2
    assert "DIALBENCH_WEIGHTS names" in capsys.readouterr().err
    (tmp_path / "gone").mkdir()
    assert cli.main(["run", "denoise", *SMALL, "--methods", "floor"]) == 0
