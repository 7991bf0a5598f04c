"""Where levels lie below the curves, and what is written there."""

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmark import tasks
from benchmark.report import ticks


def test_two_axes_are_drawn_line_after_line():
    parts = ticks.strokes(["0/0", "1/0.5", "0/1"], 1)
    assert parts == [["0/0", "0/1"], ["1/0.5"]]
    assert list(ticks.places(parts).values()) == [0.0, 1.0, 2.5]


def test_lines_run_along_the_last_dial_whose_values_have_no_names():
    names = ("sr", "blur-noise", "operators-6", "operators-4")
    assert [ticks.along(tasks.get(name)) for name in names] == [0, 1, 0, None]
    parts = ticks.strokes(["0/0", "0/1", "1/0", "1/1"], 0)
    assert parts == [["0/0", "1/0"], ["0/1", "1/1"]]


def test_no_line_joins_names():
    assert ticks.strokes(["0", "1", "0.5"], None) == [["0"], ["0.5"], ["1"]]


def test_markers_that_no_line_joins_stand_side_by_side():
    where = {"0": 0.0, "0.5": 0.5, "1": 1.0}
    shifts = ticks.beside(where, 4, None)
    assert shifts == sorted(shifts) and sum(shifts) == pytest.approx(0)
    assert shifts[-1] - shifts[0] < 0.5
    assert ticks.beside(where, 4, 0) == ticks.beside({"0": 0.0}, 4, None) == [0.0] * 4


def test_one_axis_is_drawn_as_one_line_at_its_levels():
    levels = ["0", "0.25", "1"]
    assert ticks.strokes(levels) == [levels]
    assert ticks.places([levels]) == {"0": 0.0, "0.25": 0.25, "1": 1.0}


def marked(name: str, lines: list[list[str]]) -> tuple[list[str], list[str]]:
    """The texts below a panel: of the dial that lines run along, and of the others."""
    figure = Figure()
    axes = figure.subplots()
    ticks.mark(axes, tasks.get(name), ticks.places(lines), labelled=True)
    FigureCanvasAgg(figure).draw()
    return (
        [text.get_text() for text in axes.get_xticklabels()],
        [text.get_text() for text in axes.get_xticklabels(minor=True)],
    )


def test_a_line_of_one_level_has_the_values_of_all_its_axes():
    assert marked("style-3", [["0/0", "0/1"], ["1/0"]]) == (["0", "1", "0"], ["0", "1"])


def test_ends_of_lines_are_written_where_there_is_room():
    few = [[f"{at / 5:g}/{end}" for end in (0, 0.5, 1)] for at in range(3)]
    many = [[f"{at / 20:g}/{end}" for end in (0, 0.5, 1)] for at in range(10)]
    above, below = marked("denoise-deblur", few)
    assert above == ["0", "1"] * 3 and len(below) == 3
    above, below = marked("denoise-deblur", many)
    assert above == ["0", "1"] + [""] * 18 and len(below) == 10
    above, _ = marked("denoise-deblur", [["0/0.5", "0/1"], *many[1:]])
    assert above[:4] == ["", "", "0", "1"]
    wide = [[f"0/{at / 20:g}/{end}" for end in (0, 0.5, 1)] for at in range(11)]
    assert marked("blur-noise-jpeg", wide)[0] == ["0"] + [""] * 21


def test_lines_of_two_dials_are_marked_at_their_ends_and_by_the_other_dial():
    task = tasks.get("denoise-deblur")
    figure = Figure()
    axes = figure.subplots()
    where = ticks.places([["0/0", "0/0.5", "0/1"], ["1/0", "1/0.5", "1/1"]])
    ticks.mark(axes, task, where, labelled=True)
    ends = [text.get_text() for text in axes.get_xticklabels()]
    lines = [text.get_text().strip() for text in axes.get_xticklabels(minor=True)]
    assert sorted(ends) == ["0", "0", "1", "1"] and lines == ["0", "1"]
    assert axes.get_xlabel() == "sharpening\nnoise kept"
