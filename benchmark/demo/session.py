"""What the demo shows: an image, degraded and restored at any level. Knows nothing of browsers.

Outputs are 8-bit images. What was computed once is kept: the tuned network of a method and level
(folded where the method folds), and the last outputs.
"""

from __future__ import annotations

import functools
import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from benchmark.control import Axis, Level, level_text
from benchmark.data.patches import to_pixels
from benchmark.data.pictures import Picture
from benchmark.data.samples import Samples
from benchmark.data.sources import ImageSet
from benchmark.errors import UserError
from benchmark.method import ControlMethod
from benchmark.metrics.records import METRICS
from benchmark.metrics.scorer import Scorer
from benchmark.plan import Plan, nothing_there, stored_jobs
from benchmark.precision import inference
from benchmark.scoring.forward import best_device, ready
from benchmark.store import Store
from benchmark.tasks import Task
from benchmark.trained import loaded

SIDE = 512
"""Larger images are cut to a square of this side around their centre, so that the dial stays quick."""
IMAGES, NETWORKS, OUTPUTS = 4, 64, 64
"""How many images, tuned networks and outputs are kept."""


class Session:
    """One task and its trained methods, applied to images one at a time.

    Args:
        task: The task.
        methods: Trained methods in evaluation mode, by the names to show.
    """

    def __init__(self, task: Task, methods: Mapping[str, ControlMethod]):
        self.task, self.methods = task, dict(methods)
        self.device = best_device()
        for method in self.methods.values():
            method.to(self.device)
        psnr = [
            name
            for name in task.metrics
            # Of the clean image, which is at hand.
            if name.startswith("psnr-")
            if not (METRICS[name].of_target or METRICS[name].of_dial)
        ][:1]
        self.scorer = Scorer(psnr, task.protocol, offline=True)
        self._images: dict[str, Samples] = {}
        self.network = functools.lru_cache(NETWORKS)(self._network)
        self._output = functools.lru_cache(OUTPUTS)(self._restore)
        self._input = functools.lru_cache(OUTPUTS)(self._given)

    @property
    def degrades(self) -> bool:
        """Whether the task has something to degrade images with."""
        return self.task.degradation != "none"

    @property
    def varies(self) -> bool:
        """Whether what it degrades images by is a level."""
        return self.degrades and self.task.has_true_level

    @property
    def turned(self) -> tuple[Axis, ...]:
        """The axes with something to set."""
        return tuple(axis for axis in self.task.space.axes if axis.turns)

    def level(self, values: Sequence[float]) -> Level:
        """Returns the level whose axes with something to set stand at ``values``."""
        left = iter(values)
        return tuple(next(left) if axis.turns else 0.0 for axis in self.task.space.axes)

    @property
    def spatial(self) -> list[str]:
        """The methods that take a level for every pixel."""
        return [name for name, method in self.methods.items() if method.spatial]

    def answers(self, name: str, level: Level) -> Level:
        """Returns the level that a method is asked for: the nearest one that it has."""
        only = self.methods[name].only_levels(self.task)
        if only is None:
            return self.task.space.check(level)
        return min(only, key=lambda one: sum((a - b) ** 2 for a, b in zip(one, level, strict=True)))

    def opened(self, content: bytes, name: str) -> str:
        """Takes an image file, read as those of sets are, and returns what to call it by.

        Args:
            content: What is in the file.
            name: What messages call it.

        Raises:
            UserError: If such files are not read, or it is too small for the task.
        """
        return self.add(Picture("own", Path(name), SIDE, content).read())

    def add(self, pixels: np.ndarray) -> str:
        """Takes an image, uint8 RGB (H, W, 3), and returns what to call it by.

        Raises:
            UserError: If it is of another kind, or too small for the task.
        """
        from PIL import Image

        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
            raise UserError(
                f"the image is {pixels.dtype} of shape {pixels.shape}; give uint8 of shape (H, W, 3)"
            )
        least = max(8, self.task.protocol.multiple) * self.task.scale
        if min(pixels.shape[:2]) < least:
            raise UserError(f"the image is smaller than {least} pixels; choose a larger one")
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, "PNG", compress_level=1)
        content = stream.getvalue()
        key = hashlib.sha256(content).hexdigest()[:20]
        if key not in self._images:
            picture = Picture("own", Path("own"), SIDE, content)
            self._images[key] = Samples(ImageSet("own", (picture,), key), self.task)
            while len(self._images) > IMAGES:
                del self._images[next(iter(self._images))]
        return key

    def given(self, image: str, level: Level | None) -> np.ndarray:
        """Returns what methods are given: (h, w, 3).

        Args:
            image: What ``add`` returned.
            level: How the task degrades it; None if it is to be taken as it is.
        """
        return to_pixels(self._input(image, level))

    def given_said(self, image: str, level: Level | None) -> str:
        """Returns what to say of what methods are given, as ``restored`` says it of outputs.

        An input that is smaller than what is restored cannot be compared with it.
        """
        given = self._input(image, level)
        if given.shape != self._samples(image).clean(0).shape:
            return ""
        return self._said(image, level, given)

    def restored(
        self, image: str, level: Level | None, name: str, dial: Level
    ) -> tuple[np.ndarray, str]:
        """Returns a method's output (H, W, 3) with the dial at a level, and what to say of it.

        Args:
            image: What ``add`` returned.
            level: How it is degraded, or None.
            name: A method.
            dial: The level asked for.
        """
        at = self.answers(name, dial)
        output, said = self._output(image, level, name, at)
        elsewhere = f"at {level_text(at)}, the nearest level it has"
        texts = [elsewhere if at != self.task.space.check(dial) else "", said]
        return output, ", ".join(text for text in texts if text)

    def painted(
        self,
        image: str,
        level: Level | None,
        name: str,
        dials: tuple[Level, Level],
        mask: np.ndarray,
    ) -> tuple[np.ndarray, str]:
        """Returns the output of a method that takes a level for every pixel.

        Args:
            image: What ``add`` returned.
            level: How it is degraded, or None.
            name: A method among ``spatial``.
            dials: The level where the mask is 0, and where it is 1.
            mask: (h, w) from 0 to 1, of the input's size.

        Raises:
            UserError: If the method takes no level map, or the mask has another size.
        """
        if name not in self.spatial:
            raise UserError(f"{name} takes one level for a whole image; choose another method")
        x = self._input(image, level)
        if mask.shape != x.shape[1:]:
            raise UserError(f"the mask is {mask.shape}, the input {tuple(x.shape[1:])} pixels")
        low, high = (torch.tensor(self.answers(name, one)).view(-1, 1, 1) for one in dials)
        part = torch.from_numpy(np.ascontiguousarray(mask, dtype=np.float32))
        levels = torch.lerp(low.float(), high.float(), part.expand(len(low), *part.shape))
        with inference():
            output = self.methods[name](x[None].to(self.device), levels[None].to(self.device))
        return to_pixels(output[0].cpu()), self._said(image, level, output[0].cpu())

    def _samples(self, image: str) -> Samples:
        if image not in self._images:
            raise UserError("this image is no longer here; choose it again")
        return self._images[image]

    def _given(self, image: str, level: Level | None) -> Tensor:
        samples = self._samples(image)
        if level is not None:
            return samples.degraded(0, level)
        # As small as what the task degrades it to, since the output is ``scale`` times as large.
        clean = samples.clean(0)
        height, width = (min(side, SIDE // self.task.scale) for side in clean.shape[1:])
        top, left = (clean.shape[1] - height) // 2, (clean.shape[2] - width) // 2
        return clean[:, top : top + height, left : left + width]

    def _network(self, name: str, dial: Level) -> nn.Module:
        return ready(self.methods[name].tuned(dial), self.device)

    def _restore(
        self, image: str, level: Level | None, name: str, dial: Level
    ) -> tuple[np.ndarray, str]:
        x = self._input(image, level)[None].to(self.device)
        with inference():
            output = self.network(name, dial)(x.contiguous(memory_format=torch.channels_last))
        return to_pixels(output[0].cpu()), self._said(image, level, output[0].cpu())

    def _said(self, image: str, level: Level | None, output: Tensor) -> str:
        """Returns the PSNR as text where there is something to compare with."""
        if level is None or not self.degrades or self.task.operator:
            return ""
        judged = output.clamp(0, 1) if self.task.protocol.clamp else output
        found = self.scorer.score(judged, self._samples(image).clean(0))
        return ", ".join(
            f"{METRICS[name].label} {score.value:.2f} {METRICS[name].unit}"
            for name, score in found.items()
            if score.value is not None
        )


def open_session(plan: Plan, store: Store) -> Session:
    """Returns a session with what is trained of a plan.

    Args:
        plan: What was asked for; of every method the first of its seeds that is trained counts.
        store: Where the trained stages are.

    Raises:
        UserError: If nothing of it is trained.
    """
    found = {job.method: loaded(job, plan.task, store) for job in stored_jobs(plan, store)}
    # The floor needs no training: alone it is nothing to look at.
    if not any(method.stages(plan.task) for method in found.values()):
        raise UserError(nothing_there(plan, store))
    return Session(plan.task, found)
