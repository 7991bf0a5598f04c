"""``dialbench restore``: images of one's own, as trained methods restore them at each level."""

from __future__ import annotations

import contextlib
import io
import os
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import ExifTags, Image, ImageOps
from torch import Tensor

from benchmark import tiled
from benchmark.analysis.calibration import calibrations
from benchmark.control import level_text
from benchmark.data.patches import to_pixels
from benchmark.errors import UserError
from benchmark.export import safe
from benchmark.opened import read_image
from benchmark.plan import Plan, nothing_there, stored_jobs
from benchmark.precision import inference
from benchmark.records import write
from benchmark.scoring.forward import best_device, ready
from benchmark.store import Store
from benchmark.trained import loaded


def run(
    plan: Plan, store: Store, images: Sequence[Path], folder: Path, calibrated: bool = False
) -> Iterator[Path]:
    """Restores images as they are, and yields every file that it has written.

    Args:
        plan: What was asked for; of every method the first of its seeds that is trained counts.
        store: Where the trained stages are.
        images: The image files.
        folder: Gets ``<image>-<method>-<level>.png``; no file in it is ever replaced.
        calibrated: Whether the dial is set to what was best for a level instead of the level itself.

    Raises:
        UserError: If nothing is trained, no method has a level, an image is refused, a file is
            there already, or a calibration is not. Nothing is written then.
    """
    jobs = stored_jobs(plan, store)
    if not jobs:
        raise UserError(nothing_there(plan, store))
    parts = [(job, level) for job in jobs for level in job.levels]
    if not parts:
        raise UserError("; ".join(f"{one.method} {one.reason}" for one in plan.skipped))
    targets = {
        (job.method, level, image): folder
        / f"{image.stem}-{safe(job.method)}-{level_text(level).replace('/', '_')}.png"
        for job, level in parts
        for image in images
    }
    for path, times in Counter(targets.values()).items():
        if times > 1 or os.path.lexists(path):
            what = "would be written twice" if times > 1 else "is there already"
            raise UserError(f"{path} {what}; rename images, or name another folder with --to")
    known = calibrations(plan, store, jobs) if calibrated else {}
    colour = plan.task.protocol.colour
    looks = {}
    for image in images:
        # Before anything is written: one that is refused must not stop the others halfway.
        read_image(image, colour)
        looks[image] = _look(image)
    device = best_device()
    for job in jobs:
        method = loaded(job, plan.task, store)
        for level in job.levels:
            dial = known[job.method].dial(level) if job.method in known else level
            network = ready(method.tuned(dial), device)
            for image in images:
                with inference():
                    output = tiled.restored(network, read_image(image, colour).to(device))
                path = targets[job.method, level, image]
                write(path, _png(output, looks[image]))
                yield path


class _Look(NamedTuple):
    """How viewers show the pixels of a photograph.

    Args:
        orientation: How EXIF says that they lie; 1 is upright.
        profile: The ICC profile that says which colours they are, if there is one.
    """

    orientation: int = 1
    profile: bytes | None = None


def _look(photograph: Path) -> _Look:
    with warnings.catch_warnings(), Image.open(photograph) as file:
        warnings.simplefilter("ignore")
        profile = file.info.get("icc_profile")
        # Outputs are RGB, and a profile of gray or of inks says nothing of them.
        if not profile or profile[16:20] != b"RGB ":
            profile = None
        # Whatever is wrong with EXIF, pixels can be restored.
        with contextlib.suppress(Exception):
            # A TIFF is turned when it is loaded, and says so by then.
            file.load()
            return _Look(file.getexif().get(ExifTags.Base.Orientation, 1), profile)
        return _Look(profile=profile)


def _png(output: Tensor, look: _Look) -> bytes:
    """Returns an output (3, H, W) as a PNG file, upright, whose colours are those of its photograph."""
    image = Image.fromarray(to_pixels(output))
    image.getexif()[ExifTags.Base.Orientation] = look.orientation
    stream = io.BytesIO()
    ImageOps.exif_transpose(image).save(stream, "PNG", icc_profile=look.profile)
    return stream.getvalue()
