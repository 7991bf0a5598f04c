"""Trained methods and images, opened from Python."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from benchmark import cli
from benchmark.errors import UserError
from benchmark.opened import open_method, read_image, to_pixels

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
