"""Looking at the images of a plan before anything is computed: their sizes, from the heads of files.

What would fail after hours of training, or leave a column empty, is said first.
"""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from baselines.external.noise_estimator import SIDE
from benchmark.amount import amount
from benchmark.config import PRESETS
from benchmark.data.patches import patch_side, trained_size
from benchmark.data.pictures import SUFFIXES, of_each
from benchmark.data.samples import tested_size
from benchmark.data.sources import WITHOUT, ImageSet, sayable
from benchmark.errors import UserError
from benchmark.metrics import records
from benchmark.metrics.fidelity import SSIM_WINDOW
from benchmark.metrics.niqe import BLOCK
from benchmark.metrics.perceptual import SMALLEST as OF_TRUNK
from benchmark.metrics.protocol import Protocol
from benchmark.records import folder_in
from benchmark.tasks import Task
from benchmark.texture import SMALLEST as OF_STYLE

if TYPE_CHECKING:
    from benchmark.plan import Plan

OTHERS = (
    *(".apng", ".arw", ".avif", ".cr2", ".dng", ".exr", ".gif", ".heic", ".heif", ".j2k", ".jfif"),
    *(".jp2", ".jpe", ".jxl", ".nef", ".pbm", ".pgm", ".pnm", ".ppm", ".psd", ".raw", ".tga"),
)
"""Pictures too, of kinds that are not read."""

NAMED = 5
"""Images that a note names."""


def inspect(plan: Plan, train: bool = True, sweep: bool = True) -> list[str]:
    """Returns what should be known of a plan's images.

    Args:
        plan: The plan.
        train: Whether missing stages are going to be trained.
        sweep: Whether missing cells are going to be scored.

    Raises:
        UserError: If images are too small to be trained or tested on, or the folder of weights is
            not there: without a word, its metrics would be left empty.
    """
    folder_in("DIALBENCH_WEIGHTS")
    notes = []
    if train and plan.trains.keys() - plan.stored:
        side = patch_side(plan.task, plan.request.preset)
        for asked, images in zip(plan.request.train, plan.training, strict=True):
            sizes = dict(zip(images.pictures, images.sizes, strict=True))
            with _or(_smaller_patch(plan)):
                of_each(
                    sizes, lambda one, sizes=sizes: trained_size(one, sizes[one], plan.task, side)
                )
            notes += _left(asked, images)
    if sweep and any(plan.missing.values()):
        for asked, images in plan.images.items():
            notes += [*_left(asked, images), *_unscored(plan.task, asked, images)]
    return notes


@contextlib.contextmanager
def _or(advice: str) -> Iterator[None]:
    """Adds to a refusal of images what else can be done, where it is not they that are to blame."""
    try:
        yield
    except UserError as error:
        if not advice:
            raise
        raise UserError(f"{error}, or {advice}") from None


def _smaller_patch(plan: Plan) -> str:
    """Returns what to do about patches that were made larger than the preset's."""
    preset, name = plan.request.preset, "patch_sr" if plan.task.scale > 1 else "patch"
    own = getattr(PRESETS.get(preset.name, preset), name)
    return f"give a smaller --set {name}" if getattr(preset, name) > own else ""


def _left(asked: str, images: ImageSet) -> Iterator[str]:
    """Yields what looks like pictures in the folder of a set and is not read."""
    left = []
    if asked.partition(WITHOUT)[0] != "builtin" and images.pictures[0].content is None:
        for path in sorted(images.pictures[0].path.parent.iterdir()):
            # A note is no reason to fail, as on a folder that one may not look into.
            with contextlib.suppress(OSError):
                if path.name[0] != "." and path.is_dir() and any(map(_is_read, path.iterdir())):
                    left.append(f"{path.name}/")
                elif path.name[0] != "." and path.suffix.lower() in OTHERS and path.is_file():
                    left.append(path.name)
    if left:
        yield f"{images.name}: not read, because of their kind or place: {_named(left)}"


def _is_read(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and path.name[0] != "." and path.is_file()


def _unscored(task: Task, asked: str, images: ImageSet) -> Iterator[str]:
    """Yields the images of a test set that are too small for a metric, which then has no mean."""
    sizes = dict(zip(images.pictures, images.sizes, strict=True))
    with _or("give a larger --set crop" if any(one.crop for one in sizes) else ""):
        tested = of_each(sizes, lambda one: tested_size(one, sizes[one], task))
    small: dict[tuple[str, ...], list[str]] = {}
    for metric in task.metrics:
        least = least_side(metric, task.protocol)
        names = tuple(
            one.name
            for one, size in zip(sizes, tested, strict=True)
            # A preset that cuts images out does so on purpose.
            if min(size) < least and not one.crop
        )
        if names:
            small.setdefault(names, []).append(records.get(metric).label)
    for names, labels in small.items():
        rest = f"{'+' if WITHOUT in asked else WITHOUT}{'+'.join(names)}"
        can_do = len(names) < len(sizes) and all(map(sayable, names))
        advice = f"; --test {shlex.quote(asked + rest)} tests without" if can_do else ""
        yield (
            f"{images.name}: no mean of {', '.join(labels)}, since "
            f"{amount(len(names), 'image is', 'images are')} too small: {_named(names)}{advice}"
        )


def least_side(metric: str, protocol: Protocol) -> int:
    """Returns the pixels that an image needs on each side for a metric to have a value."""
    name = metric.partition("@")[0].removeprefix("step-")
    if name.endswith("-hyperres"):
        return SIDE
    if name.startswith("ssim"):
        return SSIM_WINDOW + 2 * int(protocol.shave)
    if name.startswith("lpips"):
        return OF_TRUNK[name.removeprefix("lpips-")]
    if name == "niqe":
        return BLOCK
    if name.startswith(("content", "style")):
        return OF_STYLE
    return 1 + 2 * int(protocol.shave) if name.startswith(("psnr", "mse")) else 1


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
