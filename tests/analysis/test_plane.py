"""The area that a dial wins in the plane of two metrics."""

import numpy as np
import pytest

from benchmark import tasks
from benchmark.analysis.plane import area, won


def one(*points):
    better, nicer = np.array(points, dtype=float).T
    return float(area(better[:, None], nicer[:, None])[0])


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([(2, 3)], 6),
        ([(2, 1), (1, 2)], 3),
        ([(1, 2), (2, 1)], 3),  # in any order
        ([(2, 2), (1, 1)], 4),  # one inside the other
        ([(2, 2), (2, 2)], 4),  # twice the same
        ([(3, 1), (2, 2), (1, 3)], 6),
        ([(3, -1)], 0),  # worse than the floor in one metric
        ([(-3, 1)], 0),
        ([(-3, -1)], 0),  # not a product of two losses
        ([(2, 1), (-1, 9)], 2),
        ([(0, 5)], 0),
    ],
)
def test_the_area_is_that_of_all_rectangles_together(points, expected):
    assert one(*points) == pytest.approx(expected)


def test_the_area_is_that_which_counting_finds():
    rng = np.random.default_rng(0)
    better, nicer = rng.uniform(-0.3, 1, (2, 5, 7))
    side = (np.arange(400) + 0.5) / 400
    inside = (better[..., None, None] > side[:, None]) & (nicer[..., None, None] > side)
    assert area(better, nicer) == pytest.approx(inside.any(axis=0).mean(axis=(1, 2)), abs=0.01)


def test_every_image_is_measured_from_its_own_floor():
    task = tasks.get("sr")
    psnr, lpips = np.array([[28.0, 20.0]]), np.array([[0.3, 0.6]])
    floor = np.array([[26.0, 19.0], [26.0, 19.0]]), np.array([[0.5, 0.7], [0.5, 0.7]])
    assert won(task, (psnr, lpips), floor) == pytest.approx([2 * 0.2, 1 * 0.1])


def test_a_dial_that_moves_wins_what_one_that_stays_does_and_more():
    still = one((1.2, 0.07), (1.2, 0.07))
    assert one((1.2, 0.07), (0.6, 0.2)) > still
