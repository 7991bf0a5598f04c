"""The form of a task: frozen, versioned data. This module imports no torch."""

from __future__ import annotations

import functools
from dataclasses import asdict, dataclass, replace
from typing import Any

from benchmark.control import Axis, ControlSpace, Level
from benchmark.errors import UserError
from benchmark.metrics import records
from benchmark.metrics.protocol import PROTOCOLS, SCALE, Protocol


@dataclass(frozen=True)
class Term:
    """One weighted loss.

    Args:
        name: A key of ``benchmark.objectives.TERMS``.
        weight: Its weight inside its end.
        target: A key of ``benchmark.objectives.targets.TARGETS``: what outputs are compared with.
    """

    name: str
    weight: float = 1.0
    target: str = "clean"


@dataclass(frozen=True)
class Objective:
    """What training minimises.

    One end means the same loss at every level. With two ends the loss at level t is
    (1 - t) A + t B; with k ends over d = k - 1 axes the weights are (1 - sum t, t_1, ..., t_d).
    With 2^d ends they stand at the corners of [0, 1]^d, last axis fastest, and their weights are
    products of the axes' own (1 - t) and t.
    """

    ends: tuple[tuple[Term, ...], ...]


@dataclass(frozen=True)
class Task:
    """What is restored, over which levels, judged how.

    Args:
        name: Task name on the command line; with ``@`` and a protocol if it is not its own.
        version: Raised whenever anything changes a number; the old board stays.
        kind: ``degradation`` (the level says how bad the input is), ``objective`` (the level says
            what to prefer) or ``operator`` (the level is an image operator's parameter).
        summary: One line for lists.
        space: The control space.
        grid: Levels that are scored where neither the request nor the preset names others.
        degradation: Name in ``benchmark.degradations``; see ``conditions`` for what it is given.
        objective: What training minimises.
        protocol: Every detail of scoring that changes a number.
        metrics: Metric ids, in table order.
        headline: The metric id that ranks, averaged over levels.
        perception: A metric id that, with the headline, makes the plane in which methods are ranked
            by the area that they win over ``floor`` (``benchmark.analysis.plane``); empty where the
            headline ranks alone.
        train_sets: Folder names used for training when DIALBENCH_DATA holds them.
        test_sets: Folder names used for testing when DIALBENCH_DATA holds them.
        scale: Output size over input size.
        effort: Training steps over those of the preset. Steps without a critic are cheaper, so such
            tasks take more of them in the same time.
        operator: Name in ``benchmark.operators`` whose output at the level is what a network should
            give back; empty if that is the clean image.
        unseen: Quantities of the degradation that no dial sets; training draws them uniformly.
        cases: Values of ``unseen``; every test image is scored under each of them.
        spared: Name in ``benchmark.degradations`` of the part of the degradation that outputs keep:
            targets start from images degraded by that alone. Empty if all is to be removed.
        target: A key of ``benchmark.objectives.targets.TARGETS``: what metrics whose ids end in
            ``-target`` compare with.
        dial: How the dial is set for an image: at its ``level``, by a ``map`` of levels for every
            pixel, or at an ``estimate`` (``benchmark.scoring.dialling``).
        harmless: Levels that leave an image as it is. A network that does so too has no finite PSNR
            there, so entries of leaderboards leave these levels out.
        earlier: The control spaces of versions 1, 2, ... before this one, so that their entries of
            leaderboards are shown over the levels that they meant. Metrics that entries of earlier
            versions have must stay named in the task.
        trained_as: Name of the task whose networks, and whose noise on test images, this one
            shares; empty for its own.
    """

    name: str
    version: int
    kind: str
    summary: str
    space: ControlSpace
    grid: tuple[Level, ...]
    degradation: str
    objective: Objective
    protocol: Protocol
    metrics: tuple[str, ...]
    headline: str
    train_sets: tuple[str, ...]
    test_sets: tuple[str, ...]
    scale: int = 1
    effort: float = 1.0
    operator: str = ""
    unseen: tuple[Axis, ...] = ()
    cases: tuple[tuple[float, ...], ...] = ((),)
    spared: str = ""
    target: str = "clean"
    dial: str = "level"
    harmless: tuple[Level, ...] = ()
    trained_as: str = ""
    perception: str = ""
    earlier: tuple[ControlSpace, ...] = ()

    def of_version(self, version: int) -> Task:
        """Returns this task as it was in a version, as far as its levels go.

        Raises:
            UserError: If there is no such version yet.
        """
        if version > self.version:
            raise UserError(
                f"version {version} of task {self.name} is not known, only up to {self.version}"
            )
        if version == self.version:
            return self
        return replace(self, version=version, space=self.earlier[version - 1])

    @property
    def base(self) -> str:
        """The name without a protocol: what training and noise depend on."""
        return (self.trained_as or self.name).partition("@")[0]

    @property
    def has_true_level(self) -> bool:
        """Whether an image has a level of its own, so that the dial can be set wrong for it."""
        return self.kind != "objective" and not self.protocol.pairs

    @property
    def compares_dials(self) -> bool:
        """Whether an image is restored at other dials than its level, to set or to compare them."""
        return self.dial != "level" or any(records.get(one).of_dial for one in self.metrics)

    def conditions(self, level: Level, case: tuple[float, ...] = ()) -> tuple[float, ...]:
        """Returns what the degradation is given: the physical level, then the case.

        Args:
            level: The level; objective tasks do not degrade by it.
            case: Values of ``unseen``.
        """
        own = self.space.physical(level) if self.kind != "objective" else ()
        return (*own, *case)

    def case_text(self, case: tuple[float, ...]) -> str:
        """Returns what the name of an image ends with under a case, like `` sigma=15``."""
        pairs = zip(self.unseen, case, strict=True)
        return "".join(f" {axis.name}={axis.text(value)}" for axis, value in pairs)

    def under(self, protocol: Protocol) -> Task:
        """Returns this task judged under another protocol, as the task ``name@protocol``.

        Raises:
            UserError: If the protocol does not go with the task.
        """
        if protocol.shave == SCALE and self.scale == 1:
            raise UserError(
                f"{protocol.id} shaves the scale of super-resolution, which {self.name} does not have; "
                "choose another protocol"
            )
        if protocol.pairs and (self.kind != "degradation" or self.dial != "level" or self.unseen):
            raise UserError(
                f"{self.name} cannot be judged on pairs of images: that takes a dial which is set to how "
                "bad the input is, like that of denoise, dejpeg or derain"
            )
        protocol = protocol.at(self.scale)
        if protocol == self.protocol:
            return self
        metrics = [*self.metrics, *(one for one in protocol.adds if one not in self.metrics)]
        headline = self.headline
        if protocol.gray:
            luma = [one.replace("-rgb", "-y601") for one in metrics if one != "colour-drift"]
            luma = [one for one in luma if one in records.METRICS]
            metrics, headline = list(dict.fromkeys(luma)), headline.replace("-rgb", "-y601")
        return replace(
            self,
            name=f"{self.name.partition('@')[0]}@{protocol.id}",
            # Another's networks too are trained on what is judged: luma, if that is.
            trained_as=self.trained_as and f"{self.trained_as}@{protocol.id}",
            protocol=protocol,
            metrics=tuple(metrics),
            headline=headline,
            harmless=() if protocol.pairs else self.harmless,
            summary=f"{self.summary}; judged on pairs" if protocol.pairs else self.summary,
        )

    def metrics_at(self, level: Level, dial: Level) -> tuple[str, ...]:
        """Returns the metrics of a cell; with the dial set wrong, the headline and PSNR are enough."""
        if dial == level:
            return self.metrics
        psnr = next((one for one in self.metrics if one.startswith("psnr-")), self.headline)
        return tuple(dict.fromkeys((self.headline, psnr)))

    @functools.cached_property
    def _facts(self) -> dict[str, Any]:
        """All fields as plain data; every sweep of a campaign asks for them."""
        return asdict(self)

    def training_facts(self) -> dict[str, Any]:
        """Returns everything that determines a training run of this task, as plain data."""
        keep = (
            *("version", "kind", "space", "degradation", "objective", "scale"),
            *("operator", "unseen", "spared"),
        )
        facts = self._facts
        colour = self.protocol.colour
        return {"name": self.base, "colour": colour, **{key: facts[key] for key in keep}}

    def scoring_facts(self) -> dict[str, Any]:
        """Returns everything that determines a score on this task, as plain data."""
        keep = (
            *("name", "version", "kind", "space", "degradation", "protocol", "scale"),
            *("operator", "unseen", "cases", "spared", "target", "dial"),
        )
        facts = self._facts
        judged = ("objective",) if "objective" in self.metrics else ()
        # These compare a level with others of the grid.
        beside = any(one.startswith("step-") or one.endswith("-single") for one in self.metrics)
        return {key: facts[key] for key in (*keep, *judged, *(("grid",) if beside else ()))}


def imitating(
    name: str,
    summary: str,
    space: ControlSpace,
    grid: tuple[Level, ...],
    operator: str,
    degradation: str = "none",
    **more: Any,
) -> Task:
    """Returns version 1 of a task whose networks imitate an image operator on photographs.

    A change here would change every such task: write a new version out in its own file instead.

    Args:
        name: As in ``Task``, like all that follows.
        summary: One line for lists.
        space: The control space.
        grid: Levels that are scored where nobody names others.
        operator: The operator.
        degradation: What is done to its input.
        more: Other fields of ``Task``.
    """
    return Task(
        name=name,
        version=1,
        kind="operator",
        summary=summary,
        space=space,
        grid=grid,
        degradation=degradation,
        objective=Objective(((Term("l1"),),)),
        protocol=PROTOCOLS["rgb"],
        metrics=("psnr-rgb", "ssim-rgb"),
        headline="psnr-rgb",
        train_sets=("bsds500-train", "bsds500-test"),
        test_sets=("bsd100",),
        effort=1.5,
        operator=operator,
        **more,
    )
