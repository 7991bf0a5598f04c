"""The figure of the level x dial matrix."""

import itertools

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex

from benchmark import tasks
from benchmark.analysis.scores import Run
from benchmark.control import level_text
from benchmark.report.derived import derive
from benchmark.report.heat import heat, matrix, panels
from benchmark.results import Results

SMALL = {
    "methods": ("dni", "ftn", "experts", "floor"),
    "levels": ("0", "0.5", "1"),
    "pictures": False,
}


@pytest.fixture
def crossed(make):
    """Results with a level x dial matrix."""
    return make("denoise", **SMALL, matrix=True, images=("a", "b", "c"))


def test_the_matrix_has_a_panel_for_every_method_with_a_dial_and_shows_the_losses(crossed):
    results, task = crossed
    svg = heat(derive(results, task).found, task)["matrix.svg"].decode()
    rows = results.rows
    psnr = rows[(rows["metric"] == "psnr-rgb") & (rows["method"] == "ftn") & (rows["level"] == "1")]
    means = psnr.groupby("set_level")["value"].mean()
    for text in ("dni", "ftn", f"{means.max() - means['0']:.1f}", "best dial at the true level"):
        assert f">{text}</text>" in svg
    assert ">floor<" not in svg and ">experts<" not in svg


def test_a_panel_says_why_it_is_empty(crossed):
    results, task = crossed
    gone = (results.rows["method"] == "ftn") & (results.rows["set_level"] == "0")
    some = Results(results.rows[~gone], results.costs, results.pictures)
    assert "3 of 9 cells" in heat(derive(some, task).found, task)["matrix.svg"].decode()


def test_the_matrix_runs_as_that_of_the_page_and_has_baselines_last(make):
    results, task = make("denoise", **{**SMALL, "methods": ("blend", "dni", "ftn")}, matrix=True)
    every = panels(derive(results, task).found, task)
    assert [run.method for run in every] == ["dni", "ftn", "blend"]
    axes = matrix(every, task).axes[0]
    assert axes.get_ylim()[0] > axes.get_ylim()[1], "the first level is on top"


def test_the_diagonal_of_the_matrix_shows_on_light_and_dark_cells(crossed):
    results, task = crossed
    axes = matrix(panels(derive(results, task).found, task), task).axes[0]
    assert {to_hex(one.get_edgecolor()) for one in axes.patches} == {"#000000", "#ffffff"}


@pytest.mark.parametrize("points", [3, 5])
def test_labels_of_a_matrix_of_two_dials_do_not_touch(points):
    task = tasks.get("blur-noise")
    levels = tuple(level_text(level) for level in task.space.lattice(points))
    loss = np.random.default_rng(0).normal(size=(len(levels), len(levels)))
    figure = matrix({Run("dni", "small", "laptop", "set"): (levels, loss)}, task)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    for side, texts in enumerate(
        (figure.axes[0].get_xticklabels(), figure.axes[0].get_yticklabels())
    ):
        boxes = [text.get_window_extent(canvas.get_renderer()) for text in texts]
        ends = sorted((box.get_points()[0][side], box.get_points()[1][side]) for box in boxes)
        assert all(one[1] < other[0] for one, other in itertools.pairwise(ends))
