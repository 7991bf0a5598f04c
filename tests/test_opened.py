"""Trained methods and images, opened from Python."""

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from benchmark import cli
from benchmark.errors import UserError
from benchmark.opened import as_image, open_method, read_image, to_pixels

WORDS = ("--preset", "smoke", "--set", "steps=2", "--offline", "--jobs", "1")
SMOKE = {"preset": "smoke", "changes": ["steps=2"], "offline": True}


def test_a_photograph_is_restored_at_a_level(home, photographs, capsys):
    assert cli.main(["train", "denoise", "--methods", "dni", *WORDS]) == 0
    method = open_method("denoise", "dni", **SMOKE)
    x = read_image(photographs / "p0.png")
    assert np.array_equal(to_pixels(x[0]), np.asarray(Image.open(photographs / "p0.png")))
    output = method(x, 0.3)
    assert not method.training and not output.requires_grad
    assert torch.allclose(output, method.tuned((0.3,))(x), atol=1e-6)
    assert to_pixels(output[0] * 9).dtype == np.uint8


@pytest.mark.parametrize(
    ("task", "method", "options", "said"),
    [
        ("denoise", "dni", SMOKE, "nothing is trained for this; run 'dialbench train denoise'"),
        ("denoise", "nobody", {}, "nobody"),
        ("denoise", "dni,ftn", {}, "unknown method 'dni,ftn'"),
        ("blur-noise", "adafm", SMOKE, "adafm: skipped: takes one control axis, not 2"),
        ("denoise", "ffdnet", SMOKE, "ffdnet: not imported: run 'dialbench import ffdnet FILE'"),
        ("denoise", "dni", {"changes": ["stepps=2"]}, "unknown setting 'stepps'"),
    ],
)
def test_what_cannot_be_opened_is_one_sentence(task, method, options, said, home):
    with pytest.raises(UserError, match=said):
        open_method(task, method, **options)


def test_opening_from_python_does_without_the_command_line():
    code = "import sys, benchmark.opened; assert 'benchmark.cli' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_file_that_is_not_there_is_said(tmp_path):
    for path in (tmp_path, tmp_path / "none.png"):
        with pytest.raises(UserError, match=f"there is no file {path}; name an image"):
            read_image(str(path))


@pytest.fixture(scope="module")
def opened(tmp_path_factory, at_home):
    with at_home(tmp_path_factory.mktemp("opened")):
        assert cli.main(["train", "denoise", "--methods", "cfsnet", *WORDS]) == 0
        yield open_method("denoise", "cfsnet", **SMOKE)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (torch.rand(3, 8, 8), r"torch.float32 of shape \(3, 8, 8\); give images"),
        (torch.rand(1, 1, 8, 8), r"shape \(1, 1, 8, 8\)"),
        (torch.rand(1, 4, 8, 8), r"shape \(1, 4, 8, 8\)"),
        (torch.rand(0, 3, 8, 8), r"shape \(0, 3, 8, 8\)"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), "torch.uint8"),
        (torch.full((1, 3, 8, 8), 200.0), "values up to 200; give numbers from 0 to 1"),
        (torch.full((1, 3, 8, 8), float("nan")), "values up to nan"),
    ],
)
def test_an_opened_method_says_what_is_no_image(given, said, opened):
    with pytest.raises(UserError, match=said):
        opened(given, 0.5)


def test_an_opened_method_is_a_module_like_any_other(opened):
    x = torch.rand(2, 3, 9, 11)
    noisy = x + 80 / 255 * torch.randn_like(x)
    expected = opened(noisy, 0.5)
    assert torch.equal(pickle.loads(pickle.dumps(opened))(noisy, 0.5), expected)
    assert torch.equal(copy.deepcopy(opened)(noisy, 0.5), expected)
    assert torch.allclose(opened.tuned((0.5,))(noisy), expected, atol=1e-6)


def test_an_opened_method_runs_where_images_have_no_values(opened):
    far = copy.deepcopy(opened).to("meta")
    x = torch.rand(1, 3, 9, 11, device="meta")
    assert far(x, 0.5).shape == far.tuned(0.5)(x).shape == x.shape


def test_arrays_become_images_as_files_do(photographs):
    path = photographs / "p0.png"
    file, x = Image.open(path), read_image(path)
    pixels = np.asarray(file)
    alpha = np.dstack([pixels, np.full(pixels.shape[:2], 9, np.uint8)])
    for given in (file, pixels, alpha, file.convert("RGBA")):
        assert torch.equal(as_image(given), x)
    assert torch.allclose(as_image(pixels / 255), x) and as_image(pixels / 255).dtype == x.dtype
    gray = as_image(pixels[..., 0])
    assert torch.equal(gray, x[:, :1].expand(-1, 3, -1, -1))
    assert torch.equal(as_image(pixels[..., :1]), gray)
    palette = file.convert("P")
    assert torch.equal(as_image(palette), as_image(palette.convert("RGB")))
    deep = (pixels[..., 0].astype(np.uint16) * 257) / 65535
    assert torch.allclose(as_image(deep), gray)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (np.zeros((8, 8), np.uint16), "pixels are uint16; divide them by what white is"),
        (np.zeros((8, 8), bool), "pixels are bool"),
        (np.zeros((3, 8, 8)), r"shape \(3, 8, 8\); give \(h, w\), or RGB as \(h, w, 3\)"),
        (np.zeros((0, 8)), r"shape \(0, 8, 1\)"),
        (np.full((8, 8), 255.0), "values up to 255; give numbers from 0 to 1"),
        (Image.fromarray(np.zeros((8, 8), np.float32)), "mode F; convert it to RGB"),
    ],
)
def test_what_is_no_array_of_an_image_is_one_sentence(given, said):
    with pytest.raises(UserError, match=said):
        as_image(given)


def test_a_method_file_is_opened_by_its_path(home, tmp_path):
    missing = tmp_path / "mine.py"
    with pytest.raises(UserError, match=f"there is no method file {missing}"):
        open_method("denoise", missing, **SMOKE)
