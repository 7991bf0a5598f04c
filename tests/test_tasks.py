"""Every task, from training to report, at the smallest size."""

import dataclasses

import pandas as pd
import pytest

from benchmark import cli, operators, tasks
from benchmark.control import level_text
from benchmark.report import words as told

NAMES = [name for name in tasks.names() if name not in ("sr", "denoise", "dejpeg", "sr-noise")]
"""The other four are run by many tests."""
SMALL = ("--preset", "smoke", "--offline", "--jobs", "1")
LEAST = ("--set", "steps=1", "--set", "patch=16", "--set", "crops=1", "--set", "points=2")


@pytest.mark.parametrize("name", NAMES)
def test_a_task_runs_from_training_to_report(name, home, photographs, capsys):
    """Two methods stand for all: one takes every number of dials, the floor has no weights."""
    task = tasks.get(name)
    method = "decouple" if task.space.dials else "experts"
    words = [
        "run",
        name,
        *SMALL,
        *LEAST,
        "--methods",
        f"{method},floor",
        "--test",
        str(photographs),
    ]
    ends = dict.fromkeys((task.space.start, task.space.end))
    words += ["--levels", ",".join(level_text(level) for level in ends)]
    assert cli.main(words) == 0
    report = home / "report" / name
    rows = pd.read_csv(report / "rows.csv", dtype={"level": str, "level_physical": str})
    own = rows[(rows["method"] == method) & (rows["metric"] == task.headline)]
    assert len(own) == len(ends) * 2 * len(task.cases)
    assert (own["status"] == "ok").all()
    last = own[own["level"] == level_text(task.space.end)]
    assert set(last["level_physical"]) == {level_text(task.space.physical(task.space.end))}
    assert (report / "pd_curve.png").is_file()
    capsys.readouterr()
    assert cli.main([*words, "--dry-run"]) == 0
    assert "training steps: 0 to do" in capsys.readouterr().out


@pytest.mark.parametrize("name", [one for one in NAMES if tasks.get(one).operator])
def test_the_dial_of_an_operator_task_stays_inside_the_operators_range(name):
    task = tasks.get(name)
    parameters = operators.get(task.operator).parameters
    for axis, parameter in zip(task.space.axes, parameters, strict=False):
        assert (axis.name, axis.log, axis.integer) == (
            *(parameter.name, parameter.log, parameter.integer),
        )
        assert (axis.start, axis.end) == (parameter.start, parameter.end)


def test_operator_tasks_have_a_true_level_and_objective_tasks_do_not():
    assert tasks.get("filter-l0").has_true_level and tasks.get("denoise").has_true_level
    assert not tasks.get("denoise-strength").has_true_level


def test_a_dial_set_wrong_on_an_operator_task_is_scored_against_the_true_parameter(
    home, photographs
):
    words = ["run", "filter-wmf", *SMALL, *LEAST, "--methods", "dni", "--test", str(photographs)]
    assert cli.main([*words, "--matrix"]) == 0
    dials = pd.read_csv(home / "report" / "filter-wmf" / "dial.csv")
    assert dials.loc[dials["figure"] == "dial-oracle", "value"].notna().all()
    assert (home / "report" / "filter-wmf" / "matrix.png").is_file()


def test_methods_of_one_axis_say_why_they_skip_a_task_of_two(home, photographs, capsys):
    words = ["run", "blur-noise", *SMALL, *LEAST, "--methods", "experts,floor"]
    assert cli.main([*words, "--test", str(photographs)]) == 0
    assert "experts: skipped: takes one control axis, not 2" in capsys.readouterr().err


def test_a_task_without_a_dial_is_left_to_baselines(home, photographs, capsys):
    words = ["run", "filter-shock", *SMALL, *LEAST, "--methods", "dni,experts,floor"]
    assert cli.main([*words, "--test", str(photographs)]) == 0
    assert "dni: skipped: takes 1 to 3 control axes, not 0" in capsys.readouterr().err
    rows = pd.read_csv(home / "report" / "filter-shock" / "rows.csv")
    assert set(rows["method"]) == {"experts", "floor"}
    assert set(rows["level"]) == {0}
    assert len(list((home / "stages").iterdir())) == 1


def test_levels_that_number_things_are_written_by_name():
    task = tasks.get("operators-10")
    assert told.physical(task, "0.5/0") == "0.5/L0"
    assert told.physical(task, "0/1") == "0/derain"
    assert told.level_name(tasks.get("operators-4"), "0") == "operator SR"


def test_networks_that_only_denoise_skip_tasks_that_also_keep_noise():
    from benchmark.build import create_method

    for name in ("ffdnet", "cdncnn"):
        made = create_method(name, None)
        assert made.skip(tasks.get("denoise")) is None
        assert "removes Gaussian noise" in (made.skip(tasks.get("denoise-strength")) or "")


@pytest.mark.parametrize("name", ["blind", "blind-dejpeg", "pixel-adaptive"])
def test_a_task_that_judges_anothers_networks_on_luma_has_them_trained_on_luma(name):
    task, luma = tasks.get(name), tasks.get(f"{name}@jpeg-y")
    trained = tasks.get(luma.trained_as)
    assert (trained.name, luma.base) == (f"{task.trained_as}@jpeg-y", task.base)
    assert trained.training_facts() == tasks.get(f"{task.base}@jpeg-y").training_facts()
    assert trained.training_facts() != tasks.get(task.trained_as).training_facts()


def test_metrics_that_look_at_the_grid_count_it_in_their_keys():
    for name in ("pixel-adaptive", "style"):
        task = tasks.get(name)
        fewer = dataclasses.replace(task, grid=task.grid[:2])
        assert fewer.scoring_facts() != task.scoring_facts()
    task = tasks.get("denoise")
    assert dataclasses.replace(task, grid=task.grid[:2]).scoring_facts() == task.scoring_facts()
