"""Which images of an entry are computed again, and at which levels."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

from benchmark.leaderboard.entry import Entry

DRAWN = 24
"""Pairs of an image and a level that the fast mode computes again; more where there are more levels, or
more test sets times seeds: none of them may go unseen."""


Image = tuple[int, str, int]
"""Seed, test set, and which of its pictures."""


class Part(NamedTuple):
    """Pictures of one test set under one seed, in whatever cases a task has of them."""

    seed: int
    dataset: str
    pictures: tuple[int, ...]


def drawn(one: Entry, mode: str, draw: int) -> list[tuple[Part, tuple[str, ...]]]:
    """Returns which images of an entry are computed again, and at which levels.

    In the fast mode every level is drawn as often as any other, and so is every image, so that few of
    either cannot hide; and every test set, which has a table of its own, under every seed. With the
    level x dial matrix each pair gets a second level, to be its dial.
    """
    layout, cases = one.layout, len(one.task.cases)
    every = [
        (seed, name, at)
        for seed in layout.seeds
        for name, images in layout.sets
        for at in range(len(images) // cases)
    ]
    wanted = {image: set(layout.levels) for image in every}
    count = max(DRAWN, len(layout.levels), len(layout.seeds) * len(layout.sets))
    if mode != "exact" and len(every) * len(layout.levels) > count:
        wanted = _pairs(every, layout.levels, count, random.Random(draw))
        if one.facts["crossed"] and len(layout.levels) > 1:
            dice = random.Random(draw + 1)
            for own in wanted.values():
                # In order: a set's own order is another one in every process.
                for level in sorted(own):
                    own.add(dice.choice([dial for dial in layout.levels if dial != level]))
    groups: dict[tuple, list[int]] = {}
    for (seed, name, at), chosen in wanted.items():
        if chosen:
            own = tuple(level for level in layout.levels if level in chosen)
            groups.setdefault((seed, name, own), []).append(at)
    return [(Part(seed, name, tuple(at)), own) for (seed, name, own), at in groups.items()]


def _pairs(
    images: Sequence[Image], levels: Sequence[str], count: int, dice: random.Random
) -> dict[Image, set[str]]:
    """Returns ``count`` different pairs: the levels of every image, spread evenly over both."""
    wanted: dict[Image, set[str]] = {image: set() for image in images}
    times = dict.fromkeys(levels, 0)
    order = dice.sample(list(images), len(images))
    # Beside hundreds of images the five of a small set would often be left out.
    firsts = {(seed, name): (seed, name, at) for seed, name, at in reversed(order)}
    order.sort(key=lambda one: firsts[one[:2]] != one)
    for at in range(count):
        image = order[at % len(order)]
        free = [level for level in levels if level not in wanted[image]]
        level = min(free, key=lambda one: (times[one], dice.random()))
        wanted[image].add(level)
        times[level] += 1
    return wanted
