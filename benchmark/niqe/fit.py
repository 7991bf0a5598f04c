"""Fits the model of ``niqe@dialbench-bsds``: ``python -m benchmark.niqe.fit``.

As in the authors' ``estimatemodelparam``: of every photograph, the blocks whose sharpness (mean local
deviation) is above 0.75 of its sharpest block are kept, and one Gaussian is fitted to the features
of all of them. The photographs are the 200 of BSDS500's training part (Arbelaez et al. 2011), found
as the training set ``bsds500-train``; their ``val`` part, which holds CBSD68 and BSD100, is not used.
"""

from __future__ import annotations

import json
import sys

import numpy as np

from benchmark.data.sources import ImageSet, open_set
from benchmark.metrics import niqe

SET = "bsds500-train"
SHARP = 0.75
DIGITS = 10


def fit(images: ImageSet) -> dict:
    """Returns the model of a set of photographs with its provenance, as plain data."""
    kept = []
    for picture in images.pictures:
        pixels = picture.read().transpose(2, 0, 1) / 255
        found, sharpness = niqe.features(niqe.luma(pixels))
        kept.append(found[sharpness > SHARP * sharpness.max()])
    blocks = np.concatenate(kept)
    blocks = blocks[np.isfinite(blocks).all(axis=1)]
    covariance = np.cov(blocks, rowvar=False)
    return {
        "metric": "niqe@dialbench-bsds",
        "photographs": f"BSDS500 train, {len(images.pictures)} images, set digest {images.digest}",
        "blocks": f"{len(blocks)} of {niqe.BLOCK}x{niqe.BLOCK}, sharpness above {SHARP} of the sharpest",
        "command": f"python -m benchmark.niqe.fit {images.name}",
        "mean": _rounded(blocks.mean(axis=0)),
        "covariance": [_rounded(row[: index + 1]) for index, row in enumerate(covariance)],
    }


def main() -> None:
    """Fits on the set named on the command line, or ``SET``, and writes the model file."""
    content = fit(open_set(sys.argv[1] if len(sys.argv) > 1 else SET, "train"))
    lines = [f"  {json.dumps(key)}: {_text(value)}" for key, value in content.items()]
    niqe.MODEL.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    print(f"{niqe.MODEL.name}: {content['blocks']}")
    print(f"set MODEL_SHA256 in niqe.py to {niqe.fingerprint(content)}")


def _rounded(values: np.ndarray) -> list[float]:
    return [float(f"{value:.{DIGITS}g}") for value in values]


def _text(value: object) -> str:
    """Returns JSON with one line for each row of a matrix."""
    if isinstance(value, list) and isinstance(value[0], list):
        return "[\n    " + ",\n    ".join(map(json.dumps, value)) + "\n  ]"
    return json.dumps(value)


if __name__ == "__main__":
    main()
