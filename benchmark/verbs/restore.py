"""``dialbench restore``: images of one's own, as trained methods restore them at each level."""

from __future__ import annotations

import contextlib
import io
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

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
    turns = {}
    for image in images:
        # Before anything is written: one that is refused must not stop the others halfway.
        read_image(image, colour)
        turns[image] = _orientation(image)
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
                write(path, _upright(output, turns[image]))
                yield path


def _orientation(photograph: Path) -> int:
    """Returns how EXIF says that the pixels of a photograph lie; 1 is upright."""
    # Whatever is wrong with EXIF, pixels can be restored.
    with Image.open(photograph) as file, contextlib.suppress(Exception):
        # A TIFF is turned when it is loaded, and says so by then.
        file.load()
        return file.getexif().get(ExifTags.Base.Orientation, 1)
    return 1


def _upright(output: Tensor, orientation: int) -> bytes:
    """Returns an output (3, H, W) as a PNG file, turned as viewers turn the photograph it is of."""
    image = Image.fromarray(to_pixels(output))
    image.getexif()[ExifTags.Base.Orientation] = orientation
    stream = io.BytesIO()
    ImageOps.exif_transpose(image).save(stream, "PNG")
    return stream.getvalue()
