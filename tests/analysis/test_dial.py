"""Dial quality of rows with planted answers."""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import r2_score

from benchmark import tasks
from benchmark.analysis.dial import FIGURES, dial_table, followed, hypervolume
from benchmark.analysis.matrix import halves
from benchmark.analysis.scores import scores

LEVELS = (0, 0.25, 0.5, 0.75, 1)
DENOISE, SR = tasks.get("denoise"), tasks.get("sr")


def figures(rows: pd.DataFrame, task=DENOISE, method: str = "dni", metric: str | None = None):
    """Returns {figure: value, or the reason why there is none}; best dials as {level: value}."""
    table = dial_table(scores(rows, task), task)
    own = table[(table["method"] == method) & (table["level"] == "")]
    if metric:
        own = own[own["metric"] == metric]
    return {
        line.figure: line.reason if math.isnan(line.value) else line.value
        for line in own.itertuples()
    }


def quadratic(curve, loss: float = 8.0):
    """Scores whose best dial at a level is ``curve(level)``."""
    return lambda level, dial, at: 30 - 5 * level + 0.1 * at - loss * (dial - curve(level)) ** 2


def test_a_planted_gap_to_the_experts_is_found(plant):
    gap = {0: -0.1, 0.5: -0.4, 1: 0.3}
    rows = plant(
        {
            "dni": lambda level, _, at: 30 - 4 * level + at + gap.get(level, 7.0),
            "experts": lambda level, _, at: 30 - 4 * level + at,
        }
    )
    rows = rows[(rows["method"] == "dni") | rows["level"].isin(["0", "0.5", "1"])]
    found = figures(rows)
    assert found["gap-start"] == pytest.approx(-0.1)
    assert found["gap-middle"] == pytest.approx(-0.4)
    assert found["gap-end"] == pytest.approx(0.3)
    assert found["gap-mean"] == pytest.approx(0.8 / 3)


def test_without_experts_the_gap_is_null_with_a_reason(plant):
    found = figures(plant({"dni": lambda level, _, at: 30 - level}))
    assert "experts" in found["gap-mean"] and "experts" in found["coverage"]


@pytest.mark.parametrize(
    "other", [{"seed": 1}, {"backbone": "large"}, {"preset": "smoke"}, {"dataset": "other"}]
)
def test_experts_of_another_run_do_not_count(plant, other):
    experts = plant({"experts": lambda level, _, at: 30 - level})
    rows = [plant({"dni": lambda level, _, at: 29 - level}), experts.assign(**other)]
    assert "no expert" in figures(pd.concat(rows))["gap-mean"]


def test_a_dial_that_reaches_half_of_the_experts_range_covers_half(plant):
    rows = plant(
        {
            "dni": lambda level, _, at: 29 - 2 * level,
            "experts": lambda level, _, at: 30 - 4 * level,
        }
    )
    assert figures(rows)["coverage"] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("curve", "r2", "mean", "largest"),
    [
        (lambda level: level, 1.0, 0.0, 0.0),
        (lambda level: 0.1 + 0.8 * level, 0.96, 0.06, 0.1),
        (lambda level: level**2, 0.7875, 0.125, 0.25),
        (lambda level: 2 * level - 0.5, 0.8, 0.1, 0.25),
        (lambda level: 1 - level, -3.0, 0.6, 1.0),
        (lambda level: 0.5, 0.0, 0.3, 0.5),
    ],
    ids=["linear", "compressed", "quadratic", "beyond both ends", "reversed", "constant"],
)
def test_a_planted_dial_curve_is_recovered(plant, curve, r2, mean, largest):
    found = figures(plant({"dni": quadratic(curve)}, matrix=True))
    # Beyond the ends of the grid the best dial is the end.
    assert found["best-dial-r2"] == pytest.approx(r2, abs=1e-6)
    assert found["best-dial-mean"] == pytest.approx(mean)
    assert found["best-dial-max"] == pytest.approx(largest)
    assert found["loss-monotonicity"] == pytest.approx(1)


def test_r2_is_of_the_best_dial_as_a_guess_at_the_level_and_not_the_other_way_round(plant):
    table = dial_table(
        scores(plant({"dni": quadratic(lambda t: 0.4 + 0.2 * t)}, matrix=True), DENOISE), DENOISE
    ).set_index("figure")
    found, dials = table.loc["best-dial-r2", "value"], table.loc["best-dial", "value"].tolist()
    assert found == pytest.approx(r2_score(LEVELS, dials)) == pytest.approx(0.36)
    assert r2_score(dials, LEVELS) < -10
    assert "of the best dial as a guess at the true level" in FIGURES["best-dial-r2"].meaning


def test_the_best_dial_of_every_level_is_listed(plant):
    rows = plant({"dni": quadratic(lambda level: level**2)}, matrix=True)
    table = dial_table(scores(rows, DENOISE), DENOISE)
    dials = table[table["figure"] == "best-dial"]
    assert list(dials["level"]) == ["0", "0.25", "0.5", "0.75", "1"]
    assert dials["value"].tolist() == pytest.approx([0, 0.0625, 0.25, 0.5625, 1])


def test_values_that_are_names_have_no_order_but_a_best_setting(plant):
    named = dataclasses.replace(DENOISE, space=tasks.get("operators-4").space)
    value = {"dni": quadratic(lambda t: t), "experts": lambda level, _, at: 31 - 5 * level}
    found = figures(plant(value, matrix=True), named)
    for one in ("coverage", "gap-middle", "monotonicity", "best-dial", "best-dial-r2"):
        assert found[one] == "the values of the dial are names, which have no order"
    assert found["dial-linear"] == pytest.approx(found["dial-oracle"])
    assert isinstance(found["gap-mean"], float)


def test_linear_calibrated_and_oracle_dials_score_what_was_planted(plant):
    levels = (0, 0.5, 1)
    calibrating, judging = halves("abcdefgh")

    def value(level, dial, at):
        # Calibrating images like one step more, judging images the linear dial; both at level 0.5.
        best = 1.0 if level == 0.5 and "abcdefgh"[at] in calibrating else level
        return 30 - abs(dial - best)

    found = figures(plant({"dni": value}, levels=levels, matrix=True))
    assert found["dial-linear"] == found["dial-oracle"] == 30
    assert found["dial-calibrated"] == pytest.approx(30 - 0.5 / 3)


def test_no_dial_on_the_grid_beats_the_oracle(plant):
    noise = np.random.default_rng(0).normal(size=(5, 5, 8))
    rows = plant({"dni": lambda a, b, at: 30 + noise[int(4 * a), int(4 * b), at]}, matrix=True)
    found = figures(rows)
    assert found["dial-oracle"] >= max(found["dial-linear"], found["dial-calibrated"])
    assert found["loss-monotonicity"] < 1


def test_halves_depend_on_names_alone():
    names = [f"{number}.png" for number in range(11)]
    one, two = halves(names)
    assert (one, two) == halves(reversed(names))
    assert len(one) == 5 and len(two) == 6 and not set(one) & set(two)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({}, "--matrix"),
        ({"matrix": True, "skip": [(0, 1)]}, "1 of 25 cells of the matrix are missing"),
        ({"matrix": True, "images": "a"}, "one image"),
    ],
    ids=["no matrix", "a cell is missing", "one image"],
)
def test_what_a_matrix_lacks_is_the_reason(plant, options, reason):
    found = figures(plant({"dni": quadratic(lambda level: level)}, **options))
    assert reason in found["dial-calibrated"]


def test_a_dial_without_effect_has_no_best_setting(plant):
    found = figures(plant({"dni": lambda level, _, at: 30 - level}, matrix=True))
    assert found["best-dial-r2"] == found["loss-monotonicity"] == "the dial changes nothing"
    assert found["dial-linear"] == found["dial-oracle"] == pytest.approx(29.5)


def test_a_score_that_failed_makes_the_figures_null_with_its_reason(plant):
    rows = plant({"dni": quadratic(lambda level: level)}, matrix=True)
    rows.loc[7, ["value", "status", "reason"]] = [math.nan, "failed", "the image is too small"]
    found = figures(rows)
    assert found["best-dial-r2"] == found["largest-step"] == "the image is too small"


def test_steps_bend_and_way_back_of_a_planted_curve(plant):
    values = dict(zip((0, 0.25, 0.5, 0.75, 1), (30, 29, 29.5, 27, 26), strict=True))
    found = figures(plant({"dni": lambda level, _, at: values[level] + at}))
    assert found["largest-step"] == pytest.approx(2.5)
    assert found["monotonicity"] == pytest.approx(4 / 5)
    assert found["smoothness"] == pytest.approx((1.5 + 3 + 1.5) / 3)


def test_a_straight_line_on_an_uneven_grid_does_not_bend(plant):
    found = figures(plant({"dni": lambda level, _, at: 30 - 3 * level}, levels=(0, 0.1, 0.4, 1)))
    assert found["smoothness"] == pytest.approx(0)
    assert found["monotonicity"] == pytest.approx(1)


def test_colour_drift_is_averaged_over_levels(plant):
    drift = {0: 1.0, 0.5: 4.0, 1: 1.0}
    rows = plant(
        {"dni": lambda level, _, at: drift[level]}, levels=(0, 0.5, 1), metric="colour-drift"
    )
    found = figures(rows, metric="colour-drift")
    assert found == {"drift-mean": 2.0, "drift-max": 4.0}


def test_the_hypervolume_is_the_area_that_the_curve_dominates(plant):
    rows = pd.concat(
        plant({"dni": value}, levels=(0, 1), metric=metric)
        for metric, value in (
            ("psnr-y601", lambda level, _, at: 25 - 3 * level),
            ("lpips-alex@lpips-0.1.4", lambda level, _, at: 0.3 - 0.1 * level),
        )
    )
    # From the reference point (20 dB, 0.7): 5 x 0.4, and 2 x 0.1 more at the other end.
    assert figures(rows, SR)["hypervolume"] == pytest.approx(2.2)
    assert hypervolume([(19, 0.1), (30, 0.8)], (20, 0.7)) == 0


def test_without_lpips_there_is_no_hypervolume_but_a_reason(plant):
    rows = plant({"dni": lambda level, _, at: 25 - level}, metric="psnr-y601")
    assert figures(rows, SR)["hypervolume"] == "LPIPS was not scored"


def test_figures_do_not_depend_on_the_order_of_the_rows(plant):
    rows = plant(
        {"dni": quadratic(lambda level: level**1.5), "experts": lambda level, _, at: 31 - level},
        matrix=True,
        seeds=(0, 1),
    )
    table = dial_table(scores(rows, DENOISE), DENOISE)
    mixed = dial_table(scores(rows.sample(frac=1, random_state=3), DENOISE), DENOISE)
    pd.testing.assert_frame_equal(table, mixed, check_exact=True)
    assert set(table["figure"]) <= set(FIGURES)
    assert set(table["method"]) == {"dni"}


def test_figures_are_averaged_over_seeds(plant):
    rows = pd.concat(
        plant({"dni": lambda level, _, at, s=step: 30 - 4 * s * level}, seeds=(seed,))
        for seed, step in ((0, 1.0), (1, 2.0))
    )
    table = dial_table(scores(rows, DENOISE), DENOISE)
    (line,) = table[table["figure"] == "largest-step"].itertuples()
    assert (line.value, line.std, line.seeds) == (1.5, pytest.approx(math.sqrt(0.5)), 2)


def test_a_reason_names_the_seeds_that_have_it_unless_all_do(plant):
    value = {"dni": quadratic(lambda level: level), "experts": lambda level, _, at: 31 - level}
    rows = plant(value, matrix=True, seeds=(0, 1, 2))
    expert = rows["method"] == "experts"
    table = dial_table(scores(rows[~expert | (rows["seed"] == 1)], DENOISE), DENOISE)
    assert "no expert was scored" in table.set_index("figure").loc["gap-mean", "reason"]
    for gone, start in (((0,), "with seed 0: "), ((0, 2), "with seeds 0, 2: "), ((0, 1, 2), "")):
        table = dial_table(scores(rows[~expert | ~rows["seed"].isin(gone)], DENOISE), DENOISE)
        lines = table.set_index("figure")
        assert lines.loc["gap-mean", "reason"].startswith(f"{start}no expert was scored")
        assert math.isnan(lines.loc["gap-mean", "value"])
        assert lines.loc["largest-step", "reason"] == ""


def test_without_a_matrix_for_one_seed_best_dials_say_which(plant):
    rows = plant({"dni": quadratic(lambda level: level)}, matrix=True, seeds=(0, 1))
    off = (rows["seed"] == 1) & (rows["level"] != rows["set_level"])
    table = dial_table(scores(rows[~off], DENOISE), DENOISE)
    dials = table[table["figure"] == "best-dial"]
    assert list(dials["level"]) == ["0", "0.25", "0.5", "0.75", "1"]
    assert all("with seed 1: it needs the level x dial matrix" in one for one in dials["reason"])


def test_without_a_level_that_others_have_no_figure_of_all_levels_is_made_up(plant):
    value = {
        "dni": quadratic(lambda level: level),
        "ftn": quadratic(lambda level: level),
        "experts": lambda level, _, at: 31 - level,
    }
    rows = plant(value, matrix=True, seeds=(0, 1))
    drift = plant(
        dict.fromkeys(("dni", "ftn"), lambda *_: 1.0), metric="colour-drift", seeds=(0, 1)
    )
    # Sweeps that were stopped: one level of a seed is missing altogether, whatever the dial.
    stopped = (rows["seed"] == 1) & ((rows["level"] == "1") | (rows["set_level"] == "1"))
    for method, whole in (("dni", "ftn"), ("ftn", "dni")):
        left = pd.concat([rows[~stopped | (rows["method"] != method)], drift])
        table = dial_table(scores(left, DENOISE), DENOISE)
        own = table[(table["method"] == method) & (table["metric"] == "psnr-rgb")]
        reasons = own[own["level"] == ""].set_index("figure")["reason"]
        lacks = "with seed 1: it was not scored at level 1, as others were"
        assert reasons["gap-end"] == reasons["coverage"] == reasons["largest-step"] == lacks
        assert reasons["dial-oracle"].startswith("with seed 1: 9 of 25 cells of the matrix")
        assert own["value"].isna().all()
        assert table[table["method"] == whole]["value"].notna().all()
        assert table[table["metric"] == "colour-drift"]["value"].tolist() == [1.0] * 4
    table = dial_table(scores(rows[~stopped | (rows["method"] != "experts")], DENOISE), DENOISE)
    table = table[(table["metric"] == "psnr-rgb") & (table["level"] == "")]
    reasons = table.set_index(["method", "figure"])["reason"]
    assert reasons["ftn", "gap-mean"].startswith("with seed 1: experts: it was not scored")
    assert reasons["ftn", "largest-step"] == ""


def test_experts_and_levels_that_harm_nothing_are_asked_for_at_no_more_than_they_have(plant):
    task = dataclasses.replace(DENOISE, harmless=((0.0,),))
    rows = plant({"dni": lambda level, _, at: 30 - level, "experts": lambda *_: 30.0})
    few = (rows["method"] == "experts") & ~rows["level"].isin(["0.5", "1"])
    assert figures(rows[~few], task)["gap-mean"] == pytest.approx(0.75)


def test_a_dial_of_a_few_positions_is_judged_by_them(plant):
    rows = plant(dict.fromkeys(("dni", "mine:steps=3", "experts"), lambda level, *_: 30.0 - level))
    rows = rows[(rows["method"] != "mine:steps=3") | rows["level"].isin(["0", "0.5", "1"])]
    found = scores(rows, DENOISE)
    for few, reason in (
        ((), "it was not scored at levels 0.25, 0.75, as others were"),
        (("mine:steps=3",), ""),
    ):
        table = dial_table(found, DENOISE, few).set_index(["method", "figure"])
        assert table["reason"]["mine:steps=3", "largest-step"] == reason
        assert table["value"]["dni", "largest-step"] == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("task", "metrics"),
    [
        ("sr", ["psnr-y601", "lpips-alex@lpips-0.1.4"]),
        ("style", ["style-brick"]),
        ("denoise-strength", ["psnr-rgb", "lpips-alex@lpips-0.1.4"]),
    ],
)
def test_a_dial_is_followed_along_what_asks_the_same_at_every_level(task, metrics):
    assert followed(tasks.get(task)) == metrics
