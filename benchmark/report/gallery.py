"""The pictures that the page shows: one image of every data set, at every level, for every series."""

from __future__ import annotations

import base64
import hashlib
import io
import math
from typing import TYPE_CHECKING, Any

from benchmark.metrics.records import METRICS
from benchmark.report import words
from benchmark.report.curves import series_of
from benchmark.report.series import Series, labels, ordered
from benchmark.report.strip import captions, most_detailed, read, shown
from benchmark.report.ticks import along, strokes
from benchmark.results import CLEAN, INPUT, MAP, TARGET, Results

if TYPE_CHECKING:
    import pandas as pd
    from PIL import Image

    from benchmark.tasks import Task

LIMIT = 9 << 20
"""Bytes that all pictures of a page may have together; they grow by a third inside it."""
STEP = 24
"""Windows start and end at multiples of this, so that they fit smaller inputs too."""
ATTEMPTS = 6

Pictures = dict[tuple[Series, str], "Image.Image"]


def gallery(
    results: Results, task: Task, long: pd.DataFrame, every: list[Series], limit: int = LIMIT
) -> dict[str, Any]:
    """Returns the pictures as JSON takes them.

    They are lossless. Where they are too many, the same window is cut out of all pictures of a data set.

    Args:
        results: The results of one task.
        task: The task.
        long: Output of ``averages.means``.
        every: The series, in the order of the curves.
        limit: Bytes that all pictures may have together.

    Returns:
        ``files`` (each picture once, base64), and per data set of the curves ``image``, ``note``,
        ``shape``, and ``shown``: name, series (or None), and file and caption at every level.
    """
    lines = strokes(long["level"].unique(), along(task)) if len(long) else []
    levels = [level for part in lines for level in part]
    found = {}
    for dataset in sorted(results.pictures["dataset"].unique()):
        chosen = shown(results.pictures[results.pictures["dataset"] == dataset])
        images = {key: image for key, path in chosen.paths.items() if (image := read(path))}
        if images:
            found[dataset] = (chosen, images)
    windows, blobs = _fitted({name: images for name, (_, images) in found.items()}, limit)
    files: dict[str, int] = {}
    stored: list[str] = []

    def number(blob: bytes) -> int:
        key = hashlib.sha256(blob).hexdigest()
        if key not in files:
            files[key] = len(stored)
            stored.append(base64.b64encode(blob).decode())
        return files[key]

    sets = []
    for dataset in long["dataset"].unique() if len(long) else ():
        if dataset not in found:
            sets.append(None)
            continue
        chosen, images = found[dataset]
        own = blobs[dataset]
        drawn = series_of(long[long["dataset"] == dataset])
        texts, meaning = captions(results, task, chosen)
        headline = METRICS[task.headline]
        unit = headline.unit if headline.label in meaning else ""
        width, height = windows[dataset][2:]
        lines = []
        for one, name in _names(images).items():
            constant = one.method == CLEAN
            keys = [(one, "" if constant else level) for level in levels]
            lines.append(
                {
                    "name": name,
                    "series": every.index(one) if one in drawn else None,
                    "files": [number(own[key]) if key in own else None for key in keys],
                    "captions": [_with_unit(texts.get(key, ""), unit) for key in keys],
                }
            )
        sets.append(
            {
                "image": chosen.image,
                "shape": [width, height],
                "note": _note(_whole(images).size, (width, height), meaning),
                "shown": lines,
            }
        )
    return {"files": stored, "sets": sets}


def _names(images: Pictures) -> dict[Series, str]:
    """Returns what can be chosen: input, clean image and target, then the series in table order."""
    every = list(dict.fromkeys(one for one, _ in images))
    first = {
        one: one.method
        for name in (INPUT, CLEAN, TARGET, MAP)
        for one in every
        if one.method == name
    }
    return first | labels(ordered(one for one in every if one not in first))


def _with_unit(caption: str, unit: str) -> str:
    """Returns a caption whose first value, which is the headline's, has its unit."""
    first, dot, rest = caption.partition(" · ")
    return f"{first} {unit}{dot}{rest}" if unit and first not in ("", words.NULL) else caption


def _note(size: tuple[int, int], window: tuple[int, int], meaning: str) -> str:
    texts = ["Pictures are lossless."]
    if window != size:
        texts = [
            f"Pictures are lossless crops of {window[0]} x {window[1]} pixels of an image of "
            f"{size[0]} x {size[1]}, to keep this page small."
        ]
    if meaning:
        texts.append(meaning.replace("Below each crop", "Beside each name"))
    return " ".join(texts)


def _whole(images: Pictures) -> Image.Image:
    clean = next((image for (one, _), image in images.items() if one.method == CLEAN), None)
    return clean or next(iter(images.values()))


def _fitted(
    sets: dict[str, Pictures], limit: int
) -> tuple[dict[str, tuple[int, int, int, int]], dict[str, dict[tuple[Series, str], bytes]]]:
    """Returns windows (left, top, width, height) and files, which stay below the limit together."""
    share = 1.0
    windows: dict[str, tuple[int, int, int, int]] = {}
    blobs: dict[str, dict[tuple[Series, str], bytes]] = {}
    for _ in range(ATTEMPTS):
        windows = {name: _window(_whole(images), share) for name, images in sets.items()}
        blobs = {
            name: {
                key: _encoded(_cut(image, _whole(images).size, windows[name]))
                for key, image in images.items()
            }
            for name, images in sets.items()
        }
        total = sum({blob: len(blob) for own in blobs.values() for blob in own.values()}.values())
        if total <= limit:
            break
        # Windows are chosen for their detail, so they take more bytes than their share of pixels.
        share *= 0.95 * limit / total
    return windows, blobs


def _window(image: Image.Image, share: float) -> tuple[int, int, int, int]:
    """Returns the most detailed window with a share of the pixels."""
    import numpy as np

    if share >= 1:
        return 0, 0, *image.size
    width, height = (_steps(side * math.sqrt(share)) for side in image.size)
    top, left = most_detailed(np.asarray(image), max(width, height))
    left, top = min(left, image.width - width), min(top, image.height - height)
    return max(0, left // STEP * STEP), max(0, top // STEP * STEP), width, height


def _steps(side: float) -> int:
    return max(STEP, int(side) // STEP * STEP)


def _cut(
    image: Image.Image, whole: tuple[int, int], window: tuple[int, int, int, int]
) -> Image.Image:
    left, top, width, height = window
    if (width, height) == whole:
        return image
    across, down = image.width / whole[0], image.height / whole[1]
    box = (left * across, top * down, (left + width) * across, (top + height) * down)
    return image.crop(tuple(round(value) for value in box))


def _encoded(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", lossless=True, quality=0, method=2)
    return buffer.getvalue()
