"""The method contract: what every way of giving a backbone a dial must provide.

An author writes ``build``, ``stages`` and ``forward``. The base class owns freezing, optimisers
(with the critic's step where an objective has one), the learning-rate schedule and checkpointing
(``benchmark.training.learner``).
"""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from benchmark.control import SLACK, ControlSpace, Level
from benchmark.errors import JobError, LevelError, UserError
from benchmark.training.batch import Batch
from benchmark.training.learner import Learner
from benchmark.training.stage import (
    JOINT,
    TUNE,
    Adam,
    Anchors,
    At,
    Sparse,
    Stage,
    Uniform,
    corner_stages,
    imported_stage,
    start_stage,
)
from benchmark.tuning.holding import holding
from benchmark.tuning.hooks import Hook, hooked
from benchmark.tuning.layers import (
    TOKENS,
    Layer,
    Norm,
    after_blocks,
    as_input,
    between_corners,
    block_ends,
    channels,
    divided_out,
    free_parameters,
    from_output_rows,
    kaiming_small,
    layers,
    layers_within,
    output_rows,
    placed,
    residual_blocks,
    resized,
    spread,
    trunk_convolutions,
)
from benchmark.tuning.mixing import mixed
from benchmark.tuning.prepared import Prepared, prepared, recalled
from benchmark.tuning.spatial import mapped
from benchmark.tuning.thin import ThinConv2d
from benchmark.tuning.turns import turn

if TYPE_CHECKING:
    from benchmark.tasks import Task

__all__ = [
    "JOINT",
    "TOKENS",
    "TUNE",
    "Adam",
    "Anchors",
    "At",
    "Batch",
    "Bound",
    "ControlMethod",
    "Hook",
    "Layer",
    "LevelError",
    "Norm",
    "Prepared",
    "Sparse",
    "Stage",
    "ThinConv2d",
    "Uniform",
    "UserError",
    "WeightSpaceMethod",
    "after_blocks",
    "between_corners",
    "block_ends",
    "channels",
    "corner_stages",
    "divided_out",
    "free_parameters",
    "from_output_rows",
    "hooked",
    "imported_stage",
    "kaiming_small",
    "layers",
    "layers_within",
    "mapped",
    "mixed",
    "output_rows",
    "prepared",
    "recalled",
    "residual_blocks",
    "resized",
    "spread",
    "start_stage",
    "trunk_convolutions",
]


class Bound(nn.Module):
    """A method fixed at one level, or at one level map: an ordinary network of ``x`` alone."""

    def __init__(self, method: ControlMethod, level: Level | Tensor):
        super().__init__()
        self.method = method
        fixed = level if isinstance(level, Tensor) else torch.tensor([level], dtype=torch.float64)
        self.register_buffer("level", fixed, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Restores (B, 3, h, w) at the bound level."""
        level = self.level.to(x.dtype)
        return self.method(x, level if level.ndim == 4 else level.expand(x.shape[0], -1))


class ControlMethod(Learner):
    """One way to give a backbone a dial.

    Attributes:
        paper: arXiv id of the paper.
        folds: Whether ``tuned(level)`` is exactly the backbone: same keys, shapes and cost.
        axes: How many control axes it can take; axes with one value only do not count.
        anchored: Whether ``build`` and ``forward`` see the part of the control space between the
            anchors, with 0 at the first and 1 at the last one (and levels beyond them clamped); a
            network trained elsewhere sees the whole space.
        imports: What ``dialbench import`` must be given before the method can run; empty for
            methods that are trained here.
        training_only: Names of modules, parameters or buffers that training alone needs, such as a
            teacher: they are not there any more once a method is trained, and nowhere counted.
        spatial: Whether ``forward`` accepts a level map (B, d, H, W).
        backbone: The plain network; modules and keys stay as they are.
        control: The control space.
    """

    paper: ClassVar[str] = ""
    folds: bool = False
    axes: ClassVar[range] = range(1, 2)
    anchored: ClassVar[bool] = True
    imports: ClassVar[str] = ""
    training_only: ClassVar[Sequence[str]] = ()
    spatial: bool = False

    backbone: nn.Module
    control: ControlSpace
    _runs: Sequence[int] | None = None
    """Lengths of the runs of equal levels in a pass, where they are known."""

    def assemble(self, backbone: nn.Module, control: ControlSpace) -> ControlMethod:
        """Attaches the backbone and the control space, then calls the author's ``build``."""
        self.backbone = backbone
        self.control = control
        self.build(backbone, control.trained() if self.anchored else control)
        for name in self.training_only:
            if not hasattr(self, name):
                raise JobError(f"training_only names '{name}', which build() does not add")
        return self

    def shed(self) -> None:
        """Removes what training alone needs."""
        for name in self.training_only:
            delattr(self, name)

    def position(self, level: Level | float) -> Level:
        """Returns what ``forward`` is given at a level of the control space."""
        return self.control.position(level) if self.anchored else self.control.check(level)

    @abstractmethod
    def build(self, backbone: nn.Module, control: ControlSpace) -> None:
        """Adds the method's own modules. ``self.backbone`` and ``self.control`` are already set.

        A network of its own that needs no backbone takes its place (``self.backbone = ...``), so that
        nothing is stored or counted of that; no stage may then have ``network="backbone"``.

        Raises:
            UserError: If the method cannot be put on such a backbone; it is then skipped, and the
                message is the reason that reports give.
        """

    @abstractmethod
    def stages(self, task: Task) -> Sequence[Stage]:
        """Returns the training runs, each after the one it starts from."""

    @abstractmethod
    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        """Restores ``x`` (B, 3, h, w) at ``level`` (B, d) in [0, 1]; levels may differ in a batch.

        A ``spatial`` method takes level maps (B, d, h, w) too; where the backbone pads images, to
        multiples of its ``multiple``, maps come padded like them.
        """

    def tuned(self, level: Level | float | Tensor) -> nn.Module:
        """Returns the plain network at one level, in evaluation mode; it shares no memory with self.

        Args:
            level: The level, a number where there is one axis; or a level map (1, d, h, w) or
                (B, d, h, w), as large as the images that the network will be given.
        """
        as_map = isinstance(level, Tensor) and level.ndim > 1
        fixed = level.clone() if as_map else self.control.check(level)
        if isinstance(fixed, Tensor):
            self._checked(fixed, fixed)
        with turn(self):
            return Bound(copy.deepcopy(self), fixed).eval().requires_grad_(False)

    def copied_backbone(self) -> nn.Module:
        """Returns the backbone as it is between passes, in evaluation mode, without gradients."""
        with turn(self):
            return copy.deepcopy(self.backbone).eval().requires_grad_(False)

    def switch(self, network: nn.Module, level: Level | float) -> None:
        """Sets a network that ``tuned`` gave for a level to another: faster than a new one."""
        if isinstance(network, Bound):
            network.level.copy_(torch.tensor([self.control.check(level)], dtype=torch.float64))
        else:
            network.load_state_dict(self.tuned(level).state_dict())

    def loss(self, batch: Batch, stage: Stage) -> Tensor:
        """Returns the scalar training loss; by default the task's objective at ``batch.level``."""
        with self.under_way(batch):
            output = self(batch.x, batch.level)
        return self.objective(output, batch.y, batch.level, batch.x)

    def skip(self, task: Task) -> str | None:
        """Returns why this method cannot run a task, or None."""
        dials = task.space.dials
        if dials not in self.axes:
            fewest, most = self.axes.start, self.axes.stop - 1
            taken = f"{fewest} to {most} control axes" if most > 1 else "one control axis"
            return f"takes {taken}, not {dials}"
        return "takes no level map" if task.dial == "map" and not self.spatial else None

    def only_levels(self, task: Task) -> tuple[Level, ...] | None:
        """Returns the levels this method can be asked for, or None for all (experts have few)."""
        return None

    def __call__(self, x: Tensor, level: Tensor | Sequence[float] | float) -> Tensor:
        if isinstance(x, Batch):
            # With several devices Lightning sends the training step through here.
            return super().__call__(x, level)
        with turn(self):
            # Levels that the author made of them are others, and may follow each other otherwise.
            same = self._batch is not None and level is self._batch.level
            before, self._runs = self._runs, self._batch.runs if same else None
            try:
                output = super().__call__(x, self._checked(level, x))
            finally:
                self._runs = before
        if not isinstance(output, Tensor):
            raise JobError(f"forward() returns {type(output).__name__}; it must return the images")
        return output

    def _checked(self, level: Tensor | Sequence[float] | float, x: Tensor) -> Tensor:
        """Returns what ``forward`` is given for ``level``: (B, d), or a map (B, d, H, W).

        Raises:
            LevelError: Outside the space, for a wrong number of axes, or for a map of another size.
        """
        if not isinstance(level, Tensor):
            try:
                level = torch.as_tensor(level, dtype=x.dtype, device="cpu")
            except (TypeError, ValueError, RuntimeError):
                raise LevelError(f"{level!r} is no level; give numbers from 0 to 1") from None
        # What fails on the way to another device is no fault of the level.
        level = torch.as_tensor(level, dtype=x.dtype, device=x.device)
        d = self.control.d
        if level.ndim > 2:
            if not self.spatial:
                raise LevelError(
                    f"{type(self).__name__} takes no level map; give one level a sample"
                )
            wanted = (d, *x.shape[-2:])
            if level.ndim != 4 or level.shape[1:] != wanted or len(level) not in (1, len(x)):
                raise LevelError(
                    f"the level map has shape {tuple(level.shape)}; give {(len(x), *wanted)}: a level "
                    "on every axis for every pixel of the input"
                )
            level = as_input(level, self.backbone).expand(len(x), -1, -1, -1)
        else:
            if level.ndim < 2:
                level = level.reshape(1, -1)
            if level.shape[-1] != d:
                raise LevelError(f"level has {level.shape[-1]} values for {d} control axes")
            if len(level) not in (1, len(x)):
                raise LevelError(
                    f"{len(level)} levels were given for {len(x)} images; give one for all of them, "
                    "or one for each"
                )
            level = level.expand(x.shape[0], d)
        # Of a training step's own levels nothing needs to be asked.
        unseen = level.is_meta or torch.jit.is_tracing() or self._runs is not None
        if not unseen and not bool(((level >= 0) & (level <= 1)).all()):
            raise LevelError("level lies outside [0, 1]; give values from 0 to 1")
        if not unseen and self.control.simplex and bool((level.sum(1) > 1 + SLACK).any()):
            raise LevelError("levels add up to more than 1; the axes share one budget")
        if not self.anchored or self.control == ControlSpace(
            self.control.axes, simplex=self.control.simplex
        ):
            return level
        shape = (1, d, *(1,) * (level.ndim - 2))
        first, last = (
            placed(end, level).view(shape) for end in (self.control.first, self.control.last)
        )
        length = torch.where(last == first, 1.0, last - first)
        return ((level - first) / length).clamp(0, 1)


class WeightSpaceMethod(ControlMethod):
    """A method whose level only changes the backbone's weights, so that it folds exactly.

    If the weights are affine in the level it can say ``spatial = True``: level maps then need no
    code of its own (see ``benchmark.tuning.spatial``).
    """

    folds = True

    def assemble(self, backbone: nn.Module, control: ControlSpace) -> WeightSpaceMethod:
        super().assemble(backbone, control)
        own = (*self.backbone.named_parameters(), *self.backbone.named_buffers())
        if not own[0][1].is_meta:
            with torch.no_grad():
                named = self.weights(torch.zeros(control.d)).keys()
            # What the backbone has not would change nothing, and nobody would notice.
            for name in sorted(named - {name for name, _ in own}):
                raise JobError(f"weights() gives '{name}', which the backbone does not have")
        return self

    @abstractmethod
    def weights(self, level: Tensor) -> dict[str, Tensor]:
        """Returns the backbone parameters (and buffers) that depend on ``level`` (d,), by name."""

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        if level.ndim == 4:
            ends = [level.new_zeros(self.control.d), *torch.eye(self.control.d).to(level)]
            return mapped(self.backbone, [self.weights(end) for end in ends], x, level)
        # Training puts equal levels next to each other: each run of them is one pass.
        lengths = self._runs or level.unique_consecutive(dim=0, return_counts=True)[1].tolist()
        # Where images pass in half precision, kernels are still merged in full.
        with torch.autocast(x.device.type, enabled=False):
            merged = [self.weights(run[0]) for run in level.split(lengths)]
        parts = []
        for weights, part in zip(merged, x.split(lengths), strict=True):
            with holding(self.backbone, weights):
                parts.append(self.backbone(part))
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def tuned(self, level: Level | float | Tensor) -> nn.Module:
        """Returns the backbone with the merged weights of one level; with a map, several of each."""
        if isinstance(level, Tensor) and level.ndim > 1:
            return super().tuned(level)
        network = self.copied_backbone()
        self.switch(network, level)
        return network

    @torch.no_grad()
    def switch(self, network: nn.Module, level: Level | float) -> None:
        """Writes the merged weights of another level into a network that ``tuned`` gave."""
        example = next(self.backbone.parameters())
        point = torch.tensor(self.position(level), dtype=example.dtype, device=example.device)
        own = {**dict(network.named_parameters()), **dict(network.named_buffers())}
        with turn(self):
            for name, value in self.weights(point).items():
                own[name].copy_(value)
