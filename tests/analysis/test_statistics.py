"""Intervals, paired comparisons and ranks."""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest

from benchmark import tasks
from benchmark.analysis.comparison import Table, pairs_table, ranking, stats_table
from benchmark.analysis.dial import figures
from benchmark.analysis.scores import Run, scores
from benchmark.analysis.statistics import centre, holm, interval, mean_and_deviation, paired, ranks

DENOISE = tasks.get("denoise")
RNG = np.random.default_rng(5)
NOISE = RNG.normal(size=(4, 40))
IMAGES = [f"i{number:02}" for number in range(40)]


def runs(*methods: str) -> list[Run]:
    return [Run(method, "small", "laptop", "set") for method in methods]


def test_an_interval_is_that_of_a_plain_bootstrap_loop():
    values = NOISE[0]
    rng = np.random.default_rng(99)
    means = [rng.choice(values, len(values)).mean() for _ in range(4000)]
    low, high = interval(values)
    width = np.std(values) / math.sqrt(len(values))
    assert [low, high] == pytest.approx(np.quantile(means, [0.025, 0.975]), abs=0.15 * width)
    assert high - low == pytest.approx(2 * 1.96 * width, rel=0.1)


def test_intervals_cover_the_mean_as_often_as_they_say():
    rng = np.random.default_rng(1)
    low, high = interval(rng.normal(size=(30, 2000)))
    assert 0.91 < ((low < 0) & (high > 0)).mean() < 0.97


@pytest.mark.parametrize(("images", "share"), [(3, 0.75), (5, 0.84), (14, 0.92)])
def test_intervals_of_few_images_cover_as_seldom_as_the_page_on_boards_says(images, share):
    low, high = interval(np.random.default_rng(2).normal(size=(images, 8000)))
    assert ((low < 0) & (high > 0)).mean() == pytest.approx(share, abs=0.015)


def test_intervals_are_the_same_on_every_call_and_one_image_has_none():
    assert interval(NOISE[0]) == interval(NOISE[0].copy())
    assert all(math.isnan(end) for end in interval(np.array([1.0])))
    low, high = interval(np.full(7, 0.1))
    assert low == high == 0.1


def test_mean_and_deviation_over_seeds():
    assert mean_and_deviation([1.0, 3.0]) == (2.0, pytest.approx(math.sqrt(2)))
    assert all(math.isnan(one) for one in mean_and_deviation([1.0, math.nan]))
    assert math.isnan(mean_and_deviation([1.0])[1])
    mean, deviation = mean_and_deviation([1.0, math.inf])
    assert mean == math.inf and math.isnan(deviation)


def test_pairing_finds_a_difference_far_smaller_than_the_spread_over_images():
    found = paired(100 * NOISE[0] + 0.05 + 0.01 * NOISE[1], 100 * NOISE[0])
    assert found.difference == pytest.approx(0.05, abs=0.01)
    assert not found.tie and found.p_value < 1e-4
    assert interval(100 * NOISE[0])[1] - interval(100 * NOISE[0])[0] > 10


def test_noise_without_a_difference_is_a_tie():
    noise = NOISE[2] - NOISE[2].mean()
    found = paired(NOISE[0] + noise, NOISE[0])
    assert found.tie and found.p_value > 0.2
    same = paired(NOISE[0], NOISE[0])
    assert same.tie and (same.low, same.high) == (0, 0)
    assert math.isnan(same.p_value) and "fewer than 6" in same.reason


@pytest.mark.parametrize(
    ("entries", "expected"), [([0, 4, 8, 60], 18), ([90, 0, 4, 8, 0], 4), ([7] * 9 + [90], 7)]
)
def test_the_centre_of_a_field_leaves_out_a_fifth_at_either_end_but_no_more(entries, expected):
    assert centre(np.array(entries, dtype=float)[:, None]).tolist() == [expected]


def test_p_values_are_corrected_as_holm_does():
    # Worked by hand: 4 x 0.01, 3 x 0.02, 2 x 0.03 (not below the one before), 0.04.
    assert holm([0.04, 0.01, math.nan, 0.03, 0.02]) == pytest.approx(
        [0.06, 0.04, math.nan, 0.06, 0.06], nan_ok=True
    )
    assert holm([0.6, 0.7]) == [1.0, 1.0] and holm([]) == [] and holm([0.2]) == [0.2]


def test_ranks_are_shared_exactly_where_ties_were_planted():
    noise = NOISE - NOISE.mean(axis=1, keepdims=True)
    values = {
        "best": NOISE[0] + 3,
        "also best": NOISE[0] + 3 + 0.01 * noise[1],
        "worse": NOISE[0] + 2,
        "also worse": NOISE[0] + 2 + 0.01 * noise[2],
        "last": NOISE[0],
    }
    expected = {"best": 1, "also best": 1, "worse": 3, "also worse": 3, "last": 5}
    assert ranks(values, higher_is_better=True) == expected
    turned = {name: -one for name, one in values.items()}
    assert ranks(turned, higher_is_better=False) == expected
    backwards = dict(reversed(values.items()))
    assert ranks(backwards, higher_is_better=True) == expected


@pytest.fixture
def rows(plant):
    """Two methods that tie, one that is 0.5 dB worse, and experts at the ends alone."""
    noise = NOISE - NOISE.mean(axis=1, keepdims=True)
    planted = plant(
        {
            "ftn": lambda level, _, at: 30 - 4 * level + NOISE[0, at],
            "dni": lambda level, _, at: 30 - 4 * level + NOISE[0, at] + 0.1 * noise[1, at],
            "adafm": lambda level, _, at: 29.5 - 4 * level + NOISE[0, at],
            "experts": lambda level, _, at: 31 - 4 * level + NOISE[0, at],
        },
        images=IMAGES,
        seeds=(0, 1),
    )
    return planted[(planted["method"] != "experts") | planted["level"].isin(["0", "1"])]


def test_ranks_of_rows_are_those_that_were_planted(rows):
    contest = runs("adafm", "dni", "ftn")
    placed = ranking(scores(rows, DENOISE), DENOISE, contest)
    assert placed == dict(zip(contest, [(3, ""), (1, ""), (1, "")], strict=True))


def test_levels_that_harm_no_image_rank_nobody(rows):
    task = dataclasses.replace(DENOISE, harmless=((0.0,),))
    easy = rows["level"] == "0"
    rows.loc[easy & (rows["method"] == "adafm"), "value"] += 100
    rows.loc[easy & (rows["method"] == "dni"), ["value", "status"]] = (np.nan, "identical")
    contest = runs("adafm", "dni", "ftn")
    placed = ranking(scores(rows, task), task, contest)
    assert placed == dict(zip(contest, [(3, ""), (1, ""), (1, "")], strict=True))
    table = pairs_table(scores(rows, task), task).set_index(["method", "other"])
    assert table.loc[("adafm", "ftn"), "difference"] == pytest.approx(-0.5)
    assert table.loc[("adafm", "ftn"), "levels"] == 4
    without = ranking(scores(rows, DENOISE), DENOISE, contest)
    assert without[contest[0]][0] == 1 and without[contest[1]][0] is None


def test_dials_are_judged_without_levels_that_harm_no_image(plant):
    def planted(level, dial, at):
        return 90.0 if level == dial == 0 else 30 - abs(dial - level)

    rows = plant({"ftn": planted}, matrix=True)
    task = dataclasses.replace(DENOISE, harmless=((0.0,),))
    (own,) = scores(rows, task)[Run("ftn", "small", "laptop", "set")].values()
    found, plain = figures(own, None, task), figures(own, None, DENOISE)
    assert found["dial-linear", "psnr-rgb", ""] == pytest.approx(30)
    assert plain["dial-linear", "psnr-rgb", ""] == pytest.approx(42)
    assert found["largest-step", "psnr-rgb", ""] == pytest.approx(0)
    assert ("best-dial", "psnr-rgb", "0") not in found


def test_a_method_that_lacks_a_level_or_an_image_has_no_rank_and_a_reason(rows):
    gone = (rows["method"] == "ftn") & (rows["level"] == "0.5")
    few = (rows["method"] == "dni") & (rows["image"] == "i07")
    placed = ranking(scores(rows[~gone & ~few], DENOISE), DENOISE, runs("adafm", "dni", "ftn"))
    reason = "not every level and image was scored"
    assert list(placed.values()) == [(1, ""), (None, reason), (None, reason)]


def test_pairs_are_compared_on_the_levels_both_have(rows):
    table = pairs_table(scores(rows, DENOISE), DENOISE).set_index(["method", "other"])
    assert len(table) == 6
    assert table.loc[("dni", "ftn"), "tie"] and not table.loc[("adafm", "ftn"), "tie"]
    assert table.loc[("adafm", "ftn"), "difference"] == pytest.approx(-0.5)
    assert table.loc[("experts", "ftn"), ["levels", "difference"]].tolist() == [2, 1.0]


def test_pairs_of_images_are_judged_at_the_level_of_best_mean():
    table = Table(("0", "1"), ("a", "b"), np.array([[1.0, 4.0], [3.0, 3.0]]))
    task = tasks.get("derain@pairs")
    assert table.judged(task, ["0"]).tolist() == [3.0, 3.0]
    less = dataclasses.replace(task, headline="niqe@dialbench-bsds")
    assert table.judged(less, ["1"]).tolist() == [1.0, 4.0]


def test_p_values_are_corrected_within_a_data_set(rows):
    found = scores(pd.concat([rows, rows.assign(dataset="other")]), DENOISE)
    table = pairs_table(found, DENOISE)
    for _, own in table.groupby("dataset"):
        assert own["p_holm"].tolist() == holm(own["p_value"].tolist())
    assert len(table) == 12 and (table["p_holm"] > table["p_value"]).any()


def test_seeds_agree_as_often_as_was_planted(plant):
    rows = pd.concat(
        plant({"dni": lambda level, _, at, o=off: 30 + o, "ftn": lambda *_: 30.0}, seeds=(seed,))
        for seed, off in enumerate((2.0, 1.0, -0.5, 3.0))
    )
    one = rows[rows["seed"] == 0]
    uneven = rows[(rows["method"] == "dni") | (rows["seed"] < 3)]
    equal = rows.assign(value=30.0)
    found = [
        pairs_table(scores(own, DENOISE), DENOISE)["seeds_agree"].item()
        for own in (rows, one, uneven, equal)
    ]
    assert found == pytest.approx([0.75, math.nan, math.nan, math.nan], nan_ok=True)
    (reason,) = pairs_table(scores(uneven, DENOISE), DENOISE)["reason"]
    assert reason.endswith("they were not scored with the same seeds")
    assert "seeds" not in pairs_table(scores(rows, DENOISE), DENOISE)["reason"].item()


def test_stats_hold_the_mean_its_deviation_over_seeds_and_its_interval(plant):
    rows = pd.concat(
        plant({"dni": lambda level, _, at, o=off: o + NOISE[0, at]}, images=IMAGES, seeds=(seed,))
        for seed, off in ((0, 30.0), (1, 31.0))
    )
    table = stats_table(scores(rows, DENOISE))
    line = table[table["level"] == "0.25"].iloc[0]
    low, high = interval(30.5 + NOISE[0])
    assert line["mean"] == pytest.approx(30.5 + NOISE[0].mean())
    assert line["std"] == pytest.approx(math.sqrt(0.5))
    assert [line["low"], line["high"]] == pytest.approx([low, high])
    assert (line["images"], line["seeds"], line["reason"]) == (40, 2, "")


def test_a_missing_score_makes_its_line_null_with_the_reason(plant):
    rows = plant({"dni": lambda level, _, at: 30 + at})
    rows.loc[0, ["value", "status", "reason"]] = [math.nan, "failed", "the image is too small"]
    table = stats_table(scores(rows, DENOISE)).set_index("level")
    assert math.isnan(table.loc["0", "low"]) and table.loc["0", "reason"]
    assert table.loc["1", "low"] < table.loc["1", "mean"] < table.loc["1", "high"]
    assert table.loc["1", "reason"] == ""


def test_cells_off_the_diagonal_change_no_statistic(plant):
    value = {"dni": lambda level, dial, at: 30 + at - level - abs(dial - level)}
    alone, crossed = (stats_table(scores(plant(value, matrix=m), DENOISE)) for m in (False, True))
    pd.testing.assert_frame_equal(alone, crossed)


def test_tables_do_not_depend_on_the_order_of_the_rows(rows):
    mixed = rows.sample(frac=1, random_state=1)
    for make in (stats_table, lambda found: pairs_table(found, DENOISE)):
        pd.testing.assert_frame_equal(
            make(scores(rows, DENOISE)), make(scores(mixed, DENOISE)), check_exact=True
        )


def test_cases_of_a_picture_are_averaged_and_count_as_one(plant):
    task = tasks.get("denoise-strength")
    cases = [f" sigma={int(sigma)}" for (sigma,) in task.cases]
    images = [f"i{number}{case}" for number in range(8) for case in cases]
    methods = {
        "ftn": lambda level, _, at: 30 + NOISE[0, at],
        "dni": lambda level, _, at: 30 + NOISE[1, at] - 2 * (at % 3),
    }
    found = scores(plant(methods, images=images, metric="psnr-rgb-target"), task)
    (own,) = (seeds[0]["psnr-rgb-target"] for run, seeds in found.items() if run.method == "dni")
    assert own.images == tuple(f"i{number}" for number in range(8))
    means = (30 + NOISE[1, :24] - 2 * (np.arange(24) % 3)).reshape(8, 3).mean(axis=1)
    assert own.cells["0", "0"] == pytest.approx(means)
    assert stats_table(found).query("method == 'dni'")["mean"].iloc[0] == pytest.approx(
        means.mean()
    )
    assert (stats_table(found)["images"] == 8).all()
    assert scores(plant(methods, images=["a sigma=5"]), DENOISE)  # no case of this task
