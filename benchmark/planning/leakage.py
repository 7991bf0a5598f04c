"""Leakage: training images that show what is tested. Found once per pair of sets, then remembered.

A network that has seen its test images scores too well, and every comparison with it is worthless.
"""

from __future__ import annotations

import contextlib
import functools
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from benchmark.amount import amount
from benchmark.data.pictures import of_each
from benchmark.data.sources import WITHOUT, ImageSet, sayable
from benchmark.errors import JobError, UserError
from benchmark.records import read_json, write_json
from benchmark.registry.digest import digest
from benchmark.store import Store

REVISION = 2
"""Raised when ``benchmark.data.likeness`` finds other images than before."""

WHOLE = 0.9
"""Part of an image's area from which a picture of it counts as all of it."""

MANY = 100
"""Images of two sets, together, from which looking takes so long that it is told."""

SHOWN = 5
"""Pairs named in an error; ``dialbench data check`` names all."""


@dataclass(frozen=True)
class Pair:
    """Two images, of two sets, that show the same picture.

    Args:
        first: ``set/image``.
        second: ``set/image``.
        how: What the first is to the second, like ``"is a crop of"``.
        likeness: Correlation of their details, at most 1.
    """

    first: str
    second: str
    how: str
    likeness: float

    def __str__(self) -> str:
        return f"{self.first} {self.how} {self.second} (likeness {self.likeness:.2f})"


Say = Callable[[str], None]


def shared(
    first: ImageSet, second: ImageSet, store: Store, say: Say = lambda text: None
) -> list[Pair]:
    """Returns the images of one set that show what images of another show, each pair once.

    Copies are found through recompression, resizing, turning, mirroring and cropping (down to a
    third of the sides). Images are compared whole, also where only their centres are tested: what is
    cut out there may be too small to be found. The answer is kept in the store, if that can be written.

    Args:
        first: Images.
        second: Others.
        store: Where the answer is kept.
        say: Told that it is looked for, where that takes long.

    Raises:
        UserError: If an image cannot be read.
    """
    first, second = _whole(first), _whole(second)
    key = digest(["leakage", REVISION, first.name, first.digest, second.name, second.digest])
    path = store.home / "leakage" / f"{key}.json"
    known = read_json(path)
    if known is None:
        if len(first.pictures) + len(second.pictures) >= MANY:
            images = amount(len(first.pictures), "image")
            say(f"looking for images of {second.name} among {images} of {first.name}, once")
        found = [asdict(pair) for pair in _search(first, second)]
        known = {"sets": [first.name, second.name], "pairs": found}
        with contextlib.suppress(JobError):
            write_json(path, known)
    return [Pair(**pair) for pair in known["pairs"]]


def _whole(images: ImageSet) -> ImageSet:
    """Returns a set without the crop of its pictures."""
    if not any(one.crop for one in images.pictures):
        return images
    pictures = tuple(replace(one, crop=0) for one in images.pictures)
    return ImageSet(images.name, pictures, digest(["whole", images.digest]))


def leaks(
    train: Sequence[ImageSet],
    test: Sequence[ImageSet],
    store: Store,
    say: Say = lambda text: None,
) -> list[Pair]:
    """Returns the training images that show what test images show."""
    return [pair for one in train for other in test for pair in shared(one, other, store, say)]


def refuse(found: Sequence[Pair], asked: Mapping[str, str]) -> None:
    """Refuses to train on what will be tested.

    Args:
        found: What ``leaks`` found.
        asked: What training sets were asked for by, by their names.

    Raises:
        UserError: If anything was found.
    """
    if not found:
        return
    named = "; ".join(str(pair) for pair in found[:SHOWN])
    more = f"; and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    way, parts = "take them out of their folder", [one.first.rpartition("/") for one in found]
    if named_by := [(name, image) for name, _, image in parts if sayable(image)]:
        name, image = named_by[0]
        joint = "+" if WITHOUT in asked[name] else WITHOUT
        way = f"leave them out as in --train {shlex.quote(asked[name] + joint + image)}"
    raise UserError(
        f"training images show what is tested: {named}{more}; {way}, "
        "or add --allow-leaks to run in spite of it"
    )


def _search(first: ImageSet, second: ImageSet) -> list[Pair]:
    from benchmark.data import likeness

    ones, others = _prepared(first), _prepared(second)
    found = [
        (match.outer, match.inner, "contains", match) for match in likeness.matches(ones, others)
    ]
    found += [
        (match.inner, match.outer, "is a crop of", match)
        for match in likeness.matches(others, ones)
    ]
    best: dict[tuple[int, int], Pair] = {}
    for one, other, part, match in found:
        how = "is a copy of" if match.area > WHOLE else part
        pair = Pair(
            f"{first.name}/{first.pictures[one].name}",
            f"{second.name}/{second.pictures[other].name}",
            f"{how} (turned)" if match.turn else how,
            round(match.likeness, 4),
        )
        known = best.get((one, other))
        if known is None or pair.likeness > known.likeness:
            best[one, other] = pair
    return [best[pair] for pair in sorted(best)]


@functools.lru_cache(2)
def _prepared(images: ImageSet) -> list[Any]:
    """Returns what is compared of the images of a set; a check meets each set many times in a row."""
    from benchmark.data import likeness

    return of_each(images.pictures, lambda picture: likeness.prepared(picture.read()))


def check(
    train: Sequence[ImageSet],
    test: Sequence[ImageSet],
    store: Store,
    say: Say = lambda text: None,
) -> tuple[int, list[str]]:
    """Compares sets and says what they share.

    Args:
        train: Training sets.
        test: Test sets; they are compared with each other too.
        store: Where answers are kept.
        say: Told which sets are compared.

    Returns:
        The number of training images that show what is tested, and the lines to print.
    """
    lines, leaked = [], set()
    for one in train:
        for other in test:
            say(f"comparing {one.name} with {other.name}")
            found = shared(one, other, store)
            leaked |= {pair.first for pair in found}
            lines += [f"LEAK  {pair}" for pair in found]
    for index, one in enumerate(test):
        for other in test[index + 1 :]:
            say(f"comparing {one.name} with {other.name}")
            lines += [f"note  {pair}" for pair in shared(one, other, store)]
    lines.append(
        f"{_counted(train)} for training, {_counted(test)} for tests: "
        f"{amount(len(leaked), 'training image shows', 'training images show')} what is tested"
    )
    return len(leaked), lines


def _counted(sets: Sequence[ImageSet]) -> str:
    images = sum(len(one.pictures) for one in sets)
    return f"{amount(len(sets), 'set')} ({amount(images, 'image')})"
