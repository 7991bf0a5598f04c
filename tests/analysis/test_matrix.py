"""The level x dial matrix behind rows with planted answers."""

import dataclasses
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from benchmark import tasks
from benchmark.analysis.matrix import Matrix, averaged, best_dials, linearity
from benchmark.analysis.scores import places, scores
from benchmark.errors import JobError
from benchmark.studies import dial_linearity

DENOISE = tasks.get("denoise")
LEVELS = (0, 0.5, 1)


def test_a_matrix_is_the_mean_over_seeds_of_what_has_a_dial(plant):
    def value(level, dial, at):
        return level - (dial - level) ** 2 + at

    rows = plant({"ftn": value, "floor": value}, LEVELS, matrix=True, seeds=(0, 1))
    rows.loc[rows["seed"] == 1, "value"] += 2
    ((run, found),) = averaged(scores(rows, DENOISE), DENOISE).items()
    assert run.method == "ftn" and found.levels == ("0", "0.5", "1")
    wanted = [[value(level, dial, 0) + 1 for dial in LEVELS] for level in LEVELS]
    assert np.allclose(found.values[:, :, 0], wanted)


def test_levels_that_harm_no_image_do_not_cost_a_method_its_matrix(plant):
    task = dataclasses.replace(DENOISE, harmless=((0.0,),))
    rows = plant({"ftn": lambda level, dial, at: 30 - (dial - level) ** 2}, LEVELS, matrix=True)
    # What a network has there that leaves an image as it is, as it should.
    perfect = (rows["level"] == "0") & (rows["set_level"] == "0") & (rows["image"] == "c")
    rows.loc[perfect, ["value", "status", "reason"]] = (float("nan"), "failed", "PSNR is infinite")
    (found,) = averaged(scores(rows, task), task).values()
    assert isinstance(found, Matrix) and found.levels == ("0.5", "1")
    assert np.allclose(found.over(found.images), [[30, 29.75], [29.75, 30]])


def test_where_the_dial_does_nothing_the_best_is_the_level_itself(plant):
    rows = plant({"ftn": lambda level, dial, at: 30 - abs(level - 0.5) * dial**2}, matrix=True)
    (found,) = averaged(scores(rows, DENOISE), DENOISE).values()
    assert best_dials(found) == pytest.approx([0, 0, 0.5, 0, 0])


def test_how_linear_a_dial_is_comes_out_alike_under_every_python():
    levels = tuple(f"{at / 8:g}" for at in range(9))
    x = places(levels)
    values = [[[30 - (dial - 0.3 * level) ** 2] for dial in x] for level in x]
    found = Matrix(levels, ("a",), np.array(values))

    def exact(every):
        return float(sum(map(Fraction, every)))

    middle = exact(x) / len(x)
    missed = exact((best - level) ** 2 for level, best in zip(x, best_dials(found), strict=True))
    assert linearity(found) == 1 - missed / exact((level - middle) ** 2 for level in x)


def test_the_sign_of_a_metric_that_should_be_small_is_turned_for_figures_and_studies_alike(plant):
    task = dataclasses.replace(DENOISE, metrics=("mse-y601",), headline="mse-y601")
    rows = plant(
        {"ftn": lambda level, dial, at: 1 + (dial - level) ** 2},
        LEVELS,
        matrix=True,
        metric="mse-y601",
    )
    (found,) = averaged(scores(rows, task), task).values()
    assert (found.values.max(axis=1) == -1).all()
    fits = dial_linearity.fits(dial_linearity.matrices(rows, task), task)
    assert fits["best_dials"]["best_dial"].tolist() == pytest.approx(LEVELS)


def test_seeds_that_do_not_go_together_have_a_reason(plant):
    first = plant({"ftn": lambda level, dial, at: level}, LEVELS, matrix=True)
    second = plant({"ftn": lambda level, dial, at: level}, (0, 1), matrix=True, seeds=(1,))
    rows = pd.concat([first, second])
    (reason,) = averaged(scores(rows, DENOISE), DENOISE).values()
    assert reason == "the seeds were scored at different levels, or on different images"
    with pytest.raises(JobError, match="ftn: the seeds were scored at different levels"):
        dial_linearity.matrices(rows, DENOISE)
