"""The level x dial matrix: what it adds to a plan, and how it is scored."""

import dataclasses

import pytest

from benchmark import cli, plan, sweep
from benchmark.collect import collect
from benchmark.engines import local
from benchmark.errors import UserError
from benchmark.planning import jobs
from benchmark.planning.request import request_of
from benchmark.store import Store
from benchmark.verbs.outline import describe

LEVELS = ("0.2", "0.6", "1")


@pytest.fixture
def planned(home, photographs):
    """Returns a maker of plans for denoising two small images, and the store."""

    def make(*words: str, methods: str = "floor") -> tuple[plan.Plan, Store]:
        top, _ = cli.parser()
        fixed = ("--preset", "smoke", "--set", "steps=1", "--levels", ",".join(LEVELS))
        more = ("--methods", methods, "--offline", "--test", str(photographs))
        store = Store()
        store.prepare()
        return plan.make(
            request_of(top.parse_args(["run", "denoise", *fixed, *more, *words])), store
        ), store

    return make


def run(made: plan.Plan, store: Store) -> None:
    assert local.run(made.jobs(), store, workers=1) == {}


def test_a_matrix_is_scored_once_and_its_diagonal_is_that_of_a_plain_run(planned):
    plain, store = planned()
    run(plain, store)
    made, _ = planned("--matrix")
    (job,) = made.jobs()
    assert job.levels == () and len(job.crossed) == 6
    run(made, store)
    assert planned("--matrix")[0].jobs() == []
    assert planned()[0].jobs() == []

    cells = plan.stored_cells(made, store)
    pairs = [(cell.facts["level"], cell.facts["set_level"]) for cell in cells]
    assert sorted(pairs) == sorted((level, dial) for level in LEVELS for dial in LEVELS)
    for cell in cells:
        metrics = {row.metric for row in cell.rows}
        off = cell.facts["level"] != cell.facts["set_level"]
        assert metrics == ({"psnr-rgb"} if off else set(made.task.metrics))
    diagonal = [cell for cell in cells if cell.facts["level"] == cell.facts["set_level"]]
    assert diagonal == plan.stored_cells(plain, store)
    assert len(collect(store, cells).pictures) == len(collect(store, diagonal).pictures) == 7


def test_turning_the_dial_is_timed_once_at_every_level(planned, monkeypatch):
    made, store = planned("--matrix")
    (job,) = made.jobs()
    job = dataclasses.replace(job, preset=dataclasses.replace(job.preset, timing=True))
    timed = []
    monkeypatch.setattr(sweep, "_switch", lambda *_: timed.append(None))
    sweep.sweep(job, store, lambda text: None)
    assert len(timed) == len(LEVELS)


def test_the_floor_scores_the_same_whatever_the_dial(planned):
    made, store = planned("--matrix")
    run(made, store)
    rows = collect(store, plan.stored_cells(made, store)).rows
    psnr = rows[rows["metric"] == "psnr-rgb"].groupby(["level", "image"])["value"]
    assert (psnr.nunique() == 1).all() and psnr.ngroups == 6


def test_each_network_is_folded_and_each_input_made_once(planned, monkeypatch):
    made, store = planned("--matrix")
    (job,) = made.jobs()
    folded, given = [], []
    load, degraded = sweep.loaded, sweep.Samples.degraded

    def counted(*of):
        method = load(*of)
        tuned = method.tuned
        method.tuned = lambda level: folded.append(level) or tuned(level)
        return method

    monkeypatch.setattr(sweep, "loaded", counted)
    monkeypatch.setattr(
        sweep.Samples,
        "degraded",
        lambda self, index, level: given.append((index, level)) or degraded(self, index, level),
    )
    sweep.sweep(job, store, lambda _: None)
    # One more of each: costs are counted on a network, and the first input of a level is drawn.
    assert len(folded) == 3 + 1 and len(given) == 2 * 3 + 3
    assert planned("--matrix")[0].jobs() == []


def test_a_killed_matrix_goes_on_with_the_cells_that_are_missing(planned):
    made, store = planned("--matrix")
    (job,) = made.jobs()
    sweep.sweep(job.only(job.points()[:4]), store, lambda _: None)
    (left,) = planned("--matrix")[0].jobs()
    assert left.points() == job.points()[4:]


def test_experts_have_no_dial_that_could_be_set_wrong(planned):
    made, _ = planned("--matrix", methods="experts,dni")
    crossed = {job.method: len(job.crossed) for job in made.sweeps.values()}
    assert crossed == {"experts": 0, "dni": 6}
    text = describe(made)
    assert "cells: 12 to score of 12, 6 of them with the dial set to another level" in text


def test_a_sweep_of_a_matrix_survives_its_job_file(planned):
    made, _ = planned("--matrix", methods="dni")
    (job,) = made.sweeps.values()
    assert jobs.from_json(jobs.to_json(job)) == job


def test_a_matrix_is_for_tasks_whose_images_have_a_true_level():
    top, _ = cli.parser()
    with pytest.raises(UserError, match="have a true level, which those of sr have not"):
        request_of(top.parse_args(["run", "sr", "--matrix"]))
