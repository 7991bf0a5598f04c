"""Trained methods and image files, opened for use outside of a run: from Python, the demo, ``restore``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from benchmark.data.patches import clean_pixels, to_pixels, to_tensor
from benchmark.data.pictures import MODES, Picture
from benchmark.errors import UserError
from benchmark.method import ControlMethod
from benchmark.plan import looked_at, nothing_there, stored_jobs, untrained
from benchmark.planning.request import wanted
from benchmark.store import Store
from benchmark.trained import loaded

__all__ = [
    "as_image",
    "open_entry",
    "open_method",
    "read_image",
    "stored_jobs",
    "to_pixels",
    "untrained",
]

FAR = 8.0
"""No pixel of an image from 0 to 1 lies further out, however noisy; one from 0 to 255 has many."""


def open_method(task: str, method: str | Path, **options: Any) -> ControlMethod:
    """Returns a trained method, in evaluation mode: call it with images and a level.

    Images are (B, 3, h, w) in [0, 1], of floating-point numbers; what cannot be one is a UserError.
    Several threads may call it: they take turns, since a pass lends its weights to the backbone.

    Args:
        task: A task, like ``"denoise"``.
        method: A method, like ``"dni"`` or ``"ftn:groups=4"``, or its file.
        **options: What else it was trained with, as ``benchmark.planning.request.wanted`` takes it:
            ``preset="gpu", seeds=[1]``.

    Raises:
        UserError: If a name or option is wrong, or nothing is trained for it.
    """
    request, store = wanted(task, [str(method)], **options), Store()
    plan = looked_at(request, store)
    found = stored_jobs(plan, store)
    if not found:
        raise UserError(nothing_there(plan, store))
    return _guarded(loaded(found[0], plan.task, store))


def open_entry(folder: Path | str, seed: int | None = None, offline: bool = False) -> ControlMethod:
    """Returns the method of a leaderboard's entry, with its weights, as ``open_method`` does.

    Args:
        folder: The entry's folder, like ``leaderboards/denoise/entries/ID``.
        seed: Which of its seeds; the first by default.
        offline: Whether weights on a server may not be fetched.

    Raises:
        UserError: If the folder is no entry that the referee takes, or has no weights, or no code goes
            by the name of its method.
        JobError: If weights cannot be fetched, or do not fit.
    """
    # With it comes the referee, and what boards are drawn with.
    from benchmark.leaderboard.entered import Entered

    return _guarded(Entered(Path(folder), seed, offline).method())


def _guarded(opened: ControlMethod) -> ControlMethod:
    """Returns a method that refuses what is no batch of images."""
    opened.register_forward_pre_hook(_require_images)
    return opened


def _require_images(method: torch.nn.Module, inputs: tuple[Tensor, ...]) -> None:
    """Refuses what is no batch of images; networks of another number of channels just break off."""
    x = inputs[0]
    if x.ndim != 4 or x.shape[1] != 3 or not x.numel() or not x.is_floating_point():
        raise UserError(
            f"the input is {x.dtype} of shape {tuple(x.shape)}; give images as floating-point numbers "
            "(B, 3, h, w), which benchmark.opened.as_image makes of an array"
        )
    # What is traced or compiled must not depend on values, and on the meta device there are none.
    if not (x.is_meta or torch.jit.is_tracing() or torch.compiler.is_compiling()):
        _require_range(float(x.detach().abs().max()))


def _require_range(most: float) -> None:
    if not most <= FAR:
        raise UserError(
            f"the image has values up to {most:g}; give numbers from 0 to 1 (divided by 255, or by "
            "what white is)"
        )


def as_image(pixels: np.ndarray | Image.Image) -> Tensor:
    """Returns pixels of one's own as a batch of one (1, 3, h, w), float32 in [0, 1].

    Gray is repeated over three channels and alpha is dropped, as of files.

    Args:
        pixels: (h, w), (h, w, 1), (h, w, 3) or (h, w, 4), as uint8, or as floating-point numbers from
            0 to 1; or an image of Pillow with 8 bits a sample.

    Raises:
        UserError: If they are of another shape or kind.
    """
    if isinstance(pixels, Image.Image):
        if pixels.mode not in MODES:
            raise UserError(f"the image is of mode {pixels.mode}; convert it to RGB")
        pixels = pixels.convert("RGB")
    array = np.asarray(pixels)
    array = array[..., None] if array.ndim == 2 else array
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4) or not array.size:
        raise UserError(f"the pixels have shape {array.shape}; give (h, w), or RGB as (h, w, 3)")
    if array.dtype != np.uint8 and array.dtype.kind != "f":
        raise UserError(
            f"the pixels are {array.dtype}; divide them by what white is (65535 where all 16 bits are "
            "used), so that they run from 0 to 1"
        )
    colour = array[..., :3].repeat(3 if array.shape[2] == 1 else 1, axis=2)
    image = torch.tensor(colour.astype(np.float32)).permute(2, 0, 1)[None]
    if array.dtype == np.uint8:
        return image / 255
    _require_range(float(image.abs().max()))
    return image


def read_image(path: Path | str, colour: str = "rgb") -> Tensor:
    """Returns an image file as a batch of one (1, 3, h, w) in [0, 1], read as those of sets are.

    Args:
        path: The file.
        colour: As a protocol says it.

    Raises:
        UserError: If it is not there, or of a kind that is not read.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"there is no file {path}; name an image")
    return to_tensor(clean_pixels(Picture(path.stem, path), colour))[None]
