"""Checks of stages: what they train, where they start, and what holds afterwards."""

from __future__ import annotations

import copy
import dataclasses
import random

import numpy as np
import torch
from torch import Tensor

from benchmark.conformance.subject import (
    Factory,
    Skipped,
    batch_of,
    begin,
    images,
    levels,
    moved,
    own_stages,
    require,
    scrambled,
    state,
    train,
)
from benchmark.control import Level, level_text
from benchmark.method import At, ControlMethod, Stage
from benchmark.tasks import Task
from benchmark.training.stage import fault


def stages_follow_each_other(factory: Factory, task: Task) -> None:
    """Stage names are unique, start from earlier ones, and train something of plain backbones."""
    method = factory(0)
    wrong = fault(method.stages(task), task.space.d)
    require(not wrong, wrong)
    for stage in method.stages(task):
        if stage.network is not None:
            network = method.get_submodule(stage.network)
            same = list(network.state_dict()) == list(method.backbone.state_dict())
            require(same, f"'{stage.network}' of stage '{stage.name}' is not a backbone")
            parts = (f"backbone.{name}" for name, _ in network.named_parameters())
            require(
                any(map(stage.moves, parts)),
                f"stage '{stage.name}' names nothing of its network, whose parts are called "
                "'backbone.' and so on there; write trains=('',) for all of it",
            )


def stages_move_what_they_declare(factory: Factory, task: Task) -> None:
    """Training moves something under every declared prefix, and nothing else."""
    names = [stage.name for stage in own_stages(factory(0), task)]
    if not names:
        raise Skipped("it has no stage of its own")
    for name in names:
        method = factory(0)
        stage = next(stage for stage in own_stages(method, task) if stage.name == name)
        before = state(method)
        train(method, stage, task)
        keys = moved(before, method)
        # What is shared moves under all of its names, if one of them is declared.
        named = [*method.named_parameters(remove_duplicate=False)]
        meant = {one for key, one in named if stage.moves(key)}
        allowed = {key for key, one in named if one in meant}
        stray = sorted(key for key in keys - allowed if not stage.moves(key))
        require(not stray, f"stage '{name}' moves {', '.join(stray[:3])}")
        for one in stage.trains:
            alone = dataclasses.replace(stage, trains=(one,))
            require(any(map(alone.moves, keys)), f"stage '{name}' does not move '{one}'")


def plain_networks_answer_at_their_level(factory: Factory, task: Task) -> None:
    """Where a stage trains a plain network at one level, the method is that network there.

    Bit for bit, before the method's own stages and after them: the network that was trained for
    all methods, and stored once, is what this one gives at its level for ever.
    """
    method = scrambled(factory, torch.float32)
    plain = [
        stage
        for stage in method.stages(task)
        if stage.network is not None and isinstance(stage.levels, At)
    ]
    if not plain:
        raise Skipped("no stage of it trains a plain network at one level")
    x = images(2, torch.float32)
    expected = {stage.name: _output(method, stage, x) for stage in plain}
    before = {
        stage.name: copy.deepcopy(method.get_submodule(str(stage.network)).state_dict())
        for stage in plain
    }
    _require_networks(method, plain, expected, before, x, task, "")
    for stage in own_stages(method, task):
        train(method, stage, task)
        after = f" after stage '{stage.name}'"
        _require_networks(method.eval(), plain, expected, before, x, task, after)


def seeds_decide_weights(factory: Factory, task: Task) -> None:
    """The same seed gives the same initial weights, and so does training."""
    states = []
    for _ in range(2):
        method = factory(3)
        for stage in own_stages(method, task):
            train(method, stage, task)
        states.append(state(method))
    same = all(torch.equal(value, states[1][key]) for key, value in states[0].items())
    require(same, "the same seed gives different weights")


def random_numbers_follow_the_seed(factory: Factory, task: Task) -> None:
    """Nothing sets a seed of its own, or draws from generators that checkpoints do not keep.

    Seeds would differ less than they do, or a run that was killed end in other weights.
    """
    ends = []
    for seed in (0, 1):
        factory(seed)
        ends.append(torch.get_rng_state())
    own = "build() sets torch's seed, so all seeds begin alike; leave it, or use a torch.Generator"
    require(not torch.equal(*ends), own)
    for index, stage in enumerate(own_stages(factory(0), task)):
        ends = []
        for seed in (0, 1):
            method, before = factory(0), _elsewhere()
            torch.manual_seed(seed)
            train(method, own_stages(method, task)[index], task)
            ends.append(torch.get_rng_state())
            drawn = [name for name, now in _elsewhere().items() if now != before[name]]
            other = f"stage '{stage.name}' draws from {', '.join(drawn)}, which no checkpoint keeps"
            require(not drawn, f"{other}; use torch")
        own = f"stage '{stage.name}' sets torch's seed; use a torch.Generator"
        require(not torch.equal(*ends), own)


def _elsewhere() -> dict[str, str]:
    """Returns the states of generators that are not torch's."""
    return {
        "Python's random": str(random.getstate()),
        # Its keys are an array, which would be shortened.
        "numpy.random": str([np.asarray(one).tolist() for one in np.random.get_state()]),
    }


def steps_leave_things_as_they_are(factory: Factory, task: Task) -> None:
    """A step changes neither the batch that it is given nor the mode of any part.

    What is changed in a batch is gone for what looks at it afterwards; a part in another mode stays so
    for all steps to come.
    """
    for index, stage in enumerate(own_stages(factory(0), task)):
        method, begun = factory(0), factory(0)
        begin(begun, own_stages(begun, task)[index])
        given, batch = batch_of(stage, task), batch_of(stage, task)
        train(method, own_stages(method, task)[index], task, batch)
        for name, before, after in zip(given._fields, given, batch, strict=True):
            same = not isinstance(before, Tensor) or torch.equal(before, after)
            require(same, f"stage '{stage.name}' changes {name} of its batch; work on a copy")
        modes = {name: part.training for name, part in begun.named_modules()}
        other = [name for name, part in method.named_modules() if part.training != modes.get(name)]
        parts = ", ".join(name or "the method" for name in other[:3])
        require(not other, f"stage '{stage.name}' leaves {parts} in another mode; set it back")


@torch.no_grad()
def _output(method: ControlMethod, stage: Stage, x: Tensor) -> Tensor:
    return copy.deepcopy(method.get_submodule(str(stage.network))).eval()(x)


@torch.no_grad()
def _require_networks(
    method: ControlMethod,
    plain: list[Stage],
    expected: dict[str, Tensor],
    before: dict[str, dict[str, Tensor]],
    x: Tensor,
    task: Task,
    after: str,
) -> None:
    for stage in plain:
        for point in _levels_of(method, stage, task):
            same = torch.equal(method(x, levels([point], torch.float32)), expected[stage.name])
            own = method.get_submodule(str(stage.network)).state_dict()
            moved = [name for name in own if not torch.equal(own[name], before[stage.name][name])]
            what = f"; its weights moved: {', '.join(moved[:3])}" if moved else ""
            require(same, f"level {level_text(point)} is not exactly its own network{after}{what}")


def _levels_of(method: ControlMethod, stage: Stage, task: Task) -> list[Level]:
    """Returns the level of a stage, and the end of the dial if the method is the same up to there."""
    assert isinstance(stage.levels, At)
    found = [task.space.spread(stage.levels.level)]
    if method.only_levels(task) is None:
        ends = (task.space.start, task.space.end)
        found += [end for end in ends if method.position(end) == stage.levels.level]
    return list(dict.fromkeys(found))
