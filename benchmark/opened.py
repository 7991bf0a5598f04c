"""Trained methods and image files, opened for use outside of a run: from Python, the demo, ``restore``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor

from benchmark.data.patches import clean_pixels, to_pixels, to_tensor
from benchmark.data.pictures import Picture
from benchmark.errors import UserError
from benchmark.method import ControlMethod
from benchmark.plan import looked_at, nothing_there, stored_jobs, untrained
from benchmark.planning.request import wanted
from benchmark.store import Store
from benchmark.trained import loaded

__all__ = ["open_method", "read_image", "stored_jobs", "to_pixels", "untrained"]


def open_method(task: str, method: str, **options: Any) -> ControlMethod:
    """Returns a trained method, in evaluation mode: call it with images (B, 3, h, w) and a level.

    Args:
        task: A task, like ``"denoise"``.
        method: A method, like ``"dni"`` or ``"ftn:groups=4"``, or its file.
        **options: What else it was trained with, as ``benchmark.planning.request.wanted`` takes it:
            ``preset="gpu", seeds=[1]``.

    Raises:
        UserError: If a name or option is wrong, or nothing is trained for it.
    """
    request, store = wanted(task, [method], **options), Store()
    plan = looked_at(request, store)
    found = stored_jobs(plan, store)
    if not found:
        raise UserError(nothing_there(plan))
    return loaded(found[0], plan.task, store)


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
