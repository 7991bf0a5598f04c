"""Test sets for tasks: those of ``sources``, or pairs of degraded and clean photographs.

A set of pairs is a folder that holds the folder ``clean`` and one other, of what is to be restored,
with images of the same names. This module imports no torch.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.data.pictures import Picture
from benchmark.data.sources import (
    WITHOUT,
    ImageSet,
    data_root,
    default_sets,
    open_set,
)
from benchmark.errors import UserError

if TYPE_CHECKING:
    from benchmark.tasks import Task

CLEAN = "clean"
"""Of the two folders of a set of pairs, that of what should come out."""


@dataclass(frozen=True)
class PairSet(ImageSet):
    """Clean pictures with what is to be restored.

    Args:
        given: What is to be restored, in the order of ``pictures``.
    """

    given: tuple[Picture, ...] = ()


def open_test(task: Task, spec: str, crop: int = 0, offline: bool = False) -> ImageSet:
    """Returns the test set of a task that ``spec`` names: pairs, if its protocol asks for them.

    Args:
        task: The task.
        spec: As for ``sources.open_set``.
        crop: As there; pairs are never cropped.
        offline: Whether the network is forbidden.

    Raises:
        UserError: If there is no such set, or it cannot be read or holds no image, or no pairs.
    """
    if not task.protocol.pairs:
        return open_set(spec, "test", crop, offline)
    whole, without, names = spec.partition(WITHOUT)
    folder = _folder_of(whole)
    found = folder.iterdir() if folder.is_dir() else ()
    inside = sorted(one.name for one in found if one.is_dir() and one.name[0] != ".")
    others = [name for name in inside if name != CLEAN]
    if CLEAN not in inside or len(others) != 1:
        raise UserError(
            f"{task.name} needs pairs of images; '{spec}' is no folder that holds the folder {CLEAN} "
            "and one other, of what is to be restored"
            + (f": it holds {', '.join(inside)}" if inside else "")
        )
    clean, given = (open_set(f"{folder / one}{without}{names}", "test") for one in (CLEAN, *others))
    files = {one.name: one for one in given.pictures}
    alone = sorted({one.name for one in clean.pictures} ^ set(files))
    if alone:
        raise UserError(f"{folder}: '{alone[0]}' is in one folder only; pairs have the same names")
    inputs = {one.name: size for one, size in zip(given.pictures, given.sizes, strict=True)}
    for one, size in zip(clean.pictures, clean.sizes, strict=True):
        _check_sizes(one.name, size, inputs[one.name], task.scale)
    of_data = not Path(whole).is_absolute() and data_root("test") in folder.parents
    name = (Path(whole).as_posix() if of_data else folder.resolve().name) + without + names
    digest = hashlib.sha256(f"pairs {clean.digest} {given.digest}".encode()).hexdigest()[:20]
    given_in_order = tuple(files[one.name] for one in clean.pictures)
    return PairSet(name, clean.pictures, digest, clean.sizes, given=given_in_order)


def _check_sizes(name: str, clean: tuple[int, int], given: tuple[int, int], scale: int) -> None:
    """Raises UserError unless the heights and widths of two images go together."""
    height, width = (side // scale for side in clean)
    if given != (height, width):
        raise UserError(
            f"pair '{name}': what is to be restored is {given[1]}x{given[0]} pixels, and "
            f"{width}x{height} go with the clean image; replace or remove it"
        )


def _folder_of(spec: str) -> Path:
    root = data_root("test")
    inside = root / spec if root and not Path(spec).is_absolute() else None
    return inside if inside and inside.is_dir() else Path(spec).expanduser()


def default_tests(task: Task) -> tuple[str, ...]:
    """Returns the task's own test sets that are here, or the built-in images if there are none.

    Raises:
        UserError: If the task is judged on pairs, and none of its own are here.
    """
    if not task.protocol.pairs:
        return default_sets(task, "test")
    root = data_root("test")
    parents = [Path(name).parent for name in task.test_sets if Path(name).name == CLEAN]
    found = tuple(one.as_posix() for one in parents if root and (root / one).is_dir())
    if not found:
        raise UserError(
            f"{task.name} needs pairs of images; give --test FOLDER, which holds the folder {CLEAN} "
            "and one other, of what is to be restored"
        )
    return found
