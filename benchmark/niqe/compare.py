"""How two metrics rank the same images: ``python -m benchmark.niqe.compare ID ID SET ...``.

Prints tables in Markdown: every image of the named test sets, degraded in a dozen ways, scored by
both. With ``--store`` also the pictures that the sweeps in the store kept: outputs of all methods
at all levels. ``docs/niqe.md`` is made of them.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from scipy.stats import spearmanr
from torch import Tensor

from benchmark.amount import amount
from benchmark.data.patches import to_tensor
from benchmark.data.pictures import Picture
from benchmark.data.sources import open_set
from benchmark.degradations import degrade, generator
from benchmark.errors import UserError
from benchmark.metrics import records
from benchmark.metrics.protocol import PROTOCOLS
from benchmark.metrics.scorer import Scorer
from benchmark.records import read_json
from benchmark.store import Store

NOISE, BLUR, QUALITY, SCALES = (10, 25, 50), (0.8, 1.5, 2.5), (40, 20, 10), (2, 4)
KINDS = (
    *(f"noise {sigma}" for sigma in NOISE),
    *(f"blur {sigma:g}" for sigma in BLUR),
    *(f"jpeg {quality}" for quality in QUALITY),
    *(f"bicubic x{scale}" for scale in SCALES),
)


def versions(picture: Picture) -> Iterator[tuple[Tensor, Tensor]]:
    """Yields (degraded, clean), 8-bit RGB (3, H, W), in the order of ``KINDS``."""
    clean = to_tensor(picture.read())
    clean = clean[:, : clean.shape[1] // 4 * 4, : clean.shape[2] // 4 * 4]
    for sigma in NOISE:
        noise = generator("compare", picture.name)
        yield degrade("gaussian_noise", clean, (sigma,), noise), clean
    for sigma in BLUR:
        yield torch.from_numpy(gaussian_filter(clean.numpy(), (0, sigma, sigma))), clean
    for quality in QUALITY:
        yield degrade("jpeg", clean, (quality,), generator("none")), clean
    for scale in SCALES:
        low = degrade(f"bicubic_x{scale}", clean, (), generator("none"))
        large = torch.nn.functional.interpolate(low[None], clean.shape[1:], mode="bicubic")
        yield large[0], clean


def outputs(store: Store) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Yields (task, restored, clean) of every picture that the sweeps of a store kept."""
    for path in sorted((store.home / "cells").glob("*/*.json")):
        cell = read_json(path) or {}
        names = cell.get("pictures") or {}
        if {"restored", "clean"} <= names.keys():
            restored, clean = (
                to_tensor(Picture(one, path.parent / names[one]).read())
                for one in ("restored", "clean")
            )
            yield path.parent.name, restored, clean


def of_set(name: str, scorer: Scorer, ids: tuple[str, str]) -> list[str]:
    """Returns the tables of one test set."""
    images = open_set(name, "test")
    found = [
        [scorer.score(restored, clean) for restored, clean in versions(picture)]
        for picture in images.pictures
    ]
    one, two = (
        np.array([[scores[metric].value for scores in row] for row in found], dtype=float)
        for metric in ids
    )
    within = [spearmanr(a, b).statistic for a, b in zip(one, two, strict=True)]
    lines = [
        f"## {images.name}: {amount(len(one), 'image')}, {amount(one.size, 'version')}",
        "",
        "| ranks by both | Spearman |",
        "|---|---|",
        f"| all versions of all images | {_rank(one, two):.3f} |",
        f"| versions of one image, mean (lowest) | {np.mean(within):.3f} ({min(within):.3f}) |",
        f"| means over the set, by version | {_rank(one.mean(0), two.mean(0)):.3f} |",
        "",
        f"| version | mean `{ids[0]}` | mean `{ids[1]}` | Spearman over images |",
        "|---|---|---|---|",
    ]
    for index, kind in enumerate(KINDS):
        a, b = one[:, index], two[:, index]
        lines.append(f"| {kind} | {a.mean():.3f} | {b.mean():.3f} | {_rank(a, b):.3f} |")
    return lines


def of_store(store: Store, scorer: Scorer, ids: tuple[str, str]) -> list[str]:
    """Returns the table of the methods' own outputs, one line per task."""
    values: dict[str, list[list[float]]] = {}
    for task, restored, clean in outputs(store):
        scores = scorer.score(restored, clean)
        if all(scores[one].status == "ok" for one in ids):
            values.setdefault(task, []).append([scores[one].value for one in ids])
    lines = ["## Outputs of the methods", "", "| task | pictures | Spearman |", "|---|---|---|"]
    for task, pairs in values.items():
        one, two = np.array(pairs, dtype=float).T
        lines.append(f"| {task} | {len(pairs)} | {_rank(one, two):.3f} |")
    return lines


def _rank(one: np.ndarray, two: np.ndarray) -> float:
    return float(spearmanr(one.ravel(), two.ravel(), nan_policy="omit").statistic)


def main() -> None:
    """Prints the tables of the command line's sets, and of the store if asked."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("ids", nargs=2, metavar="ID", choices=[*records.METRICS])
    options.add_argument("sets", nargs="*", metavar="SET")
    options.add_argument("--store", action="store_true")
    args = options.parse_args()
    ids = tuple(args.ids)
    scorer = Scorer(ids, PROTOCOLS["rgb"])
    for reason in scorer.unavailable().values():
        raise SystemExit(reason)
    try:
        for name in args.sets:
            print("\n".join([*of_set(name, scorer, ids), ""]))
        if args.store:
            print("\n".join(of_store(Store(), scorer, ids)))
    except UserError as error:
        options.error(str(error))


if __name__ == "__main__":
    main()
