"""Training patches: whole batches, each determined by (seed, step) alone."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import lightning as L
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from benchmark import degradations
from benchmark.config import Preset
from benchmark.control import ControlSpace, Level
from benchmark.data.filtered import Filtered, shared_order
from benchmark.data.pictures import Picture, Unusable, is_gray, of_each
from benchmark.data.sources import ImageSet
from benchmark.errors import UserError
from benchmark.metrics.colour import y601
from benchmark.tasks import Task
from benchmark.training import stopping
from benchmark.training.batch import Batch
from benchmark.training.stage import Anchors, At, Levels, Sparse, Uniform

if TYPE_CHECKING:
    from benchmark.store import Store

LEVELS_A_STEP = 2
"""Different levels inside one batch when levels are drawn; drawn from equal slices of [0, 1]."""
CROP = 4
"""Side of the crops that an operator is applied to, in patches."""
RUNGS = {1: 13, 2: 5}
"""Levels on each axis at which an operator is computed where levels are drawn, by number of axes.

Steps of 1/12 meet every third and quarter of the dial, at which other stages train.
"""


class Part(NamedTuple):
    """The ``rank``-th of ``of`` equal parts of a batch."""

    rank: int
    of: int

    def slice(self, batch: int) -> slice:
        """Returns where the part lies in ``batch`` samples."""
        return slice(self.rank * batch // self.of, (self.rank + 1) * batch // self.of)


WHOLE = Part(0, 1)


def to_tensor(pixels: np.ndarray) -> Tensor:
    """Returns (3, H, W) float32 in [0, 1] from (H, W, 3) uint8."""
    return torch.tensor(pixels).permute(2, 0, 1).float() / 255


def to_pixels(image: Tensor) -> np.ndarray:
    """Returns an image (3, H, W) as uint8 (H, W, 3), clamped to [0, 1] and rounded."""
    pixels = (image.clamp(0, 1) * 255).round().to(torch.uint8)
    return pixels.permute(1, 2, 0).contiguous().cpu().numpy()


def to_png(image: Tensor) -> bytes:
    """Returns an image (3, H, W) as a PNG file."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(to_pixels(image)).save(stream, "PNG")
    return stream.getvalue()


def stacked(images: Sequence[Tensor]) -> Tensor:
    """Returns images (3, h, w) as one batch (B, 3, h, w), laid out channels last as they mostly are."""
    return torch.stack([image.permute(1, 2, 0) for image in images]).permute(0, 3, 1, 2)


def clean_pixels(picture: Picture, colour: str) -> np.ndarray:
    """Returns an image as uint8 (H, W, 3), as the protocol's colour asks for.

    Args:
        picture: The image.
        colour: ``"rgb"``, or ``"y601"`` for its BT.601 luma, rounded, in all three channels; gray
            images are their own luma, as in published tables: that of BT.601 has less contrast.
    """
    pixels = picture.read()
    if colour == "rgb" or is_gray(pixels):
        return pixels
    luma = y601(to_tensor(pixels).double())[0] * 255
    return luma.round().byte().numpy()[..., None].repeat(3, axis=-1)


def patch_side(task: Task, preset: Preset) -> int:
    """Returns the side of the clean patches of a task.

    Raises:
        UserError: If the preset's does not fit the task.
    """
    side = preset.patch if task.scale == 1 else preset.patch_sr * task.scale
    if side < 8 or side % 4:
        raise UserError(f"training patches of {side} do not work; use a multiple of 4")
    return side


def trained_size(picture: Picture, size: tuple[int, int], task: Task, side: int) -> tuple[int, int]:
    """Returns height and width of what is trained on of an image: a multiple of the task's scale.

    Args:
        picture: The image.
        size: Its height and width.
        task: The task.
        side: Side of a patch.

    Raises:
        Unusable: If it holds no patch.
    """
    height, width = (one - one % task.scale for one in size)
    if min(height, width) < side:
        raise Unusable(
            picture.path,
            f"is {size[1]}x{size[0]}, smaller than a training patch of {side}",
            "remove it, or use --set patch=... (patch_sr=... for super-resolution)",
        )
    return height, width


def draw_levels(
    levels: Levels, space: ControlSpace, batch: int, rng: np.random.Generator
) -> list[Level]:
    """Returns the level of each of ``batch`` samples; equal levels stand next to each other.

    What a stage asks for counts from the first anchor (0) to the last (1).
    """
    if isinstance(levels, At):
        return [space.spread(levels.level)] * batch
    if isinstance(levels, Anchors):
        points = [(float(value),) * space.d for value in np.linspace(0, 1, levels.k)]
        if batch < levels.k:
            some = np.sort(rng.choice(levels.k, batch, replace=False))
            points = [points[index] for index in some]
    else:
        count = min(LEVELS_A_STEP, batch)
        slices = (np.arange(count)[:, None] + rng.random((count, space.d))) / count
        drawn = rng.permuted(slices, axis=0)
        if isinstance(levels, Sparse):
            drawn = _sparse(drawn, space, rng)
        points = [tuple(point) for point in drawn.tolist()]
    points = [space.drawn(point) for point in points]
    return [points[index * len(points) // batch] for index in range(batch)]


def _sparse(drawn: np.ndarray, space: ControlSpace, rng: np.random.Generator) -> np.ndarray:
    """Returns points of [0, 1)^d (n, d) as ``Sparse`` wants them; the square of U(0, 1) is Beta(0.5, 1)."""
    amounts = np.array([at for at, axis in enumerate(space.axes) if not axis.names], dtype=int)
    sparse = drawn.copy()
    sparse[:, amounts] **= 2
    for point in sparse:
        point[rng.permutation(amounts)[: rng.integers(max(1, len(amounts)))]] = 0
    return sparse


class Patches(Dataset):
    """Training batches of a task, indexed by step.

    Degradations that do not depend on the level or on noise are applied to whole images once, and
    aligned crops are taken; all others are applied to each patch, with fresh noise.

    An operator is too slow for that: it is applied beforehand to ``preset.crops`` crops, at a fixed
    set of levels, and patches come from those.

    Args:
        images: Training images.
        task: The task.
        levels: Which levels the samples are trained at.
        preset: Batch size and patch sides.
        seed: Stages with the same seed and kind of levels see the same crops at the same steps,
            whatever the method.
        part: Which part of every batch is this process's; together they are the same batch.
        store: Where outputs of the task's operator are kept; None computes them anew.
        say: Told how many of them are done.

    Raises:
        UserError: If an image is smaller than a patch, or the patch does not fit the scale.
    """

    def __init__(
        self,
        images: ImageSet,
        task: Task,
        levels: Levels,
        preset: Preset,
        seed: int,
        part: Part = WHOLE,
        store: Store | None = None,
        say: Callable[[str], None] = lambda text: None,
    ):
        self.part = part
        self.task, self.levels, self.preset, self.seed = task, levels, preset, seed
        self.side = patch_side(task, preset)
        # Not kept: loader processes that are spawned are sent all that is, and this holds functions.
        degradation = degradations.get(task.degradation)
        self.whole = not (degradation.uses_level or degradation.uses_noise)
        self.degraded: list[np.ndarray] = []
        self.outputs: dict[Level, list[np.ndarray]] = {}
        self.clean = of_each(images.pictures, self._clean_pixels)
        if task.operator:
            self.clean = crops(self.clean, preset.crops, CROP * self.side)
            self.outputs = self._filtered(Filtered(task.operator, store), say)
        for pixels in self.clean if self.whole else ():
            # Nothing is drawn: such degradations do not use the generator.
            small = degradation.apply(to_tensor(pixels), (), degradations.generator("unused"))
            self.degraded.append((small * 255).round().byte().permute(1, 2, 0).numpy())
        area = np.array([pixels.shape[0] * pixels.shape[1] for pixels in self.clean], dtype=float)
        below = (area / area.sum()).cumsum()
        self.below = below / below[-1]

    def _clean_pixels(self, picture: Picture) -> np.ndarray:
        pixels = clean_pixels(picture, self.task.protocol.colour)
        height, width = trained_size(picture, pixels.shape[:2], self.task, self.side)
        return pixels[:height, :width]

    def _filtered(
        self, filtered: Filtered, say: Callable[[str], None]
    ) -> dict[Level, list[np.ndarray]]:
        """Returns the operator's output of every crop, by every level that is trained at."""
        space = self.task.space
        if isinstance(self.levels, Uniform | Sparse):
            rungs = space.lattice(RUNGS[space.d])
            points = [space.level_of(space.physical(point)) for point in rungs]
        else:
            rng = degradations.generator("unused")
            points = draw_levels(self.levels, space, self.preset.batch, rng)
        pairs = [(level, at) for level in dict.fromkeys(points) for at in range(len(self.clean))]
        outputs: dict[Level, list[np.ndarray]] = {level: list(self.clean) for level, _ in pairs}
        for done, index in enumerate(shared_order(len(pairs))):
            stopping.check()
            level, at = pairs[index]
            outputs[level][at] = filtered.output(self.clean[at], space.physical(level))
            say(f"{self.task.operator} of crop {done + 1}/{len(pairs)}")
        return outputs

    def _known(self, level: Level) -> Level:
        """Returns the level nearest to one drawn at which the operator was computed, if there is one."""
        if not self.outputs:
            return level
        return min(
            self.outputs, key=lambda one: sum((a - b) ** 2 for a, b in zip(one, level, strict=True))
        )

    def __getitem__(self, step: int) -> Batch:
        rng = degradations.generator("train", self.seed, int(step))
        levels = draw_levels(self.levels, self.task.space, self.preset.batch, rng)
        levels = [self._known(level) for level in levels]
        # Samples before ours are drawn as well: they take their share of the random numbers.
        pairs = [self._sample(level, rng) for level in levels]
        own = self.part.slice(len(levels))
        given, wanted = zip(*pairs[own], strict=True)
        runs = [len([*equal]) for _, equal in itertools.groupby(levels[own])]
        return Batch(
            stacked(given), stacked(wanted), torch.tensor(levels[own], dtype=torch.float32), runs
        )

    def _sample(self, level: Level, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        # What rng.choice(len(share), p=share) does, without its checks of share.
        index = int(self.below.searchsorted(rng.random(), side="right"))
        side, scale = self.side, self.task.scale
        clean = self.clean[index]
        wanted = self.outputs[level][index] if self.outputs else clean
        top, left = (
            int(rng.integers((length - side) // scale + 1)) * scale for length in clean.shape[:2]
        )
        turns, flip = int(rng.integers(4)), bool(rng.integers(2))

        def patch(pixels: np.ndarray, shrink: int = 1) -> Tensor:
            rows, columns = (
                slice(first // shrink, (first + side) // shrink) for first in (top, left)
            )
            turned = _turned(pixels[rows, columns], turns, flip)
            unit = np.divide(turned, np.float32(255), out=np.empty(turned.shape, np.float32))
            return torch.from_numpy(unit).permute(2, 0, 1)

        if self.whole:
            return patch(self.degraded[index], scale), patch(wanted)
        case = tuple(axis.physical(float(rng.random())) for axis in self.task.unseen)
        conditions = self.task.conditions(level, case)
        sharp = patch(clean)
        gray = self.task.protocol.gray
        given = degradations.degrade(self.task.degradation, sharp, conditions, rng, gray)
        target = sharp if wanted is clean else patch(wanted)
        if self.task.spared:
            target = degradations.degrade(self.task.spared, target, conditions, rng, gray)
        return given, target


def crops(images: Sequence[np.ndarray], count: int, side: int) -> list[np.ndarray]:
    """Returns ``count`` crops (side, side, 3) at places that depend on nothing but their number.

    Images are drawn by their area; of smaller ones the whole length is taken.
    """
    area = np.array([pixels.shape[0] * pixels.shape[1] for pixels in images], dtype=float)
    found = []
    for index in range(count):
        rng = degradations.generator("crop", index)
        pixels = images[int(rng.choice(len(images), p=area / area.sum()))]
        top, left = (int(rng.integers(max(1, length - side + 1))) for length in pixels.shape[:2])
        found.append(np.ascontiguousarray(pixels[top : top + side, left : left + side]))
    return found


def _turned(pixels: np.ndarray, turns: int, flip: bool) -> np.ndarray:
    """Returns a view that is turned by ``np.rot90`` and then flipped from left to right."""
    down = -1 if turns in (1, 2) else 1
    right = -1 if (turns in (2, 3)) != flip else 1
    turned = pixels.swapaxes(0, 1) if turns % 2 else pixels
    return turned[::down, ::right]


class Remaining(Sampler[int]):
    """The steps ``first`` to ``steps`` - 1; as long as the whole stage.

    A resumed Lightning loop goes on counting where it stopped, and ends at the loader's length.
    """

    def __init__(self, first: int, steps: int):
        self.first, self.steps = first, steps

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.first, self.steps))

    def __len__(self) -> int:
        return self.steps


class PatchData(L.LightningDataModule):
    """Feeds one stage: batches of steps ``first`` to ``steps`` - 1, in order.

    Args:
        patches: The indexed batches.
        steps: Steps of the whole stage.
        first: The step to begin with, after a resume.
        workers: Loader processes; 0 when the network is small enough that they would steal cores.
    """

    def __init__(self, patches: Patches, steps: int, first: int = 0, workers: int = 0):
        super().__init__()
        self.patches, self.order, self.workers = patches, Remaining(first, steps), workers

    def train_dataloader(self) -> DataLoader:
        return DataLoader(
            self.patches,
            batch_size=None,
            sampler=self.order,
            num_workers=self.workers,
            pin_memory=torch.cuda.is_available(),
        )

    def on_after_batch_transfer(self, batch: Sequence[Tensor], dataloader_idx: int) -> Batch:
        x, y, *rest = batch
        layout = torch.channels_last
        return Batch(x.contiguous(memory_format=layout), y.contiguous(memory_format=layout), *rest)
