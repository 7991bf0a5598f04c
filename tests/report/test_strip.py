"""The picture strip."""

import io
import re

import numpy as np
import pytest
from PIL import Image

from benchmark import tasks
from benchmark.control import level_text
from benchmark.report.strip import (
    ACROSS,
    CAPTION,
    GAP,
    SHADE,
    TEXT,
    TILE,
    few,
    most_detailed,
    strip,
)
from benchmark.results import Results


def test_the_window_with_most_detail_is_found():
    image = np.zeros((60, 80, 3), np.uint8)
    image[31:39:2, 52:60] = 255
    top, left = most_detailed(image, 16)
    assert top <= 31 and top + 16 >= 39
    assert left <= 52 and left + 16 >= 60


def test_the_window_fits_an_image_smaller_than_itself():
    assert most_detailed(np.zeros((5, 7, 3)), 16) == (0, 0)


def opened(blob: bytes) -> Image.Image:
    return Image.open(io.BytesIO(blob))


def test_the_strip_grows_with_levels_and_methods(make):
    few, task = make(methods=("dni",), levels=("0", "1"))
    more, _ = make(methods=("dni", "ftn"), levels=("0", "0.25", "0.5", "0.75", "1"))
    small, large = opened(strip(few, task)), opened(strip(more, task))
    assert large.width > TILE * 5
    assert large.height >= small.height + TILE


def test_an_input_that_is_the_same_at_every_level_is_shown_once(make):
    sr, task = make(methods=("dni",), levels=("0", "1"))
    denoise, other = make("denoise", methods=("dni",), levels=("0", "1"))
    assert opened(strip(denoise, other)).height >= opened(strip(sr, task)).height + TILE


def test_missing_and_damaged_pictures_leave_a_marked_gap(make, tmp_path):
    results, task = make(methods=("dni", "ftn"), levels=("0", "1"))
    whole = strip(results, task)
    pictures = results.pictures.copy()
    damaged = tmp_path / "damaged.png"
    damaged.write_bytes(b"not a picture")
    pictures.loc[pictures["method"] == "ftn", "path"] = [str(damaged), str(tmp_path / "gone.png")]
    torn = strip(Results(results.rows, results.costs, pictures), task)
    assert opened(torn).size == opened(whole).size
    assert torn != whole


def test_without_pictures_the_strip_says_so(make):
    results, task = make(pictures=False)
    assert opened(strip(results, task)).height < TILE


def test_captions_leave_out_a_metric_that_has_no_values(make):
    from benchmark.report.strip import captions, shown

    results, task = make(methods=("dni",), levels=("0",), null=("lpips",))
    texts, meaning = captions(results, task, shown(results.pictures))
    assert meaning == "Below each crop: PSNR-Y of the whole image."
    (caption,) = texts.values()
    assert re.fullmatch(r"\d+\.\d\d", caption)


@pytest.mark.parametrize(
    ("name", "points", "wanted"),
    [
        ("sr", 5, "0 0.25 0.5 0.75 1"),
        ("blur-noise", 5, "0/0 0/0.5 0/1 0.5/0 0.5/0.5 0.5/1 1/0 1/0.5 1/1"),
        (
            "blur-noise-jpeg",
            3,
            "0/0/0 0/0/1 0/1/0 0/1/1 0.5/0.5/0.5 1/0/0 1/0/1 1/1/0 1/1/1",
        ),
        ("operators-6", 5, "0.5/0 0.5/0.2 0.5/0.4 0.5/0.6 0.5/0.8 0.5/1"),
    ],
)
def test_a_strip_of_several_dials_shows_ends_and_middles_or_every_name(name, points, wanted):
    task = tasks.get(name)
    every = [level_text(level) for level in task.space.lattice(points)]
    assert few(reversed(every), task) == wanted.split()


def test_a_strip_of_many_levels_keeps_both_ends():
    shown = few((f"{at / 40:g}" for at in range(41)), tasks.get("sr"))
    assert len(shown) == ACROSS and (shown[0], shown[-1]) == ("0", "1")


def test_the_picture_that_shows_where_the_crop_lies_says_so(make):
    results, task = make("denoise", methods=("dni",), levels=("0",))
    pixels = np.asarray(opened(strip(results, task)))
    _, columns = np.nonzero((pixels == SHADE).all(axis=2))
    below = pixels[TEXT + 3 * GAP + TILE :, columns.min() : columns.max()][:CAPTION]
    assert (below < 128).any()
