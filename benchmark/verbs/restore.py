"""``dialbench restore``: images of one's own, as trained methods restore them at each level."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import ExifTags, Image, ImageOps
from torch import Tensor

from benchmark import tiled
from benchmark.analysis.calibration import calibrations
from benchmark.checkpoints import bytes_of
from benchmark.control import Level, level_text
from benchmark.data.patches import to_pixels
from benchmark.errors import UserError
from benchmark.export import safe
from benchmark.method import ControlMethod
from benchmark.opened import read_image
from benchmark.plan import Plan, nothing_there, stored_jobs
from benchmark.precision import inference
from benchmark.records import write
from benchmark.scoring.forward import best_device, ready
from benchmark.store import Store
from benchmark.trained import loaded

LONGEST_NAME = 255
"""Bytes that the name of a file may have."""


class Network(NamedTuple):
    """A trained network with a dial, and what is asked of it.

    Args:
        name: What its files are called.
        levels: The levels.
        method: Returns it, in evaluation mode.
        dial: Returns what its dial is set to for a level.
    """

    name: str
    levels: Sequence[Level]
    method: Callable[[], ControlMethod]
    dial: Callable[[Level], Level] = lambda level: level


def stored(plan: Plan, store: Store, calibrated: bool = False) -> list[Network]:
    """Returns what is trained of a plan: of every method the first of its seeds that is.

    Args:
        plan: What was asked for.
        store: Where the trained stages are.
        calibrated: Whether the dial is set to what was best for a level instead of the level itself.

    Raises:
        UserError: If nothing is trained, no method has a level, or a calibration is not stored.
    """
    jobs = stored_jobs(plan, store)
    if not jobs:
        raise UserError(nothing_there(plan, store))
    if not any(job.levels for job in jobs):
        raise UserError("; ".join(f"{one.method} {one.reason}" for one in plan.skipped))
    known = calibrations(plan, store, jobs) if calibrated else {}
    found = []
    for job in jobs:
        one = Network(job.method, job.levels, functools.partial(loaded, job, plan.task, store))
        found.append(one._replace(dial=known[job.method].dial) if job.method in known else one)
    return found


def run(
    networks: Sequence[Network], images: Sequence[Path], folder: Path, colour: str
) -> Iterator[Path]:
    """Restores images as they are, and yields every file that it has written.

    Args:
        networks: What restores them.
        images: The image files.
        folder: Gets ``<image>-<network>-<level>.png``; no file in it is ever replaced. One that is what
            would be written, as a run that was stopped leaves them, stays as it is.
        colour: How images are read, as the task's protocol says it.

    Raises:
        UserError: If an image is refused, a name is too long, or another file is there already. Nothing
            is written then.
        JobError: If a file cannot be written.
    """
    targets = {
        (one.name, level, image): folder
        / f"{image.stem}-{safe(one.name)}-{level_text(level).replace('/', '_')}.png"
        for one in networks
        for level in one.levels
        for image in images
    }
    for path, times in Counter(targets.values()).items():
        if len(os.fsencode(path.name)) > LONGEST_NAME:
            raise UserError(
                f"{path} would have a name longer than {LONGEST_NAME} bytes; rename the image"
            )
        if times > 1 or (os.path.lexists(path) and not os.path.isfile(path)):
            raise _taken(path, "would be written twice" if times > 1 else "is there already")
    looks = {}
    for image in images:
        # Before anything is written: one that is refused must not stop the others halfway.
        read_image(image, colour)
        looks[image] = _look(image)

    def outputs(wanted: Collection[Path]) -> Iterator[tuple[Path, bytes]]:
        device = best_device()
        for one in networks:
            method = one.method()
            for level in one.levels:
                own = [image for image in images if targets[one.name, level, image] in wanted]
                if not own:
                    continue
                network = ready(method.tuned(one.dial(level)), device)
                for image in own:
                    with inference():
                        output = tiled.restored(network, read_image(image, colour).to(device))
                    yield targets[one.name, level, image], _png(output, looks[image])

    there = {path for path in targets.values() if os.path.isfile(path)}
    for path, blob in outputs(there):
        if bytes_of(path) != blob:
            raise _taken(path, "is there already, and another image")
    yield from sorted(there)
    for path, blob in outputs(set(targets.values()) - there):
        write(path, blob)
        yield path


def _taken(path: Path, what: str) -> UserError:
    return UserError(f"{path} {what}; rename images, or name another folder with --to")


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
