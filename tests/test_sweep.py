"""Sweeps: what a cell holds, and what is computed again."""

import dataclasses

import numpy as np
import pytest
import torch

from benchmark import cli, plan, sweep, tasks
from benchmark.collect import collect
from benchmark.control import level_text
from benchmark.data.samples import Samples
from benchmark.data.sources import open_set
from benchmark.errors import JobError
from benchmark.planning.request import request_of
from benchmark.store import LATER, Cell, Row, Store
from benchmark.trained import training_of

WORDS = ("--methods", "floor", "--preset", "smoke", "--offline", "--levels", "0,0.5,1")


@pytest.fixture
def floor(home, photographs):
    """The only job of a floor sweep over three levels, and the store."""

    def make(task: str = "denoise"):
        top, _ = cli.parser()
        request = request_of(top.parse_args(["run", task, *WORDS, "--test", str(photographs)]))
        store = Store()
        store.prepare()
        made = plan.make(request, store)
        return made, store

    return make


def silent(_: str) -> None:
    pass


def test_a_cell_holds_one_row_for_each_image_and_metric(floor):
    made, store = floor()
    (job,) = made.jobs()
    sweep.sweep(job, store, silent)
    cells = plan.stored_cells(made, store)
    assert [cell.facts["level"] for cell in cells] == ["0", "0.5", "1"]
    physical = [level_text(made.task.space.physical(level)) for level in made.levels]
    assert [cell.facts["level_physical"] for cell in cells] == physical
    metrics = made.task.metrics
    for cell in cells:
        seen = [(row.image, row.metric) for row in cell.rows]
        assert seen == [(image, metric) for image in ("p0", "p1") for metric in metrics]
        assert cell.cost["ms_per_image"] is cell.cost["switch_ms"] is None
        assert cell.cost["macs"] == 0
    # The floor gives back what it gets: unclipped noise, rounded for scoring.
    noisiest = next(row for row in cells[2].rows if row.metric == "psnr-rgb")
    assert 10 < noisiest.value < 14


def test_noise_is_one_realisation_that_the_level_scales(photographs):
    task = tasks.get("denoise")
    samples = Samples(open_set(str(photographs), "test"), task)
    clean = samples.clean(0)
    weak, strong = (samples.degraded(0, (level,)) - clean for level in (0.0, 1.0))
    axis = task.space.axes[0]
    torch.testing.assert_close(strong, weak * (axis.end / axis.start), rtol=0, atol=1e-5)
    assert not torch.allclose(weak, samples.degraded(1, (0.0,)) - samples.clean(1))


def test_rounded_noise_is_rounded_when_the_protocol_says_so(photographs):
    task = tasks.get("denoise")
    task = dataclasses.replace(task, protocol=dataclasses.replace(task.protocol, noise="uint8"))
    image = Samples(open_set(str(photographs), "test"), task).degraded(0, (1.0,)) * 255
    torch.testing.assert_close(image, image.round(), rtol=0, atol=1e-3)
    assert image.min() >= 0


def test_images_are_cropped_to_the_multiple_of_the_protocol(tmp_path):
    from PIL import Image

    pixels = np.zeros((99, 101, 3), np.uint8)
    pixels[0, 0] = 255
    Image.fromarray(pixels).save(tmp_path / "odd.png")
    clean = Samples(open_set(str(tmp_path), "test"), tasks.get("sr")).clean(0)
    assert clean.shape == (3, 96, 100)
    assert clean[:, 0, 0].tolist() == [1, 1, 1]


def test_metrics_that_can_be_had_now_are_filled_and_the_other_rows_kept(floor, monkeypatch):
    metric = "psnr-rgb"

    def without(ids, offline=False, store=None):
        return {one: "its weights are missing" if one == metric else None for one in ids}

    with monkeypatch.context() as patch:
        patch.setattr("benchmark.sweep.availability", without)
        patch.setattr("benchmark.metrics.scorer.availability", without)
        made, store = floor()
        (job,) = made.jobs()
        sweep.sweep(job, store, silent)
    before = plan.stored_cells(made, store)
    assert {row.status for row in before[0].rows if row.metric == metric} == {"unavailable"}

    again, _ = floor()
    (job,) = again.jobs()
    assert len(job.levels) == 3
    monkeypatch.setattr(sweep, "now", lambda: "2031-01-01T00:00:00Z")
    sweep.sweep(job, store, silent)
    after = plan.stored_cells(again, store)
    assert floor()[0].jobs() == []
    for old, new in zip(before, after, strict=True):
        assert [row.metric for row in old.rows] == [row.metric for row in new.rows]
        kept = [row for row in old.rows if row.metric != metric]
        assert [row for row in new.rows if row.metric != metric] == kept
        assert all(row.value > 0 for row in new.rows if row.metric == metric)
        assert old.facts == {key: one for key, one in new.facts.items() if key != "later"}
    # Every row says when it was made itself.
    rows = collect(store, after).rows
    made_at = {str(name): set(own["created_utc"]) for name, own in rows.groupby("metric")}
    first = {one.facts["created_utc"] for one in before}
    assert made_at.pop(metric) == {"2031-01-01T00:00:00Z"}
    assert made_at and all(times <= first for times in made_at.values())
    assert list(rows["metric"]) == [row.metric for cell in after for row in cell.rows]


def test_what_was_added_twice_says_twice_when():
    origin = dict.fromkeys(sweep.ORIGIN, "x")
    cells = [
        Cell("c", {**origin, "created_utc": f"{at}"}, (Row("p", name, 1.0, "ok", ""),), {}, {})
        for at, name in enumerate(("a", "b", "c"))
    ]
    whole = sweep.merged(sweep.merged(cells[0], cells[1], ("a", "b")), cells[2], ("a", "b", "c"))
    assert [row.metric for row in whole.rows] == ["a", "b", "c"]
    assert whole.facts["created_utc"] == "0"
    assert {name: own["created_utc"] for name, own in whole.facts[LATER].items()} == {
        "b": "1",
        "c": "2",
    }


def test_the_steps_behind_a_method_are_those_of_all_its_stages(floor):
    made, store = floor()
    (job,) = made.jobs()
    for key, steps in (("a", 4), ("b", 9)):
        store.write_stage(key, {"w": torch.ones(1)}, {"steps": steps})
    job = dataclasses.replace(job, stage_keys={"start": "a", "tune": "b"})
    assert training_of(job, store)[1] == 13
    with pytest.raises(JobError, match="stage 'more' is missing"):
        training_of(dataclasses.replace(job, stage_keys={"start": "a", "more": "c"}), store)


def test_a_stored_cell_is_not_scored_again(floor, monkeypatch):
    made, store = floor()
    (job,) = made.jobs()
    sweep.sweep(job, store, silent)
    monkeypatch.setattr(sweep, "loaded", lambda *_: pytest.fail("it was scored again"))
    sweep.sweep(job, store, silent)


def test_results_list_the_input_and_the_clean_picture(floor):
    made, store = floor()
    sweep.sweep(made.jobs()[0], store, silent)
    results = collect(store, plan.stored_cells(made, store))
    pictures = results.pictures
    assert list(pictures[pictures["method"] == "input"]["level"]) == ["0", "0.5", "1"]
    assert list(pictures[pictures["method"] == "clean"]["level"]) == [""]
    assert pictures["path"].nunique() == len(pictures) == 7
    assert len(results.costs) == 1
    assert results.costs[["ms_per_image", "switch_ms"]].isna().all(axis=None)


def test_times_of_a_method_are_medians_over_its_cells(floor):
    made, store = floor()
    sweep.sweep(made.jobs()[0], store, silent)
    cells = plan.stored_cells(made, store)
    for cell, milliseconds in zip(cells, (1.0, 5.0, None), strict=True):
        cell.cost.update(ms_per_image=4.0, switch_ms=milliseconds)
    (line,) = collect(store, cells).costs.itertuples()
    assert (line.ms_per_image, line.switch_ms) == (4.0, 3.0)
    for cell in cells:
        # Cells of before it was measured.
        del cell.cost["switch_ms"]
    assert collect(store, cells).costs["switch_ms"].isna().all()
