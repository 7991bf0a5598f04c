"""What every control method must do, as checks that its author can run.

A check takes a factory, which returns a method assembled on a fresh backbone for a seed, and a
task. It raises AssertionError with one sentence when the method breaks the contract.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from benchmark.control import Level, level_text
from benchmark.cost import macs
from benchmark.errors import LevelError
from benchmark.method import Anchors, At, Batch, ControlMethod, Recipe, Stage
from benchmark.tasks import Task

Factory = Callable[[int], ControlMethod]
Check = Callable[[Factory, Task], None]

SIDES = (11, 14)
"""Height and width of the inputs; one is odd, as some networks work on even sizes only."""


def mixed_levels_equal_one_by_one(factory: Factory, task: Task) -> None:
    """A batch of different levels gives each sample what it gets alone."""
    method = _scrambled(factory)
    points = _points(method, task)
    order = [*points, *reversed(points)]
    x, level = _images(len(order)), _tensor(order)
    together = method(x, level)
    alone = torch.cat([method(x[[i]], level[[i]]) for i in range(len(order))])
    _require_close(together, alone, 1e-10, "a batch of mixed levels differs from its samples")


def tuned_equals_forward(factory: Factory, task: Task) -> None:
    """The tuned network gives what the method gives at that level, in both precisions."""
    for dtype, tolerance in ((torch.float32, 1e-5), (torch.float64, 1e-10)):
        method = _scrambled(factory, dtype)
        x = _images(2, dtype)
        for point in _points(method, task):
            tuned = method.tuned(point)
            expected = method(x, _tensor([point], dtype))
            at = f"at level {level_text(point)} in {dtype}"
            _require_close(tuned(x), expected, tolerance, f"tuned and forward differ {at}")
            _require(not tuned.training, f"the tuned network {at} is in training mode")


def dial_changes_output(factory: Factory, task: Task) -> None:
    """With any weights but the first ones, start and end differ (unless there are no weights)."""
    method = _scrambled(factory)
    if not list(method.parameters()):
        return
    x, points = _images(1), _points(method, task)
    change = (method(x, _tensor([points[0]])) - method(x, _tensor([points[-1]]))).abs().max()
    _require(bool(change > 1e-6), "the output is the same at the first and the last level")


def output_is_continuous(factory: Factory, task: Task) -> None:
    """A tiny turn of the dial changes the output a tiny bit."""
    method = _scrambled(factory)
    if method.only_levels(task) is not None:
        return
    x, step = _images(1), 1e-7
    for value in (0.0, 0.25, 0.5 - step / 2, 0.75, 1 - step):
        before = method(x, _tensor([(value,) * task.space.d]))
        after = method(x, _tensor([(value + step,) * task.space.d]))
        _require_close(before, after, 1e-4, f"the output jumps at level {value:g}")


def folding_keeps_the_backbone(factory: Factory, task: Task) -> None:
    """A method that folds yields a backbone: same class, keys, shapes and multiply-accumulates."""
    method = _scrambled(factory, torch.float32)
    if not method.folds:
        return
    tuned = method.tuned(_points(method, task)[-1])
    _require(type(tuned) is type(method.backbone), "the tuned network is no plain backbone")
    shapes = [
        {key: value.shape for key, value in network.state_dict().items()}
        for network in (tuned, method.backbone)
    ]
    _require(shapes[0] == shapes[1], "keys or shapes of the tuned network differ")
    _require(macs(tuned, 32) == macs(method.backbone, 32), "the tuned network costs more")


def tuning_leaves_the_method_alone(factory: Factory, task: Task) -> None:
    """A tuned network shares no memory with the method, and making it changes nothing."""
    method = _scrambled(factory)
    before = _state(method)
    tuned = method.tuned(_points(method, task)[-1])
    with torch.no_grad():
        for parameter in tuned.parameters():
            parameter.add_(1)
    _require(_moved(before, method) == set(), "changing a tuned network changes the method")


def plain_networks_answer_at_their_level(factory: Factory, task: Task) -> None:
    """Where a stage trains a plain network at one level, the method is that network there."""
    method = _scrambled(factory, torch.float32)
    x = _images(2, torch.float32)
    for stage in method.stages(task):
        if stage.network is None or not isinstance(stage.levels, At):
            continue
        level = _tensor([stage.levels.level], torch.float32)
        same = torch.equal(method(x, level), method.get_submodule(stage.network)(x))
        _require(same, f"level {level_text(stage.levels.level)} is not exactly its own network")


def levels_outside_are_refused(factory: Factory, task: Task) -> None:
    """A level outside [0, 1], or with a wrong number of axes, raises LevelError."""
    method = factory(0).eval()
    x, d = _images(1, torch.float32), task.space.d
    for point in ((-0.01,) * d, (1.01,) * d, (float("nan"),) * d, (0.0,) * (d + 1)):
        for ask in (lambda p: method(x, torch.tensor([p])), lambda p: method.tuned(p)):
            try:
                ask(point)
            except LevelError:
                continue
            raise AssertionError(f"level {point} was accepted")


def stages_follow_each_other(factory: Factory, task: Task) -> None:
    """Stage names are unique, start from earlier ones, and their networks are plain backbones."""
    method, known = factory(0), []
    for stage in method.stages(task):
        _require(stage.name not in known, f"there are two stages '{stage.name}'")
        _require(
            stage.starts_from is None or stage.starts_from in known,
            f"stage '{stage.name}' starts from '{stage.starts_from}', which is not before it",
        )
        if stage.network is not None:
            keys = method.get_submodule(stage.network).state_dict().keys()
            same = list(keys) == list(method.backbone.state_dict())
            _require(same, f"'{stage.network}' of stage '{stage.name}' is not a backbone")
        known.append(stage.name)


def stages_move_what_they_declare(factory: Factory, task: Task) -> None:
    """A training step moves something under every declared prefix, and nothing else."""
    for index, stage in enumerate(factory(0).stages(task)):
        if stage.network is not None:
            continue
        method = factory(0)
        stage = list(method.stages(task))[index]
        before = _state(method)
        _train_one_step(method, stage, task)
        moved = _moved(before, method)
        stray = sorted(key for key in moved if not key.startswith(stage.trains))
        _require(not stray, f"stage '{stage.name}' moves {', '.join(stray[:3])}")
        for prefix in stage.trains:
            found = any(key.startswith(prefix) for key in moved)
            _require(found, f"stage '{stage.name}' does not move '{prefix}'")


def weights_survive_storage(factory: Factory, task: Task) -> None:
    """Stored as safetensors and loaded into another instance, a method gives the same output."""
    method, other = _scrambled(factory), factory(1).double().eval()
    kept = {key: value.contiguous() for key, value in method.weights_to_keep().items()}
    other.load_state_dict(load(save(kept)))
    x, level = _images(1), _tensor([_points(method, task)[-1]])
    _require(torch.equal(method(x, level), other(x, level)), "stored weights give another output")


def seeds_decide_weights(factory: Factory, task: Task) -> None:
    """The same seed gives the same initial weights, and so does a step of training."""
    states = []
    for _ in range(2):
        method = factory(3)
        for stage in method.stages(task):
            if stage.network is None:
                _train_one_step(method, stage, task)
        states.append(method.weights_to_keep())
    same = all(torch.equal(value, states[1][key]) for key, value in states[0].items())
    _require(same, "the same seed gives different weights")


def kernels_are_affine(factory: Factory, task: Task) -> None:
    """The tuned weights of an affine method have no second difference in the level."""
    method = _scrambled(factory)
    states = [method.tuned((t,) * task.space.d).state_dict() for t in (0.2, 0.5, 0.8)]
    for key, middle in states[1].items():
        bend = states[0][key] - 2 * middle + states[2][key]
        _require(bool(bend.abs().max() < 1e-12), f"{key} is not affine in the level")


CHECKS: tuple[Check, ...] = (
    mixed_levels_equal_one_by_one,
    tuned_equals_forward,
    dial_changes_output,
    output_is_continuous,
    folding_keeps_the_backbone,
    tuning_leaves_the_method_alone,
    plain_networks_answer_at_their_level,
    levels_outside_are_refused,
    stages_follow_each_other,
    stages_move_what_they_declare,
    weights_survive_storage,
    seeds_decide_weights,
)
"""The checks of the contract; ``kernels_are_affine`` holds for some methods only."""


def _require(condition: bool, sentence: str) -> None:
    if not condition:
        raise AssertionError(sentence)


def _require_close(a: Tensor, b: Tensor, tolerance: float, sentence: str) -> None:
    a, b = a.detach(), b.detach()
    gap = float((a - b).abs().max() / b.abs().max().clamp_min(1))
    _require(gap <= tolerance, f"{sentence}, by {gap:.1e}")


def _images(count: int, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(count)
    return torch.rand(count, 3, *SIDES, generator=generator, dtype=torch.float64).to(dtype)


def _tensor(points: Iterable[Level], dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.tensor(list(points), dtype=dtype)


def _points(method: ControlMethod, task: Task) -> list[Level]:
    """Returns a few levels that the method can be asked for, first and last end included."""
    d = task.space.d
    inner = [tuple(0.3 if axis % 2 else 0.7 for axis in range(d)), (0.25,) * d]
    return list(method.only_levels(task) or [task.space.start, *inner, task.space.end])


@torch.no_grad()
def _scrambled(factory: Factory, dtype: torch.dtype = torch.float64) -> ControlMethod:
    """Returns a method with random values in all parameters and running statistics."""
    method = factory(0).to(dtype).eval()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        for parameter in method.parameters():
            fan_in = parameter[0].numel() if parameter.ndim > 1 else 9
            spread = 0.3 * torch.randn_like(parameter)
            parameter.mul_(1 + spread).add_(torch.randn_like(parameter) * (0.3 / fan_in**0.5))
        for name, buffer in method.named_buffers():
            if name.endswith("running_mean"):
                buffer.uniform_(-0.1, 0.1)
            if name.endswith("running_var"):
                buffer.uniform_(0.5, 1.5)
    return method


def _state(method: ControlMethod) -> dict[str, Tensor]:
    return {key: value.clone() for key, value in method.weights_to_keep().items()}


def _moved(before: dict[str, Tensor], method: ControlMethod) -> set[str]:
    now = method.weights_to_keep()
    return {key for key, value in before.items() if not torch.equal(value, now[key])}


class _MeanDistance(nn.Module):
    """The simplest objective: the same at every level."""

    def forward(self, output: Tensor, target: Tensor, level: Tensor) -> Tensor:
        return (output - target).abs().mean()


def _train_one_step(method: ControlMethod, stage: Stage, task: Task) -> None:
    method.begin(stage, _MeanDistance(), Recipe(steps=1, lr=1e-3, schedule="constant"))
    x = _images(4, torch.float32)
    y = x.flip(0).repeat(1, 1, task.scale, task.scale)
    method.to(memory_format=torch.channels_last)
    (optimizer,) = method.configure_optimizers()
    method.loss(Batch(x, y, _levels_of(stage, task, len(x))), stage).backward()
    optimizer.step()


def _levels_of(stage: Stage, task: Task, count: int) -> Tensor:
    if isinstance(stage.levels, At):
        return torch.tensor([stage.levels.level] * count)
    k = stage.levels.k if isinstance(stage.levels, Anchors) else count
    values = torch.linspace(0, 1, k).repeat(-(-count // k))[:count]
    return values[:, None].repeat(1, task.space.d)
