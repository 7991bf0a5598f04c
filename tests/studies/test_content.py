"""The study of whether a level means the same on flat and on textured images."""

import math

import numpy as np
import pytest

from benchmark import tasks
from benchmark.errors import JobError
from benchmark.studies import content, dial_linearity

DENOISE = tasks.get("denoise")


@pytest.mark.parametrize(("steps", "related"), [(0.02, 1.0), (-0.02, -1.0), (0.0, math.nan)])
def test_dials_that_differ_with_texture_are_found(plant, steps, related):
    def planted(level, dial, at):
        return -((dial - 0.25 - 0.5 * level - steps * at) ** 2)

    matrices = dial_linearity.matrices(plant({"ftn": planted}, matrix=True), DENOISE)
    texture = {name: 0.1 * at for at, name in enumerate("abcdefgh", 1)}
    found = content.dials(matrices, texture, DENOISE)
    at = np.repeat(np.arange(8), 5)
    level = np.tile([0, 0.25, 0.5, 0.75, 1], 8)
    assert found["best_dial"].to_numpy() == pytest.approx(0.25 + 0.5 * level + steps * at, abs=1e-9)
    assert found["off"].to_numpy() == pytest.approx(0.25 - 0.5 * level + steps * at, abs=1e-9)
    assert (found["gain"] >= 0).all()
    (line,) = content.summary(found).itertuples()
    assert line.spread == pytest.approx(abs(steps) * np.arange(8).std(), abs=1e-9)
    assert line.with_detail == pytest.approx(related, nan_ok=True)
    assert (line.images, line.levels) == (8, 5)


def test_images_that_a_dial_does_not_change_are_named_instead_of_dropped(plant):
    rows = plant({"ftn": lambda level, dial, at: 30 - (at != 5) * abs(dial - level)}, matrix=True)
    matrices = dial_linearity.matrices(rows, DENOISE)
    with pytest.raises(
        JobError, match="ftn on 'f': the dial changes nothing; leave such images out"
    ):
        content.dials(matrices, dict.fromkeys("abcdefgh", 1.0), DENOISE)


def test_what_an_image_gains_by_a_dial_of_its_own_is_that_over_the_one_for_all(plant):
    best = {0: 0.25, 1: 0.75}
    rows = plant({"ftn": lambda level, dial, at: 30 - abs(dial - best.get(at, 0.5))}, matrix=True)
    matrices = dial_linearity.matrices(rows, DENOISE)
    found = content.dials(matrices, dict.fromkeys("abcdefgh", 1.0), DENOISE)
    gains = found.groupby("image")["gain"].mean()
    assert gains.to_numpy() == pytest.approx([0.25, 0.25, 0, 0, 0, 0, 0, 0])
    (line,) = content.summary(found).itertuples()
    assert (line.gain, line.largest_gain) == pytest.approx((0.0625, 0.25))
    assert math.isnan(line.with_detail) and line.reason.startswith("all images are alike")
    (line,) = content.summary(found[found["image"] < "d"]).itertuples()
    assert line.reason == "a correlation takes 5 images"
