"""What the checks are made on: a method with telling weights, inputs, levels and steps of training."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from benchmark.control import Level
from benchmark.method import Anchors, At, ControlMethod, Stage
from benchmark.tasks import Task
from benchmark.training.batch import Batch
from benchmark.training.learner import Recipe

Factory = Callable[[int], ControlMethod]

SIDES = (11, 14)
"""Height and width of the inputs; one is odd, as some networks work on even sizes only."""

STEPS = 2
"""Steps of training: what starts behind a factor of zero has no gradient in the first one."""


class Skipped(Exception):
    """There is nothing to check; the message says why."""


class Broken(AssertionError):
    """A method breaks the contract; the message says how."""


def require(condition: bool, sentence: str) -> None:
    """Raises ``Broken`` with a sentence unless a condition holds."""
    if not condition:
        raise Broken(sentence)


def require_close(a: Tensor, b: Tensor, tolerance: float, sentence: str) -> None:
    """Raises ``Broken`` unless two tensors agree, relative to the larger of 1 and ``b``."""
    require(
        a.shape == b.shape,
        f"{sentence}: shapes are {tuple(a.shape)} and {tuple(b.shape)}",
    )
    a, b = a.detach(), b.detach()
    gap = float((a - b).abs().max() / b.abs().max().clamp_min(1))
    require(gap <= tolerance, f"{sentence}, by {gap:.1e}")


def images(count: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """Returns inputs (count, 3, h, w), always the same ones."""
    generator = torch.Generator().manual_seed(count)
    return torch.rand(count, 3, *SIDES, generator=generator, dtype=torch.float64).to(dtype)


def levels(points: Iterable[Level], dtype: torch.dtype = torch.float64) -> Tensor:
    """Returns levels as a tensor (n, d)."""
    return torch.tensor(list(points), dtype=dtype)


def points(method: ControlMethod, task: Task) -> list[Level]:
    """Returns a few levels that the method can be asked for, first and last end included."""
    d = task.space.d
    inner = [tuple(0.3 if axis % 2 else 0.7 for axis in range(d)), (0.25,) * d]
    return list(method.only_levels(task) or [task.space.start, *inner, task.space.end])


@torch.no_grad()
def scrambled(factory: Factory, dtype: torch.dtype = torch.float64) -> ControlMethod:
    """Returns a method with random values in all parameters and running statistics."""
    # Complex numbers stay what they are; to(dtype) would leave their real parts.
    method = factory(0).eval()
    method = method.double() if dtype == torch.float64 else method.float()
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


def state(module: nn.Module) -> dict[str, Tensor]:
    """Returns a copy of everything a method or network stores."""
    kept = module.weights_to_keep() if isinstance(module, ControlMethod) else module.state_dict()
    return {key: value.clone() for key, value in kept.items()}


def moved(before: dict[str, Tensor], module: nn.Module) -> set[str]:
    """Returns the keys whose values are no longer those of ``state`` before."""
    now = state(module)
    return {key for key, value in before.items() if not torch.equal(value, now[key])}


class MeanDistance(nn.Module):
    """The simplest objective: the same at every level."""

    def forward(self, output: Tensor, clean: Tensor, level: Tensor, given: Tensor) -> Tensor:
        return (output - clean).abs().mean()


def own_stages(method: ControlMethod, task: Task) -> list[Stage]:
    """Returns the stages that train the method itself, not a plain network and not elsewhere."""
    every = method.stages(task)
    return [stage for stage in every if stage.network is None and stage.imported is None]


def begin(method: ControlMethod, stage: Stage) -> None:
    """Prepares a method for a stage, as a run does."""
    method.begin(stage, MeanDistance(), Recipe(steps=STEPS, lr=1e-3, schedule="constant"))


def batch_of(stage: Stage, task: Task) -> Batch:
    """Returns what a step of a stage is given: four small images, at levels as it asks for them."""
    x = images(4, torch.float32)
    y = x.flip(0).repeat(1, 1, task.scale, task.scale)
    return Batch(x, y, _levels_of(stage, task, len(x)))


def train(method: ControlMethod, stage: Stage, task: Task, given: Batch | None = None) -> None:
    """Trains one stage for ``STEPS`` steps as a run does: through Lightning, with all its hooks.

    Args:
        method: The method.
        stage: The stage.
        task: Its task.
        given: The batch of all steps; by default ``batch_of``.
    """
    import lightning as L

    begin(method, stage)
    batch = batch_of(stage, task) if given is None else given
    data = torch.utils.data.DataLoader([batch] * STEPS, batch_size=None)
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = L.Trainer(
            accelerator="cpu",
            devices=1,
            max_epochs=1,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(method, data)


def _levels_of(stage: Stage, task: Task, count: int) -> Tensor:
    """Returns levels (count, d) as a stage asks for them."""
    if isinstance(stage.levels, At):
        positions = [stage.levels.level] * count
    else:
        k = stage.levels.k if isinstance(stage.levels, Anchors) else count
        positions = [((i % k) / max(1, k - 1),) * task.space.d for i in range(count)]
    return torch.tensor([task.space.spread(position) for position in positions])
