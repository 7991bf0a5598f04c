"""Manifests: which images a set holds, by their pixels, and whether they are those of the boards."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from benchmark.amount import amount
from benchmark.data.pictures import NAMED, Picture, of_each
from benchmark.data.sources import WITHOUT, ImageSet

FILE = Path(__file__).with_name("manifest.txt")
"""The manifest of the sets that boards were made with: what ``dialbench data manifest`` printed."""

DIGITS = 20


def digest_of(picture: Picture) -> str:
    """Returns the SHA-256 (20 digits) of an image's size and pixels, however its file stores them."""
    pixels = picture.read()
    size = f"{pixels.shape[1]}x{pixels.shape[0]}\n".encode()
    return hashlib.sha256(size + pixels.tobytes()).hexdigest()[:DIGITS]


def digests_of(images: ImageSet) -> dict[str, str]:
    """Returns the digest of every image of a set, by its name."""
    found = of_each(images.pictures, digest_of)
    return {one.name: digest for one, digest in zip(images.pictures, found, strict=True)}


def lines(split: str, images: ImageSet) -> Iterator[str]:
    """Yields the manifest of a set: ``DIGEST  SPLIT/SET/IMAGE``."""
    for name, digest in digests_of(images).items():
        yield f"{digest}  {split}/{images.name}/{name}"


def known() -> dict[str, dict[str, str]]:
    """Returns the digests of the images that boards were made with, by split and set, and by name."""
    found: dict[str, dict[str, str]] = {}
    for line in FILE.read_text(encoding="utf-8").splitlines():
        digest, _, place = line.partition("  ")
        name, _, image = place.rpartition("/")
        found.setdefault(name, {})[image] = digest
    return found


def compared(split: str, images: ImageSet) -> tuple[bool, str]:
    """Returns whether a set may be taken for that of the boards, and what sets it apart.

    Noise is drawn by the names of sets and images, so these count as well.

    Args:
        split: ``"train"`` or ``"test"``.
        images: The set.

    Returns:
        False where a set of this name on the boards has other images; and the line to print.
    """
    whole, _, without = images.name.partition(WITHOUT)
    every, found = known(), digests_of(images)
    boards = every.get(f"{split}/{whole}")
    counted = f"{split}/{images.name}: {amount(len(found), 'image')}"
    # Noise of training patches is drawn by the step, not by names.
    noise = ", their noise is not" if split == "test" else ""
    if boards is None:
        alike = [one for one, other in every.items() if set(other.values()) == set(found.values())]
        as_well = f"; their pixels are those of {alike[0]}{noise}" if alike else ""
        return True, f"{counted}, and no board has a set of this name{as_well}"
    apart = {
        "other pixels": [one for one in boards if found.get(one, boards[one]) != boards[one]],
        "missing": [one for one in boards if one not in {*found, *without.split("+")}],
        "not on the boards": [one for one in found if one not in boards],
    }
    told = [f"{what}: {_named(names)}" for what, names in apart.items() if names]
    same = f"those of the boards{noise if without else ''}"
    return not told, f"{counted}, {'; '.join(told) or same}"


def _named(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more}"
