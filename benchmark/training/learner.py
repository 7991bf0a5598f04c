"""What the harness adds to a network that learns: freezing, optimisers, schedule, checkpoints.

One training step is ``Learner.update``. On a GPU it is recorded once and replayed (see
``benchmark.training.recorded``) where a method says that it is the same operations every time.
"""

from __future__ import annotations

import contextlib
import math
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import lightning as L
import torch
from torch import Tensor, nn

from benchmark.errors import JobError
from benchmark.precision import in_full
from benchmark.training.batch import Batch
from benchmark.training.recorded import Recorder, recorder_for
from benchmark.training.stage import Stage

if not torch.cuda.device_count():
    # Lightning has torch look for the driver's library at every step of an optimiser, not once: 3 %
    # of the steps of a small network.
    os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "0"

CRITIC_LR = 0.15
"""A critic's constant learning rate, relative to the preset's peak, in a stage of one share.

It falls with the cube of the share: at one rate, the critic of a joint stage (two shares) ends far
stronger than that of a tuning stage, and the end level is driven past any gain in perception.
"""

LARGEST_GRADIENT = 0.1
"""Norm to which longer gradients are cut: networks whose ends lie far apart diverge without."""

NAN_CHECK_EVERY = 25
"""Steps between checks that the loss is finite (each costs a device synchronisation)."""

LOSSES = 400
"""About how many losses of a stage are kept, to be drawn."""


class Recipe(NamedTuple):
    """What the preset fixes for a stage: number of steps, peak learning rate, schedule's shape."""

    steps: int
    lr: float
    schedule: str


class Learner(L.LightningModule, ABC):
    """A module that trains one stage; what it learns from is its ``loss``.

    Attributes:
        recordable: Whether a training step is the same operations on tensors every time, as long as
            levels repeat in the same pattern, and no other number goes into it.
        stage: The stage in training.
        losses: Steps, and the loss at each: some of those so far, and the last one.
    """

    recordable: bool = False

    stage: Stage
    losses: list[tuple[int, float]]
    _recorder: Recorder | None = None
    _batch: Batch | None = None
    """The batch under way: nothing about its levels needs to be asked."""
    _random: dict[str, Tensor] | None = None
    """Where the random numbers of a resumed stage go on, until its first step."""

    @abstractmethod
    def loss(self, batch: Batch, stage: Stage) -> Tensor:
        """Returns the scalar training loss."""

    def begin(self, stage: Stage, objective: nn.Module, recipe: Recipe) -> None:
        """Prepares one stage: freezes what it does not train and takes its objective and recipe."""
        self.automatic_optimization = False
        self.stage, self.recipe, self.steps_done, self.losses = stage, recipe, 0, []
        self.objective = objective
        named = [
            (name, one)
            for name, one in self.named_parameters(remove_duplicate=False)
            if not name.startswith("objective.")
        ]
        # What is shared has several names, and any of them will do.
        moving = {one for name, one in named if stage.moves(name)}
        for _, one in named:
            one.requires_grad_(one in moving)
        if not moving:
            there = dict.fromkeys(name.partition(".")[0] for name, _ in self.named_parameters())
            there.pop("objective", None)
            raise JobError(
                f"stage '{stage.name}' trains no parameter: nothing is named "
                f"{' or '.join(stage.trains)}; there is {', '.join(there) or 'none at all'}"
            )
        self.train()

    def train(self, mode: bool = True) -> Learner:
        """Sets training mode, but keeps frozen parts still: running statistics, and dropout."""
        super().train(mode)
        stage = getattr(self, "stage", None)
        if mode and stage is not None:
            named = self.named_parameters(remove_duplicate=False)
            moving = [name for name, one in named if one.requires_grad]
            for name, module in self.named_modules():
                around = not name or any(one.startswith(f"{name}.") for one in moving)
                own = f"{name}.".startswith("objective.")
                if not around and not own and not stage.moves(name):
                    module.training = False
        return self

    def weights_to_keep(self) -> dict[str, Tensor]:
        """Returns the state to store: the method's own tensors, without the objective's."""
        state = self.state_dict()
        return {key: value for key, value in state.items() if not key.startswith("objective.")}

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        adam = self.stage.optimizer
        moving = [
            p
            for n, p in self.named_parameters()
            if p.requires_grad and not n.startswith("objective.")
        ]
        optimizers = [torch.optim.Adam(moving, lr=self._lr(), betas=adam.betas, fused=True)]
        critic = getattr(self.objective, "critic", None)
        if critic is not None:
            optimizers.append(
                torch.optim.Adam(
                    critic.parameters(),
                    lr=CRITIC_LR * self.recipe.lr / self.stage.share**3,
                    betas=(0.5, 0.99),
                    fused=True,
                )
            )
        return optimizers

    def _lr(self) -> float:
        """Learning rate of the current step: constant, or a warm-up and a cosine down to zero."""
        peak = self.recipe.lr * self.stage.optimizer.lr_scale
        if self.recipe.schedule == "constant":
            return peak
        done = self.steps_done / self.recipe.steps
        warm = 0.1
        if done < warm:
            return peak * (0.1 + 0.9 * done / warm)
        return peak * 0.5 * (1 + math.cos(math.pi * (done - warm) / (1 - warm)))

    def on_train_start(self) -> None:
        """Gets ready to record steps where that is worth it and right."""
        wanted = self.recordable and self.trainer.world_size == 1
        optimizers = self.trainer.optimizers
        self._recorder = recorder_for(self.device, optimizers, self._step) if wanted else None

    def release(self) -> None:
        """Lets go of what was recorded, and of its memory."""
        self._recorder = None

    def training_step(self, batch: Batch, index: int) -> None:
        """Takes one step; Lightning calls it."""
        if self._random is not None:
            # Not any earlier: a loader that begins draws a number too.
            torch.set_rng_state(self._random["cpu"])
            if self.device.type == "cuda" and "cuda" in self._random:
                torch.cuda.set_rng_state(self._random["cuda"], self.device)
            self._random = None
        for group in self.trainer.optimizers[0].param_groups:
            set_rate(group, self._lr())
        step = self._recorder or self._step
        loss = step(Batch(*batch))
        self.steps_done += 1
        if self.steps_done % NAN_CHECK_EVERY == 0 or self.steps_done == self.recipe.steps:
            if not bool(torch.isfinite(loss)):
                raise JobError(
                    f"the loss of stage '{self.stage.name}' is not finite at step {self.steps_done}; "
                    "try a smaller learning rate with --set lr=..., or look at the loss"
                )
            apart = NAN_CHECK_EVERY * math.ceil(self.recipe.steps / NAN_CHECK_EVERY / LOSSES)
            if self.steps_done % apart == 0 or self.steps_done == self.recipe.steps:
                # Of all processes; what was recorded is overwritten by the next step.
                mean = self.trainer.strategy.reduce(loss.detach().clone(), reduce_op="mean")
                self.losses.append((self.steps_done, float(mean)))

    @contextlib.contextmanager
    def under_way(self, batch: Batch) -> Iterator[None]:
        """Remembers a batch while its loss is taken."""
        before, self._batch = self._batch, batch
        try:
            yield
        finally:
            self._batch = before

    def measure(self, batch: Batch) -> Tensor:
        """Returns the loss of a batch in the stage under way.

        Raises:
            JobError: If it is no single number.
        """
        with self.under_way(batch):
            loss = self.loss(batch, self.stage)
        if not isinstance(loss, Tensor) or loss.numel() != 1:
            given = (
                f"shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else type(loss).__name__
            )
            raise JobError(
                f"the loss of stage '{self.stage.name}' is of {given}; loss() must return one number, "
                "as a tensor"
            )
        return loss

    def update(
        self,
        batch: Batch,
        optimizers: Sequence[Any],
        backward: Callable[[Tensor], None] = Tensor.backward,
    ) -> Tensor:
        """Takes one step of the network, and of the critic if there is one; returns the loss.

        Args:
            batch: What is learnt from.
            optimizers: The network's optimiser, then the critic's.
            backward: What is done with a loss.
        """
        own, *others = optimizers
        own.zero_grad()
        loss = self.measure(batch)
        if not loss.requires_grad:
            raise JobError(
                f"the loss of stage '{self.stage.name}' does not depend on what the stage trains "
                f"({', '.join(self.stage.trains)}); nothing would be learnt"
            )
        # Autocasting would round products that were taken in full, such as those that merge kernels.
        with in_full(loss):
            backward(loss)
        # Lightning's own clipping refuses fused optimisers where precision is mixed.
        moving = [one for group in own.param_groups for one in group["params"]]
        nn.utils.clip_grad_norm_(moving, LARGEST_GRADIENT)
        own.step()
        for other in others:
            other.zero_grad()
            loss_of_critic = self.objective.critic_loss()
            if loss_of_critic is None:
                continue
            with in_full(loss_of_critic):
                backward(loss_of_critic)
            other.step()
        return loss

    def _step(self, batch: Batch) -> Tensor:
        # Of what Lightning wraps around optimisers and gradients, only the averaging of gradients
        # between processes is needed; the rest counts global steps, which nothing here reads.
        backward = self.manual_backward if self.trainer.world_size > 1 else Tensor.backward
        return self.update(batch, self.trainer.optimizers, backward)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["steps_done"] = self.steps_done
        checkpoint["losses"] = self.losses
        checkpoint["random"] = {"cpu": torch.get_rng_state()}
        if self.device.type == "cuda":
            checkpoint["random"]["cuda"] = torch.cuda.get_rng_state(self.device)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.steps_done = int(checkpoint["steps_done"])
        self.losses = [*checkpoint.get("losses", [])]
        self._random = checkpoint["random"]


def set_rate(group: dict[str, Any], rate: float) -> None:
    """Sets a learning rate, in place where a recorded step reads it from the GPU."""
    if isinstance(group["lr"], Tensor):
        group["lr"].fill_(rate)
    else:
        group["lr"] = rate
