"""``canary.json``: what one image looked like at every level, so that weights can be tried quickly.

Of the first image of the first set, restored with the first seed: a hash of its 8-bit pixels, for the
same machine again, and the means of 4 x 4 blocks, for any other machine within a tolerance.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from benchmark.leaderboard import schema
from benchmark.leaderboard.entry import IMAGE, SET, SHA, Entry
from benchmark.leaderboard.faults import Fault

if TYPE_CHECKING:
    import numpy as np

NAME = "canary.json"
SCHEMA = 1
BLOCKS = 4
"""Blocks along each side."""

_MEAN = schema.real(0, 255)
SHAPE = schema.record(
    {
        "schema": schema.choice(SCHEMA),
        "set": SET,
        "image": IMAGE,
        "seed": schema.whole(0, 2**63),
        "width": schema.whole(1, 100_000),
        "height": schema.whole(1, 100_000),
        "levels": schema.table(
            schema.text(r"[0-9./]{1,60}"),
            schema.record(
                {
                    "pixels_sha256": schema.text(SHA),
                    "blocks": schema.items(
                        schema.items(_MEAN, 3, 3), BLOCKS * BLOCKS, BLOCKS * BLOCKS
                    ),
                }
            ),
            200,
        ),
    }
)


def of_pixels(pixels: np.ndarray) -> dict[str, Any]:
    """Returns what is kept of an image (H, W, 3), uint8."""
    import numpy as np

    rows = np.array_split(pixels, BLOCKS, axis=0)
    blocks = [part for row in rows for part in np.array_split(row, BLOCKS, axis=1)]
    means = [
        [round(float(value), 3) for value in part.mean(axis=(0, 1), dtype=np.float64)]
        if part.size
        else [0.0, 0.0, 0.0]
        for part in blocks
    ]
    return {"pixels_sha256": hashlib.sha256(pixels.tobytes()).hexdigest(), "blocks": means}


def parse(blob: bytes, entry: Entry) -> Mapping[str, Any]:
    """Returns the canary of an entry.

    Raises:
        Fault: If anything about it is wrong.
    """
    found = schema.parsed(blob, NAME)
    SHAPE(found, NAME)
    schema.canonical(blob, found, NAME)
    first = entry.facts["sets"][0]
    named = [first["name"], first["images"][0], entry.facts["seeds"][0]]
    if [found["set"], found["image"], found["seed"]] != named:
        raise Fault(f"{NAME}: must be of image {named[1]} of {named[0]} with seed {named[2]}")
    if set(found["levels"]) != set(entry.facts["levels"]):
        raise Fault(f"{NAME}: its levels are not those of the entry")
    return found
