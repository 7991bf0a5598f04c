"""Stages: the training runs inside a method, as plain data (no torch)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmark.amount import amount
from benchmark.control import ControlSpace, Level


@dataclass(frozen=True)
class At:
    """Every sample is trained at one level, given as a value for each axis."""

    level: Level

    def __init__(self, *level: float):
        object.__setattr__(self, "level", tuple(float(value) for value in level))


@dataclass(frozen=True)
class Anchors:
    """Every step trains ``k`` levels, evenly spaced from start to end, at once.

    With fewer samples a step than levels, some of them that are drawn.
    """

    k: int


@dataclass(frozen=True)
class Uniform:
    """Levels are drawn uniformly from the control space."""


@dataclass(frozen=True)
class Sparse:
    """Levels are drawn as CResMD draws degradations: often weak, and often few at once.

    How many axes are off their start is even, and so is which ones; how far is drawn from
    Beta(0.5, 1). Axes whose values have names are always on, and drawn evenly.
    """


Levels = At | Anchors | Uniform | Sparse


@dataclass(frozen=True)
class Adam:
    """Adam, with a learning rate relative to the preset's so that every budget can set its own."""

    lr_scale: float = 1.0
    betas: tuple[float, float] = (0.9, 0.99)


TUNE = 1.0
"""Share of the preset's steps that a second stage gets; every method then sees two shares."""
JOINT = 2.0
"""Share of the preset's steps that a single joint stage gets."""


@dataclass(frozen=True)
class Stage:
    """One training run inside a method.

    Args:
        name: Unique inside the method.
        trains: Names of what moves, parameters or modules with all that is in them ("" for
            everything); what is not named stays frozen. A stage's ``network`` is called ``backbone``
            here, whichever it is.
        levels: Which levels the samples are trained at.
        share: Training steps as a multiple of the preset's ``steps``.
        starts_from: Name of the stage whose weights this one begins with, or None.
        optimizer: Optimiser settings.
        network: Name of a submodule that is a plain backbone. A stage with a network trains that
            network alone, knows nothing of the method around it, and is therefore shared by all
            methods (and baselines) that ask for the same training.
        imported: Name of weights that lie under ``imported/`` in the store, put there by ``dialbench
            import`` or by whoever has them; nothing is trained then, and they are the whole method's.
    """

    name: str
    trains: tuple[str, ...]
    levels: Levels
    share: float = 1.0
    starts_from: str | None = None
    optimizer: Adam = field(default_factory=Adam)
    network: str | None = None
    imported: str | None = None

    def moves(self, name: str) -> bool:
        """Whether a parameter or module of that name is among what the stage trains."""
        heads = (f"{one.removesuffix('.')}." for one in self.trains)
        return any(head == "." or f"{name}.".startswith(head) for head in heads)


def fault(stages: Sequence[Stage], d: int) -> str:
    """Returns what is wrong with the stages of a method on a task of ``d`` axes, or an empty text."""
    known: dict[
        str, set[str]
    ] = {}  # The submodules ("" for the method) that hold training, by stage.
    for stage in stages:
        if stage.name in known:
            return f"there are two stages '{stage.name}'"
        if stage.starts_from and stage.starts_from not in known:
            return (
                f"stage '{stage.name}' starts from '{stage.starts_from}', which is no earlier stage"
            )
        if not isinstance(stage.levels, Levels):
            return (
                f"stage '{stage.name}' has levels={stage.levels!r}; write At(1.0), Anchors(3), "
                "Uniform() or Sparse()"
            )
        if isinstance(stage.levels, At) and not all(
            0 <= value <= 1 for value in stage.levels.level
        ):
            where = ", ".join(f"{value:g}" for value in stage.levels.level)
            return (
                f"stage '{stage.name}' is trained at {where}; levels count from 0, the first that is "
                "trained, to 1, the last"
            )
        if isinstance(stage.levels, At) and len(stage.levels.level) != d:
            return (
                f"stage '{stage.name}' is trained at {amount(len(stage.levels.level), 'value')}, one "
                f"for each of the task's {amount(d, 'axis', 'axes')} is needed; write "
                "start_stage(task.space.d), and At(*(1.0,) * task.space.d)"
            )
        # A stage of the whole method stores all of it: what it does not begin with is overwritten.
        held = known.get(stage.starts_from or "", set())
        if stage.network is not None and "" in held:
            return (
                f"stage '{stage.name}' trains a plain network and cannot start from "
                f"'{stage.starts_from}', which stores the whole method; leave out its network=, or let "
                "it start from a stage that has one"
            )
        lost = [one.name for one in stages[: len(known)] if (one.network or "") not in held]
        if stage.network is None and lost:
            if held and any(one.name == lost[-1] for one in stages[: len(known)] if one.network):
                return (
                    f"stage '{stage.name}' starts from '{stage.starts_from}' and would lose what stage "
                    f"'{lost[-1]}' trained: a stage begins with the weights of one other, and a stage "
                    "with network= stores that network alone; leave out the network= of all but the "
                    "first, so that each stores the whole method"
                )
            return (
                f"stage '{stage.name}' begins without what stage '{lost[-1]}' trained, which would be "
                f"lost; let it start from that, with starts_from='{lost[-1]}'"
            )
        known[stage.name] = {stage.network} if stage.network else {"", *held}
    return ""


def start_stage(d: int = 1) -> Stage:
    """The start network: the plain backbone trained at level 0, shared by every method."""
    return Stage("start", trains=("",), levels=At(*(0.0,) * d), network="backbone")


def corner_stages(space: ControlSpace) -> list[Stage]:
    """The start network, and one tuned from it at every other corner of a control space.

    They train the submodules ``backbone`` and ``ends.0``, ``ends.1`` ..., in the order of the corners.
    """
    stages = [start_stage(space.d)]
    for index, corner in enumerate(space.corners[1:]):
        name = "end" if space.d == 1 else f"end-{''.join(f'{t:g}' for t in corner)}"
        network = f"ends.{index}"
        stages.append(Stage(name, ("",), At(*corner), TUNE, starts_from="start", network=network))
    return stages


def imported_stage(name: str) -> Stage:
    """The weights of a method that was trained elsewhere, imported under ``name``."""
    return Stage("imported", trains=(), levels=Uniform(), share=0.0, imported=name)
