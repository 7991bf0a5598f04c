"""Test samples: what a network is given, and what its output is compared with."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from benchmark import degradations
from benchmark.control import Level
from benchmark.data.filtered import Filtered
from benchmark.data.pairs import PairSet
from benchmark.data.patches import clean_pixels, to_tensor
from benchmark.data.pictures import Picture, Unusable
from benchmark.data.sources import ImageSet
from benchmark.degradations.patterns import pattern
from benchmark.objectives.targets import TARGETS
from benchmark.tasks import Task

if TYPE_CHECKING:
    from benchmark.store import Store

KEPT = 128
"""Test images kept in memory between levels."""


SMALLEST, SMALLEST_INPUT = 8, 4
"""Pixels on each side of a test image, and of what a network is given."""


def tested_size(picture: Picture, size: tuple[int, int], task: Task) -> tuple[int, int]:
    """Returns height and width of what is tested of an image: a multiple, as the protocol says.

    Args:
        picture: The image.
        size: Its height and width.
        task: The task.

    Raises:
        Unusable: If networks of the task cannot take what that leaves.
    """
    height, width = task.protocol.cropped(size)
    least = max(SMALLEST, SMALLEST_INPUT * task.scale)
    if min(height, width) < least:
        what = f"is {size[1]}x{size[0]}, and {task.name} needs {least} pixels on each side"
        raise Unusable(picture.path, what, "remove it from the test set")
    return height, width


class Samples:
    """The samples of a test set: every image under every case of the task.

    Args:
        images: The test set.
        task: The task; its protocol fixes cropping and how noise is stored.
        store: Where outputs of the task's operator are kept, and imported networks; None computes
            outputs anew.
    """

    def __init__(self, images: ImageSet, task: Task, store: Store | None = None):
        self.images, self.task, self.store = images, task, store
        self.degradation = degradations.get(task.degradation)
        self.varies = task.has_true_level and self.degradation.uses_level
        """Whether what a network is given depends on the level."""
        self.filtered = Filtered(task.operator, store) if task.operator else None
        self._clean = functools.lru_cache(KEPT)(self._read)
        self._same_input = functools.lru_cache(KEPT)(
            self._given if isinstance(images, PairSet) else self._degraded
        )

    def __len__(self) -> int:
        return len(self.images.pictures) * len(self.task.cases)

    def _split(self, index: int) -> tuple[int, tuple[float, ...]]:
        picture, case = divmod(index, len(self.task.cases))
        return picture, self.task.cases[case]

    def name(self, index: int) -> str:
        """Returns the image's name, with its case if the task has any: ``kodim01 sigma=15``."""
        picture, case = self._split(index)
        return self.images.pictures[picture].name + self.task.case_text(case)

    def clean(self, index: int) -> Tensor:
        """Returns the clean image (3, H, W), cropped to the protocol's multiple."""
        return self._clean(self._split(index)[0])

    def _read(self, picture: int) -> Tensor:
        one = self.images.pictures[picture]
        pixels = clean_pixels(one, self.task.protocol.colour)
        height, width = tested_size(one, pixels.shape[:2], self.task)
        return to_tensor(pixels[:height, :width])

    def degraded(self, index: int, level: Level) -> Tensor:
        """Returns the network's input (3, h, w); the same noise realisation at every level."""
        picture, case = self._split(index)
        if not self.varies:
            return self._same_input(picture, case)
        return self._degraded(picture, self.task.conditions(level, case))

    def _given(self, picture: int, conditions: tuple[float, ...] = ()) -> Tensor:
        """Returns what a set of pairs has to be restored, cropped as the clean image is."""
        images, task = self.images, self.task
        assert isinstance(images, PairSet)
        pixels = clean_pixels(images.given[picture], task.protocol.colour)
        height, width = (side // task.scale for side in self._clean(picture).shape[1:])
        return to_tensor(pixels[:height, :width])

    def _degraded(self, picture: int, conditions: tuple[float, ...]) -> Tensor:
        task, name = self.task, self.images.pictures[picture].name
        noise: Any = degradations.generator(task.base, task.version, self.images.name, name, 0)
        if task.protocol.realisation == "numpy-0":
            noise = np.random.RandomState(0)
        clean = self._clean(picture)
        image = degradations.degrade(task.degradation, clean, conditions, noise, task.protocol.gray)
        if task.protocol.noise != "float":
            image = image.clamp(0, 1)
        return (image * 255).round() / 255 if task.protocol.noise == "uint8" else image

    def level_map(self, index: int, level: Level) -> Tensor:
        """Returns the level of every pixel (d, H, W) of an image whose degradation has a pattern.

        It rises from the first anchor, where the pattern is 0, to ``level``.
        """
        _, (number,) = self._split(index)
        share = pattern(number, *self.clean(index).shape[1:])
        pairs = zip(self.task.space.first, level, strict=True)
        return torch.stack([first + share * (value - first) for first, value in pairs])

    def reference(self, index: int, level: Level) -> Tensor:
        """Returns what a network should give back (3, H, W): the clean image, or an operator's output."""
        clean = self.clean(index)
        if self.filtered is None:
            return clean
        pixels = (clean * 255).round().byte().permute(1, 2, 0).numpy()
        return to_tensor(self.filtered.output(pixels, self.task.space.physical(level)))

    def target(self, index: int, level: Level) -> Tensor:
        """Returns what the objective draws outputs to at a level (3, H, W); it may leave [0, 1]."""
        reference = self.reference(index, level)
        if self.task.target == "clean":
            return reference
        given = self.degraded(index, level)
        if self.task.spared:
            conditions = self.task.conditions(level, self._split(index)[1])
            unused = degradations.generator("unused")
            reference = degradations.degrade(
                self.task.spared, reference, conditions, unused, self.task.protocol.gray
            )
        at = torch.tensor([level], dtype=torch.float32)
        return TARGETS[self.task.target](reference[None], given[None], at)[0]
