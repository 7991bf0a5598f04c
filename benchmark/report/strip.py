"""The picture strip: one crop of one image, levels across and methods down."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.control import level_key
from benchmark.metrics.records import METRICS
from benchmark.report import words
from benchmark.report.averages import matched
from benchmark.report.series import Series, labels, ordered
from benchmark.results import CLEAN, INPUT, MAP, TARGET, Results, as_texts

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from PIL import Image
    from PIL.ImageFont import FreeTypeFont

    from benchmark.tasks import Task

WINDOW = 56
"""Side of the crop in pixels of the clean image."""
ZOOM = 3
TILE = WINDOW * ZOOM
GAP = 6
TEXT = 13
CAPTION = 18
"""Height of the line of numbers under a tile."""
INK = (25, 25, 25)
FAINT = (110, 110, 110)
EMPTY = (232, 232, 232)
SHADE = (225, 40, 40)
APART = (INPUT, CLEAN, TARGET, MAP)
"""What is shown that no method made."""
ACROSS = 11
"""Levels that a strip shows at most."""
LIES = "where the crop lies"
NO_PICTURES = "No pictures are stored for these results."


@dataclass(frozen=True)
class Tile:
    """A crop (or None) with the numbers below it."""

    crop: Image.Image | None
    caption: str = ""


@dataclass(frozen=True)
class Strip:
    """What is drawn: above the lines of tiles, the clean image and what does not vary with levels.

    Args:
        title: Task and image.
        clean: The whole clean image, or None.
        box: The window in it: left, top, right, bottom.
        above: Captioned crops.
        levels: Level texts, left to right.
        lines: A name and its tiles by level, top to bottom.
        footer: What the captions mean.
    """

    title: str
    clean: Image.Image | None
    box: tuple[int, int, int, int]
    above: tuple[Tile, ...]
    levels: tuple[str, ...]
    lines: tuple[tuple[str, tuple[Tile, ...]], ...]
    footer: str


def strip(results: Results, task: Task) -> bytes:
    """Returns the strip as PNG bytes, the same crop for all: the window with most detail."""
    content = _content(results, task)
    image = _drawn(content, task) if content else _note(NO_PICTURES)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=False)
    return buffer.getvalue()


def most_detailed(image: np.ndarray, side: int) -> tuple[int, int]:
    """Returns (top, left) of the window with the largest mean gradient.

    Args:
        image: (H, W, 3), any numeric type.
        side: Side of the window; cut to the image.
    """
    import numpy as np

    gray = image.astype(np.float64).mean(axis=2)
    detail = np.zeros_like(gray)
    detail[:, 1:] += np.abs(np.diff(gray, axis=1))
    detail[1:, :] += np.abs(np.diff(gray, axis=0))
    sums = np.pad(detail, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    down, across = min(side, gray.shape[0]), min(side, gray.shape[1])
    total = (
        sums[down:, across:]
        - sums[:-down, across:]
        - sums[down:, :-across]
        + sums[:-down, :-across]
    )
    top, left = np.unravel_index(int(total.round(6).argmax()), total.shape)
    return int(top), int(left)


@dataclass(frozen=True)
class Shown:
    """The pictures of one image: path by series and level, and the seed each series is shown of."""

    dataset: str
    image: str
    paths: dict[tuple[Series, str], str]
    seeds: dict[Series, object]


def shown(pictures: pd.DataFrame) -> Shown:
    """Chooses the first image of the first data set, and the first seed of every series."""
    keys = ["dataset", "image", "method", "backbone", "preset", "level"]
    pictures = pictures.assign(**{key: as_texts(pictures[key]) for key in keys}).sort_values(
        [*keys, "seed"], kind="stable"
    )
    dataset, image = pictures[["dataset", "image"]].iloc[0]
    pictures = pictures.loc[(pictures["dataset"] == dataset) & (pictures["image"] == image)]
    paths: dict[tuple[Series, str], str] = {}
    seeds: dict[Series, object] = {}
    columns = ["method", "backbone", "preset", "level", "seed", "path"]
    for *key, level, seed, path in pictures[columns].itertuples(index=False, name=None):
        one = Series(key[0], "", "") if key[0] in APART else Series(*key)
        if seeds.setdefault(one, seed) == seed:
            paths.setdefault((one, level), path)
    return Shown(dataset, image, paths, seeds)


def _content(results: Results, task: Task) -> Strip | None:
    if results.pictures.empty:
        return None
    chosen = shown(results.pictures)
    images = {key: image for key, path in chosen.paths.items() if (image := read(path))}
    if not images:
        return None
    clean = next((image for (one, _), image in images.items() if one.method == CLEAN), None)
    whole = clean or next(iter(images.values()))
    box = _box(whole)
    crops = {key: _crop(image, whole.size, box) for key, image in images.items()}
    given = [crop for (one, _), crop in crops.items() if one.method == INPUT]
    constant = len({crop.tobytes() for crop in given}) == 1
    above = [Tile(_crop(clean, clean.size, box), CLEAN)] if clean else []
    if constant and not (above and above[0].crop.tobytes() == given[0].tobytes()):
        above.append(Tile(given[0], INPUT))
    contestants = ordered(one for one, _ in chosen.paths if one.method not in APART)
    names = {Series(INPUT, "", ""): INPUT} if given and not constant else {}
    names |= {one: one.method for one, _ in crops if one.method in (MAP, TARGET)}
    names |= labels(contestants)
    levels = few({level for one, level in chosen.paths if one.method != CLEAN}, task)
    scores, footer = captions(results, task, chosen)
    lines = tuple(
        (name, tuple(Tile(crops.get((one, at)), scores.get((one, at), "")) for at in levels))
        for one, name in names.items()
    )
    return Strip(
        title=f"{task.name}: {words.image_name(task, chosen.image)} of {chosen.dataset}",
        clean=clean,
        box=box,
        above=tuple(above),
        levels=tuple(levels),
        lines=lines,
        footer=footer,
    )


def few(levels: Iterable[str], task: Task) -> list[str]:
    """Returns the levels in order; of more than fit, some: those of every name at half of the dials
    that are amounts, or those at ends and middles of all dials."""
    every = sorted(levels, key=level_key)
    if len(every) <= ACROSS:
        return every
    if task.space.d == 1:
        step = (len(every) - 1) / (ACROSS - 1)
        return [every[round(at * step)] for at in range(ACROSS)]
    amounts = [at for at, axis in enumerate(task.space.axes) if not axis.names]
    named = [one for one in every if all(level_key(one)[at] == 0.5 for at in amounts)]
    halves = [one for one in every if set(level_key(one)) <= {0.0, 0.5, 1.0}]
    ends = [one for one in halves if 0.5 not in level_key(one) or set(level_key(one)) == {0.5}]
    chosen = (named,) if len(amounts) < task.space.d else (halves, ends)
    return next((part for part in chosen if 0 < len(part) <= ACROSS), every[:ACROSS])


def captions(
    results: Results, task: Task, shown: Shown
) -> tuple[dict[tuple[Series, str], str], str]:
    """Returns captions by series and level, and what they mean: the headline, and LPIPS if known."""
    rows = matched(results)
    rows = rows[(rows["dataset"] == shown.dataset) & (rows["image"] == shown.image)]
    rows = rows[rows["status"] == "ok"]
    columns = ["metric", "method", "backbone", "preset", "level", "seed", "value"]
    values = {
        (metric, Series(*key), level): float(value)
        for metric, *key, level, seed, value in rows[columns].itertuples(index=False)
        if shown.seeds.get(Series(*key)) == seed
    }
    wanted = [task.headline, *(one for one in task.metrics if one.startswith("lpips"))]
    known = [metric for metric in wanted if any(key[0] == metric for key in values)]
    texts = {
        (one, level): " · ".join(
            words.number(values.get((metric, one, level), math.nan), METRICS[metric].digits)
            for metric in known
        )
        for _, one, level in values
    }
    meaning = " · ".join(METRICS[metric].label for metric in known)
    return texts, f"Below each crop: {meaning} of the whole image." if known else ""


def read(path: str) -> Image.Image | None:
    """Returns a stored picture, or None if it cannot be read."""
    from PIL import Image

    try:
        with Image.open(Path(path)) as file:
            return file.convert("RGB")
    except OSError:
        return None


def _box(image: Image.Image) -> tuple[int, int, int, int]:
    import numpy as np

    top, left = most_detailed(np.asarray(image), WINDOW)
    return left, top, min(left + WINDOW, image.width), min(top + WINDOW, image.height)


def _crop(image: Image.Image, size: tuple[int, int], box: tuple[int, int, int, int]) -> Image.Image:
    """Returns the window, enlarged without smoothing; a smaller input is enlarged to match."""
    from PIL import Image

    if image.size != size:
        image = image.resize(size, Image.Resampling.NEAREST)
    return image.crop(box).resize(
        ((box[2] - box[0]) * ZOOM, (box[3] - box[1]) * ZOOM), Image.Resampling.NEAREST
    )


def _font(size: int) -> FreeTypeFont:
    """The font that matplotlib brings along: the same on every machine."""
    import matplotlib
    from PIL import ImageFont

    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf", size)


def _note(text: str) -> Image.Image:
    from PIL import Image, ImageDraw

    font = _font(TEXT)
    canvas = Image.new("RGB", (math.ceil(font.getlength(text)) + 40, 60), "white")
    ImageDraw.Draw(canvas).text((20, 30), text, INK, font, anchor="lm")
    return canvas


def _drawn(content: Strip, task: Task) -> Image.Image:
    from PIL import Image, ImageDraw

    font, small = _font(TEXT), _font(11)
    headings = [words.level_name(task, level) for level in content.levels]
    width_of = max(
        [TILE]
        + [math.ceil(font.getlength(text)) for text in headings]
        + [math.ceil(small.getlength(t.caption)) for _, line in content.lines for t in line]
    )
    left = max((math.ceil(font.getlength(name)) for name, _ in content.lines), default=0) + 3 * GAP
    across = max(len(content.levels), 1)
    top = TEXT + 3 * GAP
    band = TILE + CAPTION + GAP if content.above else 0
    overview = _overview(content.clean, content.box) if content.clean else None
    room = max(overview.width, math.ceil(small.getlength(LIES))) if overview else 0
    grid = top + band + TEXT + 2 * GAP
    step = TILE + CAPTION + GAP
    width = max(
        left + across * (width_of + GAP),
        math.ceil(font.getlength(content.title)) + 2 * GAP,
        math.ceil(small.getlength(content.footer)) + 2 * GAP,
        left + len(content.above) * (TILE + GAP) + room + GAP,
    )
    height = grid + step * len(content.lines) + TEXT + 2 * GAP
    canvas = Image.new("RGB", (width, height), "white")
    pen = ImageDraw.Draw(canvas)
    pen.text((GAP, GAP), content.title, INK, font)
    x = left
    for tile in content.above:
        _place(canvas, tile, x, top, small)
        x += TILE + GAP
    if overview:
        canvas.paste(overview, (x, top))
        pen.text((x + room // 2, top + TILE + 3), LIES, FAINT, small, anchor="ma")
    for at, text in enumerate(headings):
        middle = left + at * (width_of + GAP) + TILE // 2
        pen.text((middle, grid - GAP), text, INK, font, anchor="ms")
    for down, (name, tiles) in enumerate(content.lines):
        y = grid + down * step
        pen.text((left - 2 * GAP, y + TILE // 2), name, INK, font, anchor="rm")
        for at, tile in enumerate(tiles):
            _place(canvas, tile, left + at * (width_of + GAP), y, small)
    pen.text((GAP, height - GAP), content.footer, FAINT, small, anchor="ls")
    return canvas


def _place(canvas: Image.Image, tile: Tile, x: int, y: int, font: FreeTypeFont) -> None:
    from PIL import ImageDraw

    pen = ImageDraw.Draw(canvas)
    if tile.crop is None:
        pen.rectangle((x, y, x + TILE - 1, y + TILE - 1), EMPTY)
        pen.text((x + TILE // 2, y + TILE // 2), "no picture", FAINT, font, anchor="mm")
    else:
        canvas.paste(tile.crop, (x, y))
    pen.text((x + TILE // 2, y + TILE + 3), tile.caption, FAINT, font, anchor="ma")


def _overview(clean: Image.Image, box: tuple[int, int, int, int]) -> Image.Image:
    """Returns the whole clean image at a tile's height, with the window marked."""
    from PIL import Image, ImageDraw

    scale = TILE / clean.height
    image = clean.resize((max(round(clean.width * scale), 1), TILE), Image.Resampling.LANCZOS)
    ImageDraw.Draw(image).rectangle([round(value * scale) for value in box], outline=SHADE, width=2)
    return image
