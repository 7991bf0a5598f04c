"""Experts: where they stand, and that there is nothing between them."""

from __future__ import annotations

import pytest

from benchmark import tasks
from benchmark.build import create_backbone, create_method
from benchmark.errors import LevelError, UserError


@pytest.mark.parametrize(
    ("task", "levels"),
    [("sr", ((0.0,), (0.5,), (1.0,))), ("denoise", ((0.2,), (0.6,), (1.0,)))],
)
def test_experts_stand_at_the_anchors_and_in_the_middle(task, levels):
    task = tasks.get(task)
    experts = create_method("experts").assemble(create_backbone("small", 1), task.space)
    assert experts.only_levels(task) == levels
    assert [stage.levels.level for stage in experts.stages(task)] == [(0.0,), (0.5,), (1.0,)]


@pytest.mark.parametrize(("name", "count"), [("denoise", 7), ("dejpeg", 11), ("derain", 19)])
def test_experts_can_stand_at_every_level_of_a_grid(name, count):
    task = tasks.get(name)
    method = create_method(f"experts:count={count}")
    experts = method.assemble(create_backbone("small:width=4:blocks=1", 1), task.space)
    assert {*task.grid} <= {*experts.only_levels(task)}
    for level in task.grid:
        experts.tuned(level)


@pytest.mark.parametrize(
    ("name", "at"),
    [
        # Decouple learning, Table 1.
        ("filter-l0", "0.002+0.004+0.02+0.093+0.2"),
        ("filter-wls", "0.1+0.215+1+4.641+10"),
        ("filter-rtv", "0.05+0.022+0.01+0.004"),
    ],
)
def test_experts_can_stand_where_a_paper_has_them(name, at):
    task = tasks.get(name)
    method = create_method(f"experts:at={at}")
    experts = method.assemble(create_backbone("small:width=4:blocks=1", 1), task.space)
    assert experts.only_levels(task) == task.grid
    trained = [
        task.space.physical(task.space.spread(one.levels.level)) for one in experts.stages(task)
    ]
    assert trained == [pytest.approx(task.space.physical(level)) for level in task.grid]
    for level in task.grid:
        experts.tuned(level)


def test_one_more_expert():
    task = tasks.get("denoise")
    network = create_backbone("small:width=4:blocks=1", 1)
    experts = create_method("experts:at=25").assemble(network, task.space)
    assert experts.only_levels(task) == (task.space.level_of((20,)), task.space.level_of((25,)))
    with pytest.raises(LevelError, match="outside 20 to 80"):
        create_method("experts:at=90").assemble(network, task.space)


def test_experts_refuse_the_levels_between():
    backbone = create_backbone("small:width=4:blocks=1", 1)
    experts = create_method("experts").assemble(backbone, tasks.get("sr").space)
    with pytest.raises(LevelError, match="no expert at level 0.25; ask for one of: 0, 0.5, 1"):
        experts.tuned((0.25,))


@pytest.mark.parametrize("options", ["count=5:at=25", "at=a"])
def test_experts_stand_evenly_or_where_they_are_told(options):
    with pytest.raises(UserError, match="at="):
        create_method(f"experts:{options}")


def test_a_whole_dial_has_experts_at_whole_values():
    task = tasks.get("dejpeg")
    with pytest.raises(LevelError, match="12.5 is no whole number"):
        create_method("experts:at=12.5").assemble(create_backbone("small", 1), task.space)
