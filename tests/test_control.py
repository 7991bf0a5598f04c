"""Levels and their physical values."""

import numpy as np
import pytest
import torch

from benchmark import tasks
from benchmark.control import Axis, ControlSpace, level_key, level_text, parse_level
from benchmark.errors import LevelError, UserError

QUALITY = ControlSpace((Axis("quality", 40, 10, integer=True),))
SIGMA = ControlSpace((Axis("sigma", 20, 80),))
ANCHORED = ControlSpace((Axis("sigma", 5, 80),), first=(0.2,), last=(1.0,))


def test_positions_count_between_the_anchors_and_stop_there():
    assert ANCHORED.trained().axes[0] == Axis("sigma", 20, 80)
    assert [ANCHORED.position((t,)) for t in (0.0, 0.2, 0.6, 1.0)] == [
        (0.0,),
        (0.0,),
        pytest.approx((0.5,)),
        (1.0,),
    ]
    assert ANCHORED.spread((0.5,)) == (0.6,)
    assert ANCHORED.physical(ANCHORED.spread((0.25,))) == (35.0,)
    assert SIGMA.trained() == SIGMA


@pytest.mark.parametrize("sigma", [20, 30, 40, 50, 60, 70, 80])
def test_a_physical_value_survives_the_way_to_a_level_and_back(sigma):
    assert SIGMA.physical(SIGMA.level_of((sigma,))) == (sigma,)


def test_level_zero_is_the_start_whatever_the_direction_of_the_axis():
    assert QUALITY.physical((0.0,)) == (40.0,)
    assert QUALITY.physical((1.0,)) == (10.0,)


def test_values_with_names_are_all_in_a_lattice_and_equally_likely():
    number = ControlSpace(
        (Axis("t", 0.0, 1.0), Axis("which", 1, 4, integer=True, names=("a", "b", "c", "d")))
    )
    assert len(number.lattice(2)) == 8
    assert {number.physical(level)[1] for level in number.lattice(2)} == {1, 2, 3, 4}
    drawn = [number.physical(number.drawn((0.3, (i + 0.5) / 100)))[1] for i in range(100)]
    assert [drawn.count(value) for value in (1, 2, 3, 4)] == [25] * 4
    assert number.axes[1].text(3.0) == "c"
    assert number.physical(number.drawn((1.0, 1.0))) == (1.0, 4.0)


def test_an_axis_of_one_value_is_no_dial():
    fixed = ControlSpace((Axis("steps", 10, 10, integer=True),))
    assert (fixed.d, fixed.dials, SIGMA.dials) == (1, 0, 1)
    assert fixed.lattice(5) == ((0.0,),)
    assert fixed.physical(fixed.spread((1.0,))) == (10.0,)
    assert fixed.position((0.0,)) == (0.0,)
    assert fixed.level_of((10,)) == (0.0,)
    with pytest.raises(LevelError, match="always 10"):
        fixed.check((0.5,))
    with pytest.raises(LevelError, match="steps is always 10, not 11"):
        fixed.level_of((11,))


def test_an_integer_axis_only_has_whole_values():
    assert QUALITY.physical((0.21,)) == (34.0,)
    with pytest.raises(LevelError, match="quality 33.4 is no whole number; choose one"):
        QUALITY.level_of((33.4,))


def test_a_logarithmic_axis_has_its_geometric_mean_in_the_middle():
    axis = Axis("lambda", 0.002, 0.2, log=True)
    assert axis.physical(0.5) == pytest.approx(0.02)
    assert axis.level(0.02) == pytest.approx(0.5)
    with pytest.raises(LevelError, match="lambda 0 lies outside"):
        ControlSpace((axis,)).level_of((0.0,))


@pytest.mark.parametrize("level", [(1.01,), (-0.01,), (float("nan"),), (0.5, 0.5), ()])
def test_a_level_outside_the_space_raises(level):
    with pytest.raises(LevelError):
        SIGMA.check(level)


@pytest.mark.parametrize("level", [0.25, [0.25], np.float32(0.25), torch.tensor(0.25)])
def test_on_one_axis_a_number_is_a_level(level):
    assert SIGMA.check(level) == (0.25,)
    with pytest.raises(LevelError, match="1 values, but the axes are: a, b"):
        ControlSpace((Axis("a", 0, 1), Axis("b", 0, 1))).check(level)


@pytest.mark.parametrize("level", ["low", None, ("a",), [None]])
def test_what_is_no_number_is_no_level(level):
    with pytest.raises(
        LevelError, match="is no level; give a number from 0 to 1 for each of: sigma"
    ):
        SIGMA.check(level)


def test_a_physical_value_outside_the_range_raises_and_names_the_axis():
    with pytest.raises(UserError, match="sigma 90"):
        SIGMA.level_of((90,))


@pytest.mark.parametrize(
    ("level", "text"), [((0.25,), "0.25"), ((-0.0,), "0"), ((1.0, 0.333333), "1/0.333333")]
)
def test_levels_print_as_short_decimals_and_parse_back(level, text):
    assert level_text(level) == text
    assert parse_level(text) == tuple(value + 0.0 for value in level)


@pytest.mark.parametrize("text", ["", "x", "0.5/", "nan", "inf"])
def test_text_that_is_no_level_raises(text):
    with pytest.raises(LevelError):
        parse_level(text)


def test_evenly_spaced_levels_are_those_of_the_grid():
    task = tasks.get("denoise")
    assert task.space.lattice(7) == task.grid


def test_levels_are_in_order_as_numbers_and_other_texts_come_last():
    assert sorted(["none", "0.5", "1", "0.25"], key=level_key) == ["0.25", "0.5", "1", "none"]
    assert level_key("0.5/1") == (0.5, 1.0)
