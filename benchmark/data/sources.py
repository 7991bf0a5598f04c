"""Where images come from: folders, the built-in photographs, and sets on the Hugging Face hub.

A set is named by a folder under DIALBENCH_DATA/{train,test}, a path, ``builtin``, or a hub set's
short name. This module imports no torch.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.amount import amount
from benchmark.data.pictures import SUFFIXES, Picture, of_each
from benchmark.errors import UserError, unknown

if TYPE_CHECKING:
    import datasets

    from benchmark.tasks import Task

SPLITS = ("train", "test")

BUILTIN = {
    "train": (
        "skimage/data/coffee.png",
        "skimage/data/rocket.jpg",
        "skimage/data/motorcycle_left.png",
        "sklearn/datasets/images/china.jpg",
        "skimage/data/retina.jpg",
        "skimage/data/hubble_deep_field.jpg",
        "skimage/data/ihc.png",
    ),
    "test": (
        "skimage/data/astronaut.png",
        "skimage/data/chelsea.png",
        "sklearn/datasets/images/flower.jpg",
    ),
}
"""Photographs inside the scikit-image and scikit-learn packages."""


WITHOUT = ":without="
"""Stands between a set and the names of its images that are left out."""


@dataclass(frozen=True)
class HubSet:
    """A set on the Hugging Face hub.

    Args:
        repository: Its name there.
        images: Number of images it must hold.
        revision: The commit or branch to read.
    """

    repository: str
    images: int
    revision: str = "main"


# Revisions are not pinned to commits: the hub was out of reach when this table was written. The
# number of images is checked instead, and the content digest of the set is part of every result's
# key, so a change at the hub is never mistaken for the same data. ``hub/set5@COMMIT`` pins one.
HUB = {
    "hub/cbsd68": HubSet("deepinv/CBSD68", 68),
    "hub/set5": HubSet("goodfellowliu/Set5", 5),
    "hub/set14": HubSet("Voxel51/Set14", 14),
    "hub/urban100": HubSet("Voxel51/Urban100", 100),
}


@dataclass(frozen=True)
class ImageSet:
    """A named list of pictures.

    Args:
        name: Name stored in rows.
        pictures: In natural order of their names.
        digest: SHA-256 (20 digits) over names, crop and file contents.
        sizes: Height and width of each, as read.
    """

    name: str
    pictures: tuple[Picture, ...]
    digest: str
    sizes: tuple[tuple[int, int], ...] = ()


def open_set(spec: str, split: str, crop: int = 0, offline: bool = False) -> ImageSet:
    """Returns the set that ``spec`` names; of its files only the heads are decoded yet.

    Args:
        spec: A folder name under DIALBENCH_DATA/``split``, a path, ``builtin``, or a hub set's
            short name, with ``@`` and a commit to pin it; local folders win. ``:without=a+b`` leaves out the images of those names.
        split: ``"train"`` or ``"test"``.
        crop: Side of the centre crop of built-in test images; 0 means whole images.
        offline: Whether the network is forbidden.

    Raises:
        UserError: If there is no such set or split, or it holds no image, or images of no use.
    """
    if split not in SPLITS:
        raise UserError(unknown("split", split, SPLITS))
    whole, without, names = spec.partition(WITHOUT)
    name, pictures = _found(whole, split, crop, offline)
    if without:
        pictures = _less(name, pictures, names.split("+"))
    digest, found = hashlib.sha256(), of_each(pictures, _looked_at)
    for one, _ in found:
        digest.update(f"{one.name}\n{one.crop}\n{one.sha256}\n".encode())
    known, sizes = tuple(one for one, _ in found), tuple(size for _, size in found)
    return ImageSet(name + without + names, known, digest.hexdigest()[:20], sizes)


def _looked_at(picture: Picture) -> tuple[Picture, tuple[int, int]]:
    """Returns a picture that is bound to its file's content, as results are kept by it, and its size."""
    content = picture.stored()
    return replace(picture, sha256=hashlib.sha256(content).hexdigest()), picture.size(content)


def _found(spec: str, split: str, crop: int, offline: bool) -> tuple[str, list[Picture]]:
    """Returns the name of a set, and its pictures."""
    if spec == "builtin":
        return "builtin", _builtin(split, crop if split == "test" else 0)
    root = data_root(split)
    inside = root / spec if root and not Path(spec).is_absolute() else None
    if inside and inside.is_dir():
        return Path(spec).as_posix(), _folder(inside)
    path = Path(spec).expanduser()
    if path.is_dir():
        return path.resolve().name, _folder(path)
    if path.exists():
        raise UserError(f"{path} is not a folder; name the folder that holds the images")
    if spec.partition("@")[0] in HUB:
        return spec, _hub(spec, offline)
    hint = "" if root else " (DIALBENCH_DATA is not set)"
    raise UserError(
        f"unknown {split} set '{spec}'{hint}; give a path, or one of: {', '.join(set_names(split))}"
    )


def anywhere(spec: str, split: str) -> str:
    """Returns a set's specification as it can be read in any working folder."""
    whole, without, names = spec.partition(WITHOUT)
    root, path = data_root(split), Path(whole).expanduser()
    if whole == "builtin" or (root and (root / whole).is_dir()) or not path.is_dir():
        return spec
    return f"{path.resolve()}{without}{names}"


def sayable(image: str) -> bool:
    """Whether an option can name an image that is left out: neither '+' nor ',' stands in its name."""
    return not {"+", ","} & {*image}


def _less(name: str, pictures: list[Picture], names: list[str]) -> list[Picture]:
    """Returns the pictures of a set without those of some names."""
    left = [one for one in pictures if one.name not in names]
    lacking = sorted(set(names) - {one.name for one in pictures})
    if lacking or not left:
        raise UserError(
            f"set {name} has no image '{lacking[0]}' to leave out"
            if lacking
            else f"set {name} has no image left; leave out fewer"
        )
    return left


def default_sets(task: Task, split: str) -> tuple[str, ...]:
    """Returns the task's own sets that DIALBENCH_DATA holds, or ``("builtin",)`` if it has none."""
    root = data_root(split)
    wanted = task.train_sets if split == "train" else task.test_sets
    found = tuple(name for name in wanted if root and (root / name.partition(WITHOUT)[0]).is_dir())
    return found or ("builtin",)


def data_root(split: str) -> Path | None:
    """Returns the folder DIALBENCH_DATA/``split``, or None if the variable is not set.

    Raises:
        UserError: If the variable names something that is not a folder.
    """
    text = os.environ.get("DIALBENCH_DATA")
    if not text:
        return None
    root = Path(text).expanduser()
    if not root.is_dir():
        raise UserError(f"DIALBENCH_DATA names {root}, which is not a folder; correct or unset it")
    return root / split


def set_names(split: str) -> list[str]:
    """Returns the names to offer: built-in, folders with images, and hub sets (for tests)."""
    hub = HUB if split == "test" else ()
    return list(dict.fromkeys([*here(split), *hub]))


def here(split: str) -> list[str]:
    """Returns the names of the sets that need no download: built-in, and folders with images."""
    return ["builtin", *_local(split)]


def _local(split: str) -> dict[str, int]:
    """Returns the number of images in every folder below DIALBENCH_DATA/``split`` that has any."""
    root = data_root(split)
    if root is None or not root.is_dir():
        return {}
    folders = sorted(path for path in root.rglob("*") if path.is_dir())
    counts = {one.relative_to(root).as_posix(): len(list(_image_files(one))) for one in folders}
    return {name: count for name, count in counts.items() if count}


def listing() -> list[str]:
    """Returns one line per known set, for the ``data`` command."""
    lines = []
    for split in SPLITS:
        local = _local(split)
        for name in set_names(split):
            if name == "builtin":
                origin = (
                    f"{amount(len(BUILTIN[split]), 'image')}, inside scikit-image and scikit-learn"
                )
            elif name in local:
                origin = f"{amount(local[name], 'image')}, DIALBENCH_DATA"
            else:
                about = HUB[name]
                origin = f"{amount(about.images, 'image')}, downloaded from {about.repository}"
            lines.append(f"{split:<5}  {name:<20}  {origin}")
    return lines


def _builtin(split: str, crop: int) -> list[Picture]:
    pictures = []
    for file in BUILTIN[split]:
        package, _, rest = file.partition("/")
        # Located without importing: scikit-learn alone takes a second.
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            raise UserError(f"the built-in images need the package {package}; install the project")
        path = Path(spec.origin).parent / rest
        pictures.append(Picture(path.stem, path, crop))
    return pictures


def _folder(folder: Path) -> list[Picture]:
    files = sorted(_image_files(folder), key=lambda file: _natural(file.name))
    if not files:
        subfolders = sorted(one.name for one in folder.iterdir() if one.is_dir())
        hint = (
            f"; it has subfolders, name one of them: {', '.join(subfolders)}" if subfolders else ""
        )
        raise UserError(f"{folder} holds no images ({', '.join(s[1:] for s in SUFFIXES)}){hint}")
    names = unique_names([file.name for file in files])
    return [Picture(name, file) for name, file in zip(names, files, strict=True)]


def _image_files(folder: Path) -> Iterable[Path]:
    for path in folder.iterdir():
        # A link that leads nowhere is an image that is missing: reading it says so.
        lost = path.is_symlink() and not path.exists()
        seen = path.suffix.lower() in SUFFIXES and path.name[0] != "."
        if seen and (path.is_file() or lost):
            yield path


def _natural(text: str) -> list[tuple[int, int, str]]:
    parts = re.findall(r"[0-9]+|[^0-9]+", text)
    numbered = [(0, int(part), "") if part[0] in "0123456789" else (1, 0, part) for part in parts]
    return [*numbered, (2, 0, text)]


def unique_names(files: list[str]) -> list[str]:
    """Returns the stems of file names; files that share a stem keep their suffixes."""
    stems = Counter(Path(file).stem for file in files)
    names = [file if stems[Path(file).stem] > 1 else Path(file).stem for file in files]
    # "a.png" may be the stem of "a.png.jpg" and at the same time a kept name.
    return names if len(set(names)) == len(names) else list(files)


@functools.cache
def _hub(spec: str, offline: bool) -> list[Picture]:
    from benchmark import assets

    name, _, revision = spec.partition("@")
    about = HUB[name]
    if offline or assets.unreachable("https://huggingface.co"):
        # Read when the hub's libraries are imported; copies in their own cache still work.
        os.environ["HF_HUB_OFFLINE"] = "1"
    try:
        import datasets

        loaded = datasets.load_dataset(about.repository, revision=revision or about.revision)
        rows = loaded[next(iter(loaded))] if isinstance(loaded, dict) else loaded
        pictures = hub_pictures(spec, rows)
    except UserError:
        raise
    except Exception as error:  # the hub's libraries raise dozens of kinds
        raise UserError(
            f"hub set '{spec}' ({about.repository}) cannot be read ({type(error).__name__}); "
            "go online, or put its images into a folder and name that"
        ) from error
    if len(pictures) != about.images:
        raise UserError(
            f"hub set '{spec}' ({about.repository}) holds {amount(len(pictures), 'image')} instead of "
            f"{about.images}; put the right images into a folder and name that"
        )
    return pictures


def hub_pictures(spec: str, rows: datasets.Dataset) -> list[Picture]:
    """Returns the images in the first image column of a ``datasets.Dataset``, as file contents.

    Raises:
        UserError: If there is no such column, or an image is not stored in the set.
    """
    import datasets

    columns = [key for key, kind in rows.features.items() if isinstance(kind, datasets.Image)]
    if not columns:
        raise UserError(f"hub set '{spec}' has no image column; put its images into a folder")
    files, contents = [], []
    for index, row in enumerate(rows.cast_column(columns[0], datasets.Image(decode=False))):
        image = row[columns[0]]
        if image is None:
            raise UserError(
                f"hub set '{spec}' has no image in row {index}; put its images into a folder"
            )
        file = Path(image["path"] or f"{index:05d}.png")
        content = image["bytes"] or (file.read_bytes() if file.is_file() else None)
        if content is None:
            raise UserError(f"hub set '{spec}' holds paths instead of images; use a folder")
        files.append(file.name)
        contents.append(content)
    if len(set(files)) < len(files):
        files = [f"{index:05d}-{file}" for index, file in enumerate(files)]
    pictures = [
        Picture(name, Path(spec) / file, content=content)
        for name, file, content in zip(unique_names(files), files, contents, strict=True)
    ]
    return sorted(pictures, key=lambda picture: _natural(picture.name))
