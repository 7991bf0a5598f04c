"""Checks of what a method computes: every sample at its own level, the same tuned or not."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from benchmark.conformance.subject import (
    SIDES,
    Factory,
    Skipped,
    images,
    levels,
    own_stages,
    points,
    require,
    require_close,
    scrambled,
)
from benchmark.control import Level, level_text
from benchmark.errors import LevelError
from benchmark.method import At, ControlMethod
from benchmark.tasks import Task
from benchmark.tuning.layers import free_parameters
from benchmark.tuning.spatial import TRIED, misplaced, sees_image_alone

COUPLING = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd)
"""Layers that rightly make a sample depend on chance or on the batch while training."""

INTERVALS, STEEPEST, STEP = 16, 4, 1e-6

JUMPS = "the output jumps at level {:.4g}; what has a few levels only says which in only_levels"


def mixed_levels_equal_one_by_one(factory: Factory, task: Task) -> None:
    """A batch of different levels gives each sample what it gets alone, training or not."""
    method = scrambled(factory)
    some = points(method, task)
    order = [*some, *reversed(some)]
    x, level = images(len(order)), levels(order)
    for training in (False,) if _coupled(method) else (False, True):
        method.train(training)
        together, alone = method(x, level), _alone(method, x, level)
        same = level[:1].expand_as(level)
        if training and not _close(method(x, same), _alone(method, x, same)):
            # At one level too: chance, or the batch, has a part in what comes out in training.
            continue
        mode = " in training mode" if training else ""
        require_close(
            together,
            alone,
            1e-10,
            f"a batch of mixed levels differs from its samples{mode}",
        )


def _alone(method: ControlMethod, x: Tensor, level: Tensor) -> Tensor:
    """Returns what every sample of a batch gives alone."""
    return torch.cat([method(x[[i]], level[[i]]) for i in range(len(x))])


def _close(one: Tensor, other: Tensor) -> bool:
    return bool((one - other).abs().max() <= 1e-10)


def outputs_have_their_shape(factory: Factory, task: Task) -> None:
    """A batch of images gives as many, of three channels and as large as the task makes them.

    They are numbers of the same kind, and the images and levels that were given stay as they are,
    in training too: what a step learns from is made of them afterwards.
    """
    method = scrambled(factory)
    # Noise leads out of [0, 1].
    x, level = 1.5 * images(2) - 0.25, levels(points(method, task)[-1:] * 2)
    given = x.clone(), level.clone()
    batch, channels, *sides = x.shape
    wanted = (batch, channels, *(task.scale * side for side in sides))
    output = method(x, level)
    found = tuple(output.shape)
    require(found == wanted, f"the output has shape {found} instead of {wanted}")
    require(output.dtype == x.dtype, f"the output is {output.dtype} for images of {x.dtype}")
    for mode in ("", " in training mode"):
        for what, one, before in zip(("images", "levels"), (x, level), given, strict=True):
            same = torch.equal(one, before)
            require(same, f"forward() changes the {what} that it is given{mode}; work on a copy")
        if not mode:
            method.train()
            method(x, level)


def tuned_equals_forward(factory: Factory, task: Task) -> None:
    """The tuned network gives what the method gives at that level, in both precisions.

    So does a network of another level that was switched to it.
    """
    for dtype, tolerance in ((torch.float32, 1e-5), (torch.float64, 1e-10)):
        method = scrambled(factory, dtype)
        x = images(2, dtype)
        switched = method.tuned(points(method, task)[-1])
        for point in points(method, task):
            tuned = method.tuned(point)
            expected = method(x, levels([point], dtype))
            at = f"at level {level_text(point)} in {dtype}"
            require_close(tuned(x), expected, tolerance, f"tuned and forward differ {at}")
            require(not tuned.training, f"the tuned network {at} is in training mode")
            method.switch(switched, point)
            require_close(switched(x), expected, tolerance, f"switched and forward differ {at}")


def dial_changes_output(factory: Factory, task: Task) -> None:
    """With any weights but the first ones, every part of every axis changes the output.

    So it does in training, where a stage draws levels: it would learn nothing of them.
    """
    method = scrambled(factory)
    if not list(method.parameters()):
        raise Skipped("it has no weights")
    x = images(1)
    drawn = any(not isinstance(stage.levels, At) for stage in own_stages(method, task))
    for training in (False, True) if drawn and not _coupled(method) else (False,):
        method.train(training)
        mode = " in training mode" if training else ""
        for one, other in _turns(method, task):
            first, second = method(x, levels([one])), method(x, levels([other]))
            where = f"levels {level_text(one)} and {level_text(other)}{mode}"
            # What a norm divides out again leaves some 5e-5 of it, by the norm's epsilon; what scales
            # residual branches within branches may leave 2e-4.
            change = (first - second).abs().max() / first.std()
            require(bool(change > 1e-4), f"the output is the same at {where}")


def output_is_continuous(factory: Factory, task: Task) -> None:
    """Nowhere between start and end does the output jump.

    The steepest of ``INTERVALS`` parts of the way are halved, on and on, always where the output
    changes more: a jump stays as high as it was, a slope does not.
    """
    method = scrambled(factory)
    if method.only_levels(task) is not None:
        raise Skipped("it answers at a few levels only")
    x, d = images(1), task.space.d

    def at(t: float) -> Tensor:
        return method(x, levels([(t,) * d])).detach()

    grid = [(index / INTERVALS, at(index / INTERVALS)) for index in range(INTERVALS + 1)]
    pairs = sorted(pairwise(grid), key=lambda pair: -_change(*pair))
    for low, high in pairs[:STEEPEST]:
        while high[0] - low[0] > STEP:
            half = (low[0] + high[0]) / 2
            middle = (half, at(half))
            left = _change(low, middle) >= _change(middle, high)
            low, high = (low, middle) if left else (middle, high)
        limit = 1e-3 * max(1.0, float(high[1].abs().max()))
        require(_change(low, high) <= limit, JUMPS.format(low[0]))


def level_maps_equal_levels(factory: Factory, task: Task) -> None:
    """A map that holds one level everywhere gives what that level gives, in both precisions."""
    for dtype, tolerance in ((torch.float32, 1e-5), (torch.float64, 1e-10)):
        method = _spatial(factory, dtype)
        x = images(2, dtype)
        for point in points(method, task):
            level = levels([point], dtype)
            level_map = level[:, :, None, None].expand(len(x), -1, *SIDES)
            where = f"a map of level {level_text(point)} differs from the level in {dtype}"
            require_close(method(x, level_map), method(x, level), tolerance, where)
            require_close(method.tuned(level_map)(x), method(x, level), tolerance, where)


def level_maps_act_in_place(factory: Factory, task: Task) -> None:
    """With two levels side by side, what is far from the seam gets what its own level gives."""
    method = _spatial(factory, torch.float64)
    if reason := misplaced(method.backbone, torch.zeros(1, 3, *TRIED, dtype=torch.float64)):
        raise Skipped(reason)
    rows, side, reach = 8, 160, 16
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(1, 3, rows, side, generator=generator, dtype=torch.float64)
    other = torch.cat([x[..., : side // 2], 1 - x[..., side // 2 :]], dim=-1)
    left, right = points(method, task)[1:3]

    def plain(given: Tensor) -> Tensor:
        alone = sees_image_alone(method.backbone)
        return method.backbone(given) if alone else method(given, levels([left]))

    apart = (plain(x) - plain(other))[..., : reach * task.scale]
    if bool(apart.abs().max() > 0):
        raise Skipped("its backbone sees the whole image")
    level_map = torch.cat(
        [levels([one])[:, :, None, None].expand(-1, -1, rows, side // 2) for one in (left, right)],
        dim=-1,
    )
    found = method(x, level_map)
    # On small backbones no pixel sees further than the 64 that lie between.
    for name, point, part in (
        ("left", left, slice(0, reach * task.scale)),
        ("right", right, slice(-reach * task.scale, None)),
    ):
        expected = method(x, levels([point]))
        where = f"the {name} part of a map differs from its level {level_text(point)}"
        require_close(found[..., part], expected[..., part], 1e-10, where)


def wrong_level_maps_are_refused(factory: Factory, task: Task) -> None:
    """A map of another size, or that leaves [0, 1], raises LevelError; so does any if none is taken."""
    method, x, d = factory(0).double().eval(), images(2), task.space.d
    wrong = [
        torch.zeros(2, d, SIDES[0], SIDES[1] + 1),
        torch.zeros(2, d + 1, *SIDES),
        torch.zeros(3, d, *SIDES),
        torch.zeros(d, *SIDES),
        torch.full((2, d, *SIDES), 1.01),
        torch.full((2, d, *SIDES), float("nan")),
    ]
    for one in wrong if method.spatial else [torch.zeros(2, d, *SIDES)]:
        try:
            method(x, one)
        except LevelError:
            continue
        raise AssertionError(f"a level map of shape {tuple(one.shape)} was accepted")


def _spatial(factory: Factory, dtype: torch.dtype) -> ControlMethod:
    """Returns a method that takes level maps.

    Raises:
        Skipped: If it does not, or refuses them on a backbone where some parts have no place.
    """
    method = scrambled(factory, dtype)
    if not method.spatial:
        raise Skipped("it takes no level maps")
    # A linear layer may work on tokens, or read the level.
    linear = any(isinstance(module, nn.Linear) for module in method.backbone.modules())
    if linear or free_parameters(method.backbone):
        x = images(1, dtype)
        try:
            method(x, torch.zeros(1, method.control.d, *SIDES, dtype=dtype))
        except LevelError as error:
            raise Skipped(str(error)) from error
    return method


def levels_outside_are_refused(factory: Factory, task: Task) -> None:
    """A level outside [0, 1], or with a wrong number of axes, raises LevelError."""
    method = factory(0).eval()
    x, d = images(1, torch.float32), task.space.d
    for point in ((-0.01,) * d, (1.01,) * d, (float("nan"),) * d, (0.0,) * (d + 1)):
        for ask in (lambda p: method(x, torch.tensor([p])), lambda p: method.tuned(p)):
            try:
                ask(point)
            except LevelError:
                continue
            raise AssertionError(f"level {point} was accepted")


def _turns(method: ControlMethod, task: Task) -> list[tuple[Level, Level]]:
    """Returns pairs of levels between which the output must change: one axis is turned at a time."""
    some = method.only_levels(task)
    if some is not None:
        return list(pairwise(some))
    d = task.space.d
    lines = [
        [task.space.spread([t if i == axis else 0.5 for i in range(d)]) for t in (0.0, 0.5, 1.0)]
        for axis in range(d)
    ]
    return [pair for line in lines for pair in pairwise(line)]


def _coupled(method: ControlMethod) -> bool:
    return any(isinstance(module, COUPLING) for module in method.modules())


def _change(one: tuple[float, Tensor], other: tuple[float, Tensor]) -> float:
    return float((one[1] - other[1]).abs().max())
