"""How far results move with the seed: rows with planted answers."""

import math

import numpy as np
import pandas as pd
import pytest

from benchmark import cli, tasks
from benchmark.analysis.scores import scores
from benchmark.analysis.statistics import interval
from benchmark.errors import JobError, UserError
from benchmark.planning.request import wanted
from benchmark.studies import seeds

DENOISE = tasks.get("denoise")


def by_seed(plant, **methods):
    """Rows of methods whose value is given by seed, on images that differ by a unit."""
    parts = [
        plant(
            {name: lambda level, dial, at, it=own[seed]: it(at) for name, own in methods.items()}
        ).assign(seed=seed)
        for seed in range(3)
    ]
    return scores(pd.concat(parts), DENOISE)


def flat(*offsets):
    return [lambda at, by=by: 30 + at + by for by in offsets]


def test_what_moves_with_the_seed_is_told_from_what_moves_with_the_images(plant):
    # 'ftn' is ahead of 'dni' by 1, 1 and -0.5 on every image; 'adafm' lies far behind both.
    found = by_seed(plant, ftn=flat(1, 1, 0.5), dni=flat(0, 0, 1), adafm=flat(-9, -9, -9))
    made = seeds.spread(found, DENOISE)
    about = made["seeds"].set_index("method")
    assert about["mean"].tolist() == pytest.approx([33.5 - 9, 33.5 + 1 / 3, 33.5 + 2.5 / 3])
    assert about.loc["dni", "seed_std"] == pytest.approx(3**-0.5)
    assert about.loc["adafm", "seed_std"] == 0
    assert about.loc["ftn", ["rank", "best_rank", "worst_rank"]].tolist() == [1, 1, 2]
    assert about.loc["adafm", ["rank", "best_rank", "worst_rank"]].tolist() == [3, 3, 3]
    # On every image a method is as far from the field as on all others.
    assert about["over_images"].tolist() == pytest.approx([0, 0, 0], abs=1e-9)
    pairs = made["pairs"].set_index(["method", "other"])
    line = pairs.loc["dni", "ftn"]
    assert line["difference"] == pytest.approx(-0.5)
    assert line[["agree", "apart", "reversed"]].tolist() == pytest.approx([2 / 3, 1, 1 / 3])
    assert pairs.loc[("adafm", "ftn"), ["agree", "apart", "reversed"]].tolist() == [1, 1, 0]
    assert len(made["runs"]) == 9


def test_images_that_disagree_tell_no_methods_apart_whatever_the_seed(plant):
    swings = [lambda at: 30 + at + (3 if at % 2 else -3)] * 3
    made = seeds.spread(
        by_seed(plant, ftn=flat(0, 0, 0), dni=swings, cfsnet=flat(0, 0, 0)), DENOISE
    )
    about = made["seeds"].set_index("method")
    # On odd images 'dni' is 2 above the mean of the three and the others 1 below it, and so on.
    low, high = interval(np.array([2.0 if at % 2 else -2.0 for at in range(8)]))
    half = float(high - low) / 2
    assert about["over_images"].to_dict() == pytest.approx(
        {"dni": half, "ftn": half / 2, "cfsnet": half / 2}
    )
    assert half > 1
    assert made["pairs"].set_index(["method", "other"]).loc[("dni", "ftn"), "apart"] == 0


def test_ranks_are_of_the_mean_over_seeds_where_seeds_win_areas(plant):
    """One seed of 'ftn' wins most, the other nothing; so would the scores of both, averaged first."""
    task = tasks.get("sr")
    values = {"floor": [(25, 0.5)] * 2, "dni": [(26, 0.49)] * 2, "ftn": [(35, 0.2), (10, 0.9)]}
    rows = [
        plant(
            {name: lambda level, dial, at, it=own[seed][of]: it for name, own in values.items()},
            metric=metric,
        ).assign(seed=seed)
        for seed in range(2)
        for of, metric in enumerate((task.headline, task.perception))
    ]
    about = seeds.spread(scores(pd.concat(rows), task), task)["seeds"].set_index("method")
    assert about["mean"].idxmax() == "ftn"
    assert about["rank"].to_dict() == {"dni": 2, "ftn": 1}
    assert about["worst_rank"].to_dict() == {"dni": 2, "ftn": 2}


def test_of_methods_without_a_difference_no_seed_is_said_to_disagree(plant):
    (line,) = seeds.spread(by_seed(plant, ftn=flat(0, 1, 0), dni=flat(0, 1, 0)), DENOISE)[
        "pairs"
    ].to_dict("records")
    assert line["difference"] == line["apart"] == 0
    assert math.isnan(line["agree"]) and math.isnan(line["reversed"])


def test_seeds_are_compared_where_every_method_has_all_of_them(plant):
    found = by_seed(plant, ftn=flat(0, 0, 0), dni=flat(0, 0, 0))
    run = next(run for run in found if run.method == "dni")
    floor = {run._replace(method="floor"): found[run]}
    for few in ({run: found[run]}, floor, {}):
        with pytest.raises(JobError, match="two methods and two seeds"):
            seeds.spread(few, DENOISE)
    del found[run][2]
    with pytest.raises(JobError, match="dni has no value on set with seed 2"):
        seeds.spread(found, DENOISE)


def test_areas_get_the_floor_that_they_are_measured_from():
    (own,) = seeds.with_floor(wanted("sr", ["dni", "ftn"], seeds=[0, 1]))
    assert [one.method for one in own.methods] == ["dni", "ftn", "floor"]
    (own,) = seeds.with_floor(wanted("denoise", ["dni", "ftn"], seeds=[4, 7]))
    assert own.seeds == (4, 7) and [one.method for one in own.methods] == ["dni", "ftn"]


def test_seeds_are_five_unless_others_are_named(home, capsys):
    words = ["analyze", "seeds", "--methods", "dni,ftn", "--preset", "smoke", "--dry-run"]
    assert cli.main(words) == 0
    assert ", seeds 0, 1, 2, 3, 4\n" in capsys.readouterr().out
    assert cli.main([*words, "--seeds", "3,5"]) == 0
    assert ", seeds 3, 5\n" in capsys.readouterr().out
    assert cli.main([*words, "--seeds", "0"]) == 2
    assert "one seed has nothing to be compared with" in capsys.readouterr().err


def test_a_method_alone_is_refused_before_it_is_trained_with_every_seed():
    with pytest.raises(UserError, match="one method has nothing to be compared with"):
        seeds.with_floor(wanted("denoise", ["dni", "floor", "blend"], seeds=[0, 1]))
