"""The rows of an entry: one line per number, in one order, so that an entry says each thing once.

``rows.csv.gz`` holds ``metric,set,seed,level,dial,image,value``. Everything but the values follows
from ``entry.json``, so reading compares whole columns with what must be there; the headline metric
comes first, so that a board reads no further.
"""

from __future__ import annotations

import dataclasses
import functools
import gzip
import itertools
import re
import zlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmark.leaderboard.faults import Fault, shown
from benchmark.metrics import records

if TYPE_CHECKING:
    import numpy as np

NAME = "rows.csv.gz"
HEADER = b"metric,set,seed,level,dial,image,value\n"
COMMAS = HEADER.count(b",")
MOST = 500_000
"""Rows an entry may have."""
LARGEST = 64 << 20
"""Bytes that they may have without their values: some times that is needed to read them."""
LONGEST = 16
"""Characters a value may have, with its line end."""
# No file name, comment, time or extra field: a gzip header has room for anything.
GZIP = b"\x1f\x8b\x08\x00\x00\x00\x00\x00"
VALUES = re.compile(rb"(?:-?(?:0|[1-9][0-9]{0,6})\.[0-9]{6}\n)*")

Key = tuple[str, str, int, str, str, str]
"""Metric, set, seed, level, dial, image."""


@dataclass(frozen=True)
class Layout:
    """What an entry has numbers of.

    Args:
        metrics: Metric ids, headline first.
        sets: Names of the test sets with their images.
        seeds: Seeds.
        levels: Level texts in order.
        crossed: Metrics that were also scored with the dial set to every other level.
    """

    metrics: tuple[str, ...]
    sets: tuple[tuple[str, tuple[str, ...]], ...]
    seeds: tuple[int, ...]
    levels: tuple[str, ...]
    crossed: tuple[str, ...] = ()

    def points(self, metric: str) -> list[tuple[str, str]]:
        """Returns the (level, dial) pairs of a metric."""
        if metric in self.crossed:
            return list(itertools.product(self.levels, self.levels))
        return [(level, level) for level in self.levels]

    def row_keys(self) -> Iterator[Key]:
        """Yields the keys of all rows, in their order."""
        for metric in self.metrics:
            for (name, images), seed in itertools.product(self.sets, self.seeds):
                for (level, dial), image in itertools.product(self.points(metric), images):
                    yield metric, name, seed, level, dial, image

    def counts(self) -> list[int]:
        """Returns the number of rows of every metric."""
        images = sum(len(names) for _, names in self.sets)
        return [len(self.points(one)) * len(self.seeds) * images for one in self.metrics]

    def size(self) -> int:
        """Returns the bytes of all rows without their values, of which none is made for that."""
        seeds, found = sum(len(str(one)) for one in self.seeds), 0
        for metric in self.metrics:
            points = self.points(metric)
            levels = sum(len(level) + len(dial) for level, dial in points)
            for name, images in self.sets:
                each = len(metric) + len(name) + COMMAS
                found += len(points) * len(self.seeds) * (each * len(images) + len("".join(images)))
                found += len(images) * (len(self.seeds) * levels + len(points) * seeds)
        return found


@functools.lru_cache(8)
def _expected(layout: Layout) -> tuple[tuple[bytes, ...], np.ndarray, bytes]:
    """Returns the beginnings of all lines, their lengths, and all of them as one text."""
    import numpy as np

    starts = tuple((",".join(map(str, key)) + ",").encode() for key in layout.row_keys())
    return starts, np.array([len(one) for one in starts]), b"".join(starts)


def pack(layout: Layout, values: Mapping[Key, float]) -> bytes:
    """Returns the file of some values.

    Raises:
        KeyError: If one is missing.
    """
    lines = [",".join(map(str, key)) + f",{values[key] + 0.0:.6f}\n" for key in layout.row_keys()]
    body = HEADER + "".join(lines).encode()
    return gzip.compress(body, 9, mtime=0)


def unzipped(blob: bytes, limit: int, whole: bool = True) -> bytes:
    """Returns at most ``limit`` bytes of what a gzip file holds; no more are ever unpacked.

    Args:
        blob: The file.
        limit: Bytes that it may hold.
        whole: Whether it must end there.

    Raises:
        Fault: If it is damaged, no plain gzip file, or holds more.
    """
    if not blob.startswith(GZIP):
        kind = "a zip file" if blob.startswith(b"PK") else "no gzip file"
        if blob.startswith(b"\x1f\x8b"):
            kind = "a gzip file with a name, time or comment in it"
        raise Fault(f"{NAME}: {kind}; 'dialbench board submit' writes the right kind")
    stream = zlib.decompressobj(wbits=31)
    try:
        text = stream.decompress(blob, limit + 1 if whole else limit)
    except zlib.error:
        raise Fault(f"{NAME}: damaged") from None
    if whole and (len(text) > limit or stream.unconsumed_tail):
        raise Fault(f"{NAME}: unpacks to more than {limit} bytes, which its rows cannot need")
    if whole and (not stream.eof or stream.unused_data):
        raise Fault(f"{NAME}: damaged, or something follows its end")
    return text


def read(blob: bytes, layout: Layout) -> np.ndarray:
    """Returns the values of all rows, in the order of ``layout.row_keys()``.

    Raises:
        Fault: If a row is missing, is there twice, or has no finite value in range.
    """
    starts, lengths, _ = _expected(layout)
    limit = len(HEADER) + int(lengths.sum()) + LONGEST * len(starts)
    body = _body(unzipped(blob, limit))
    values = _values(body, layout)
    if values is None:
        raise _trouble(body, layout)
    at = 0
    for metric, count in zip(layout.metrics, layout.counts(), strict=True):
        own, (low, high) = values[at : at + count], records.get(metric).span
        outside = (own < low) | (own > high)
        if outside.any():
            which = at + int(outside.argmax())
            row = starts[which].decode().rstrip(",")
            raise Fault(f"{NAME}: row {row}: {values[which]:g} is not from {low:g} to {high:g}")
        at += count
    return values


def by_key(blob: bytes, layout: Layout) -> dict[Key, float]:
    """Returns the values of all rows by what they are of, in the order of the file.

    Raises:
        Fault: If a row is not as it must be.
    """
    return dict(zip(layout.row_keys(), read(blob, layout).tolist(), strict=True))


def read_some(blob: bytes, layout: Layout, metrics: Collection[str]) -> list[np.ndarray]:
    """Returns the values of some metrics in the order of the file, reading no further than the last.

    Args:
        blob: The file.
        layout: What it must say.
        metrics: Some of the layout's metrics.

    Raises:
        Fault: If the rows of these metrics are not as they must be.
    """
    import numpy as np

    last = max(layout.metrics.index(one) for one in metrics)
    begun = dataclasses.replace(layout, metrics=layout.metrics[: last + 1])
    starts, lengths, _ = _expected(begun)
    limit = len(HEADER) + int(lengths.sum()) + LONGEST * len(starts)
    body = _body(unzipped(blob, limit, whole=False))
    ends = np.flatnonzero(np.frombuffer(body, np.uint8) == 10) + 1
    found, at, begin = [], 0, 0
    for metric, count in zip(begun.metrics, begun.counts(), strict=True):
        at += count
        end = int(ends[at - 1]) if at <= len(ends) else len(body)
        if metric in metrics:
            own = dataclasses.replace(layout, metrics=(metric,))
            values = _values(body[begin:end], own)
            if values is None:
                raise Fault(f"{NAME}: rows of {metric} are wrong; run 'dialbench board check'")
            found.append(values)
        begin = end
    return found


def _body(text: bytes) -> bytes:
    if not text.startswith(HEADER):
        raise Fault(f"{NAME}: the first line must be {HEADER.decode().strip()}")
    return text[len(HEADER) :]


def _values(body: bytes, layout: Layout) -> np.ndarray | None:
    """Returns the values if every line is as it must be, else None.

    Args:
        body: The lines.
        layout: What they must say.
    """
    import numpy as np

    starts, lengths, text = _expected(layout)
    letters = np.frombuffer(body, np.uint8)
    ends = np.flatnonzero(letters == 10)
    if len(ends) != len(starts) or (len(letters) != (ends[-1] + 1 if len(ends) else 0)):
        return None
    begins = np.concatenate(([0], ends[:-1] + 1))
    if (ends - begins <= lengths).any():
        return None
    # Plus one where a line begins, minus one where its value does: the sum tells keys from values.
    steps = np.zeros(len(letters) + 1, np.int8)
    steps[begins] = 1
    steps[begins + lengths] = -1
    is_key = np.cumsum(steps[:-1], dtype=np.int8).view(bool)
    if letters[is_key].tobytes() != text:
        return None
    numbers = letters[~is_key].tobytes()
    if VALUES.fullmatch(numbers) is None:
        return None
    return np.array(numbers.split(b"\n")[:-1], dtype="S").astype(float)


def _trouble(body: bytes, layout: Layout) -> Fault:
    """Returns the first fault of rows that are not as they must be."""
    starts, _, _ = _expected(layout)
    known = set(starts)
    seen: Counter[bytes] = Counter()
    for line in body.split(b"\n")[:-1] if body.endswith(b"\n") else [*body.split(b"\n")]:
        start, comma, value = line.rpartition(b",")
        start += comma
        name = shown(start.decode("utf-8", "replace").rstrip(","))
        if start not in known:
            return Fault(f"{NAME}: row {name} does not belong here")
        seen[start] += 1
        if seen[start] > 1:
            return Fault(f"{NAME}: row {name} is there twice")
        if VALUES.fullmatch(value + b"\n") is None:
            word = shown(value.decode("utf-8", "replace"))
            return Fault(f"{NAME}: row {name}: '{word}' is not a finite number with six decimals")
    missing = [start for start in starts if not seen[start]]
    if missing:
        name = missing[0].decode().rstrip(",")
        return Fault(f"{NAME}: row {name} is missing ({len(missing)} in all)")
    return Fault(f"{NAME}: rows are not in their order")
