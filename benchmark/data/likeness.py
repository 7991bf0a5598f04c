"""Finds images that show the same picture: copied, recompressed, resized, cropped, turned or mirrored.

In two steps. Candidates: every image is looked at through many windows (its whole, and crops down
to a third of its sides), each shrunk to 16 x 16 and normalised; the other images, whole and in all
eight orientations, are compared with all windows by one matrix product. Proof: for the best few,
the window is aligned finely, and what counts is the correlation of the details alone. Photographs
of the same kind of scene look alike at 16 x 16, but their details do not fall on each other. Where
they do so at other places nearly as well (two horizons can always be laid on each other), they
prove nothing.

The method works on luma, so colour, brightness and contrast do not matter. It needs numpy,
scipy and Pillow only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image
from scipy.fft import irfft2, next_fast_len, rfft2
from scipy.ndimage import gaussian_filter

Array = np.ndarray

LONGEST = 256
"""Images are shrunk to this many pixels on their longer side before anything else."""
THUMB = 16
FRACTIONS = tuple(float(f) for f in 0.88 ** np.arange(10))
"""Sides of the windows, relative to the largest window of their shape: 1 down to 0.32."""
STRIDE = 2
"""Pixels of a thumbnail between neighbouring windows."""
SHAPE_STEP = 0.08
"""Shapes (width over height) that differ by less count as one."""

CANDIDATES = 3
ALIGNED = 96
"""Pixels on the longer side of the picture whose details are compared."""
MARGIN = 0.12
SAME = 0.75
"""Correlation of details from which two images show the same picture, if they fit in one place."""
SURE = 0.97
"""Correlation that needs no such proof: copies of images that hold little detail."""
RIVAL = 0.8
"""Part of the best correlation that is too much at any other place."""
NEAR = 5
"""Pixels around the best place that count as the same one."""


@dataclass(frozen=True)
class Match:
    """Image ``inner`` shows a window of image ``outer``.

    Args:
        outer: Index of the image that holds the other.
        inner: Index of the image that is held.
        window: Top, left, height and width of the window, as parts of the sides of ``outer``.
        turn: Which of the eight orientations ``inner`` has: quarter turns, plus 4 if mirrored.
        likeness: Correlation of the details, at most 1.
        rival: The highest correlation at another place near by.
    """

    outer: int
    inner: int
    window: tuple[float, float, float, float]
    turn: int
    likeness: float
    rival: float = 0.0

    @property
    def proven(self) -> bool:
        """Whether the details show that it is the same picture."""
        distinct = self.likeness >= SAME and self.rival <= RIVAL * self.likeness
        return distinct or self.likeness >= SURE

    @property
    def area(self) -> float:
        """The part of the outer image's area that the window covers."""
        return self.window[2] * self.window[3]


def prepared(pixels: Array) -> Array:
    """Returns uint8 RGB pixels (H, W, 3) as small luma, float32, longer side ``LONGEST`` at most."""
    gray = Image.fromarray(pixels).convert("L")
    factor = LONGEST / max(gray.size)
    if factor < 1:
        size = [max(1, round(side * factor)) for side in gray.size]
        gray = gray.resize((size[0], size[1]), Image.Resampling.BOX)
    return np.asarray(gray, dtype=np.float32)


def matches(outer: Sequence[Array], inner: Sequence[Array]) -> list[Match]:
    """Returns which of the ``inner`` images show a window of which of the ``outer`` ones.

    Args:
        outer: Prepared images.
        inner: Prepared images.
    """
    found = []
    for candidate in _candidates(outer, inner):
        match = _aligned(outer[candidate.outer], inner[candidate.inner], candidate)
        if match.proven:
            found.append(match)
    return found


def oriented(image: Array, turn: int) -> Array:
    """Returns an image turned by quarters, and mirrored first if ``turn`` is 4 or more."""
    return np.rot90(image[:, ::-1] if turn >= 4 else image, turn % 4)


def _candidates(outer: Sequence[Array], inner: Sequence[Array]) -> Iterator[Match]:
    """Yields, for each inner image, its best window in each of the ``CANDIDATES`` best outer ones."""
    shapes: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for index, image in enumerate(inner):
        for turn in range(8):
            height, width = image.shape[::-1] if turn % 2 else image.shape
            shapes[round(np.log(width / height) / SHAPE_STEP)].append((index, turn))
    best: dict[tuple[int, int], Match] = {}
    for shape, members in shapes.items():
        thumbs = np.stack([_thumb(oriented(inner[index], turn)) for index, turn in members], 1)
        for position, image in enumerate(outer):
            places, views = _windows(image, np.exp(shape * SHAPE_STEP))
            alike = views @ thumbs
            for column, row in enumerate(alike.argmax(0)):
                index, turn = members[column]
                likeness = float(alike[row, column])
                known = best.get((position, index))
                if known is None or likeness > known.likeness:
                    best[position, index] = Match(position, index, places[row], turn, likeness)
    by_inner: dict[int, list[Match]] = defaultdict(list)
    for match in best.values():
        by_inner[match.inner].append(match)
    for index in sorted(by_inner):
        yield from sorted(by_inner[index], key=lambda match: -match.likeness)[:CANDIDATES]


def _thumb(image: Array) -> Array:
    return _normalised(_resized(image, THUMB, THUMB).reshape(1, -1))[0]


def _windows(image: Array, shape: float) -> tuple[list[tuple[float, float, float, float]], Array]:
    """Returns windows of one shape as parts of the sides, and their thumbnails (n, 256).

    The first one is the whole image, as stretching may have changed the shape.
    """
    height, width = image.shape
    tall, wide = min(1.0, width / shape / height), min(1.0, height * shape / width)
    places, views = [(0.0, 0.0, 1.0, 1.0)], [_resized(image, THUMB, THUMB).reshape(1, -1)]
    for fraction in FRACTIONS:
        part_h, part_w = tall * fraction, wide * fraction
        rows, columns = round(THUMB / part_h), round(THUMB / part_w)
        small = _resized(image, rows, columns)
        tops = [*range(0, rows - THUMB, STRIDE), rows - THUMB]
        lefts = [*range(0, columns - THUMB, STRIDE), columns - THUMB]
        every = np.lib.stride_tricks.sliding_window_view(small, (THUMB, THUMB))
        views.append(every[np.ix_(tops, lefts)].reshape(-1, THUMB * THUMB))
        size = (THUMB / rows, THUMB / columns)
        places += [(top / rows, left / columns, *size) for top in tops for left in lefts]
    return places, _normalised(np.concatenate(views))


def _normalised(rows: Array) -> Array:
    rows = rows - rows.mean(axis=1, keepdims=True)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)


def _resized(image: Array, rows: int, columns: int) -> Array:
    kind = Image.Resampling.BOX if rows * columns < image.size / 4 else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(image).resize((columns, rows), kind), dtype=np.float32)


def _aligned(outer: Array, inner: Array, candidate: Match) -> Match:
    """Returns a candidate with its window aligned finely and its details compared."""
    inner = oriented(inner, candidate.turn)
    factor = min(1.0, ALIGNED / max(inner.shape))
    rows, columns = (max(THUMB, round(side * factor)) for side in inner.shape)
    picture = _details(_resized(np.ascontiguousarray(inner), rows, columns))
    best = replace(candidate, likeness=-1.0)
    scale = 1.0
    # Thumbnails may prefer a window that is one size off (``FRACTIONS``).
    for step, most in ((0.03, 7), (0.01, 3)):
        for zoom in scale + step * np.arange(-most, most + 1):
            match = _placed(outer, picture, candidate, float(zoom))
            if match.likeness > best.likeness:
                best, scale = match, float(zoom)
        if best.likeness < SAME / 2:
            break
    return best


def _placed(outer: Array, picture: Array, candidate: Match, zoom: float) -> Match:
    """Returns a candidate where the inside of a picture fits best near its window, zoomed."""
    top, left, height, width = candidate.window
    rows, columns = picture.shape
    # Pixels of the picture over the whole outer image, and the part of it that is searched.
    full = (rows / (height * zoom), columns / (width * zoom))
    low = (max(0.0, top - MARGIN * height), max(0.0, left - MARGIN * width))
    high = (min(1.0, top + height * (1 + MARGIN)), min(1.0, left + width * (1 + MARGIN)))
    size = [max(2, round((b - a) * n)) for a, b, n in zip(low, high, full, strict=True)]
    tall, wide = outer.shape
    box = (low[1] * wide, low[0] * tall, high[1] * wide, high[0] * tall)
    image = Image.fromarray(outer).resize((size[1], size[0]), Image.Resampling.BILINEAR, box=box)
    scene = _details(np.asarray(image, dtype=np.float32))
    cut = [round(MARGIN * side) for side in picture.shape]
    core = picture[cut[0] : rows - cut[0], cut[1] : columns - cut[1]]
    if core.shape[0] > scene.shape[0] or core.shape[1] > scene.shape[1]:
        return replace(candidate, likeness=-1.0)
    fit = _correlation(scene, core)
    row, column = np.unravel_index(fit.argmax(), fit.shape)
    likeness = float(fit[row, column])
    fit[max(0, row - NEAR) : row + NEAR + 1, max(0, column - NEAR) : column + NEAR + 1] = -1
    place = (
        low[0] + (float(row) - cut[0]) / full[0],
        low[1] + (float(column) - cut[1]) / full[1],
        height * zoom,
        width * zoom,
    )
    return replace(candidate, window=place, likeness=likeness, rival=float(fit.max()))


def _details(image: Array) -> Array:
    return image - gaussian_filter(image, 2.0)


def _correlation(scene: Array, core: Array) -> Array:
    """Returns the normalised correlation of ``core`` with every window of its size in ``scene``."""
    core = core - core.mean()
    rows, columns = (a - b + 1 for a, b in zip(scene.shape, core.shape, strict=True))
    shape = [next_fast_len(side, real=True) for side in scene.shape]
    product = irfft2(rfft2(scene, shape) * np.conj(rfft2(core, shape)), shape)[:rows, :columns]
    energy = []
    for values in (scene, scene * scene):
        total = np.pad(values, ((1, 0), (1, 0))).cumsum(0, dtype=np.float64).cumsum(1)
        h, w = core.shape
        energy.append(total[h:, w:] - total[:-h, w:] - total[h:, :-w] + total[:-h, :-w])
    spread = np.maximum(energy[1] - energy[0] ** 2 / core.size, 1e-3)
    return product / np.sqrt(spread * max(float((core * core).sum()), 1e-3))
