"""What the dial is to be set to for a level."""

import pytest

from benchmark import tasks
from benchmark.analysis.calibration import Calibration, _calibration
from benchmark.analysis.matrix import averaged
from benchmark.analysis.scores import NoValue, scores

DENOISE = tasks.get("denoise")


@pytest.mark.parametrize(
    ("level", "dial"),
    [(0.2, 0.2), (0.6, 0.7), (0.4, 0.45), (0.8, 0.8), (0.1, 0.1), (1.0, 1.0), (0.9, 0.9)],
)
def test_between_known_levels_dials_lie_on_a_line_and_beyond_they_are_as_far_off(level, dial):
    known = Calibration((0.2, 0.6, 0.8), (0.2, 0.7, 0.8))
    assert known.dial((level,)) == pytest.approx((dial,))


def test_a_dial_stays_on_its_scale():
    assert Calibration((0.2, 0.8), (0.1, 0.95)).dial((1.0,)) == (1.0,)
    assert Calibration((0.2, 0.8), (0.0, 0.8)).dial((0.1,)) == (0.0,)


def test_the_planted_best_dial_comes_back(plant):
    rows = plant({"dni": lambda level, dial, at: 30 - (dial - level**2) ** 2}, matrix=True)
    known = _calibration(averaged(scores(rows, DENOISE), DENOISE).values())
    assert [known.dial((level,))[0] for level in (0, 0.25, 0.5, 1)] == pytest.approx(
        [0, 0.0625, 0.25, 1]
    )


def test_without_a_matrix_there_is_a_reason(plant):
    rows = plant({"dni": lambda level, dial, at: 30 - level})
    with pytest.raises(NoValue):
        _calibration(averaged(scores(rows, DENOISE), DENOISE).values())
    with pytest.raises(NoValue, match="no level x dial matrix of it is stored"):
        _calibration([])
