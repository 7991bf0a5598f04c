"""What the dial is to be set to for a level."""

import dataclasses
from types import SimpleNamespace

import pytest

from benchmark import tasks
from benchmark.analysis.calibration import Calibration, calibration, stored
from benchmark.analysis.matrix import averaged
from benchmark.analysis.scores import scores

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


def matrices(rows):
    return list(averaged(scores(rows, DENOISE), DENOISE).values())


def test_the_planted_best_dial_comes_back(plant):
    rows = plant({"dni": lambda level, dial, at: 30 - (dial - level**2) ** 2}, matrix=True)
    known = calibration(matrices(rows))
    assert known is not None
    assert [known.dial((level,))[0] for level in (0, 0.25, 0.5, 1)] == pytest.approx(
        [0, 0.0625, 0.25, 1]
    )


def test_every_image_counts_alike_whatever_set_it_is_in(plant):
    one = plant({"dni": lambda level, dial, at: 30 - (dial - level) ** 2}, matrix=True)
    other = plant(
        {"dni": lambda level, dial, at: 30 - (dial - level**2) ** 2}, matrix=True, images=("x", "y")
    )
    found = [matrices(rows)[0] for rows in (one, other)]
    known = calibration(found)
    images = [len(each.images) for each in found]
    wanted = (0.5 * images[0] + 0.25 * images[1]) / sum(images)
    assert known is not None and known.dial((0.5,)) == pytest.approx((wanted,))


def test_a_dial_that_does_nothing_has_no_calibration(plant):
    rows = plant({"dni": lambda level, dial, at: 30 - level}, matrix=True)
    assert calibration(matrices(rows)) is None


def test_levels_that_harm_no_image_are_not_missed(plant, monkeypatch):
    @dataclasses.dataclass
    class Asked:
        levels: tuple | None = None
        matrix: bool = False

    task = dataclasses.replace(DENOISE, harmless=((0.0,),))
    rows = plant({"dni": lambda level, dial, at: 30 - (dial - level**2) ** 2}, matrix=True)
    grid = tuple((float(level),) for level in sorted(set(rows["level"].map(float))))
    whole = SimpleNamespace(levels=grid, images={"set": SimpleNamespace(name="set")})
    monkeypatch.setattr("benchmark.plan.looked_at", lambda request, store: whole)
    monkeypatch.setattr("benchmark.plan.stored_cells", lambda plan, store: ())
    monkeypatch.setattr("benchmark.collect.collect", lambda *_: SimpleNamespace(rows=rows))
    plan, job = SimpleNamespace(task=task, request=Asked()), SimpleNamespace(method="dni", seed=0)
    known = stored(plan, None, [job])["dni"]
    assert isinstance(known, Calibration) and known.levels == [0.25, 0.5, 0.75, 1]
