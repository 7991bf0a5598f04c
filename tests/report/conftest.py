"""Synthetic results, as the store would collect them."""

from __future__ import annotations

import itertools
import math
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark import tasks
from benchmark.control import level_text, parse_level
from benchmark.errors import Failure
from benchmark.results import CLEAN, INPUT, Results

EIGHT = ("decouple", "dni", "adafm", "cfsnet", "dynamic_net", "ftn", "tunable_conv", "hypernet")
EXPERTS = ("0", "0.5", "1")
UNAVAILABLE = "weights were not found; set DIALBENCH_WEIGHTS or run without --offline"
START = {"psnr": 28.4, "ssim": 0.812, "lpips": 0.292, "niqe": 6.1, "colour": 1.5}
SLOPE = {"psnr": -0.8, "ssim": -0.03, "lpips": -0.03, "niqe": -1.2, "colour": 0.3}


def noise(*key: object) -> float:
    """A number in [-1, 1] that depends on the key alone."""
    return zlib.crc32(repr(key).encode()) / 2**31 - 1


def score(task: str, method: str, seed: int, level: float, image: str, metric: str) -> float:
    """A believable number: a trade-off on sr, a fall with the level on denoise."""
    kind = metric.partition("-")[0].partition("@")[0]
    if method == "floor":
        level, bonus = (0.0, -0.7) if task == "sr" else (level, -9.0)
    else:
        bonus = 0.3 * noise(method) - 0.6 * level * (1 - level) * abs(noise(method, "bend"))
    slope = (
        SLOPE[kind]
        if task == "sr"
        else {"psnr": -7.0, "ssim": -0.3, "lpips": 0.2, "niqe": 1.0, "colour": 0.8}[kind]
    )
    unit = {"psnr": 1.0, "ssim": 0.03, "lpips": -0.04, "niqe": -0.8, "colour": -0.2}[kind]
    spread = 0.04 * noise(method, seed, level) + 0.4 * noise(image)
    return START[kind] + slope * level + unit * (bonus + spread)


def lost(method: str, level: float, dial: float) -> float:
    """PSNR that a wrong dial costs: more towards the weak end, least a little off the level."""
    if level == dial:
        return 0.0
    best = level + 0.15 * noise(method, "best") * level
    return (14 if dial < best else 6) * ((dial - best) ** 2 - (level - best) ** 2)


@pytest.fixture(scope="session")
def builder():
    """Returns ``build``, for fixtures that make results once."""
    return build


@pytest.fixture
def make(tmp_path):
    """Returns a builder of results; see ``build``."""

    calls = itertools.count()

    def make(task: str = "sr", **options) -> tuple[Results, object]:
        folder = tmp_path / f"pictures{next(calls)}"
        return build(folder, task, **options), tasks.get(task)

    return make


def build(
    folder: Path,
    task: str = "sr",
    methods: Sequence[str] = (*EIGHT, "blend", "experts", "floor"),
    levels: Sequence[str] = ("0", "0.25", "0.5", "0.75", "1"),
    datasets: Sequence[str] = ("set5",),
    images: Sequence[str] = ("a", "b"),
    seeds: Sequence[int] = (0,),
    backbones: Sequence[str] = ("small",),
    null: Sequence[str] = (),
    pictures: bool = True,
    timed: bool = True,
    failures: Sequence[Failure] = (),
    matrix: bool = False,
) -> Results:
    """Returns results; metrics whose id starts with a text of ``null`` are unavailable.

    With a matrix, the dial of every method but the experts is also set to every other level.
    """
    judged = tasks.get(task)
    runs = [(m, b, s) for m in methods for b in backbones for s in seeds]
    rows, costs, shown = [], [], []
    for method, backbone, seed in runs:
        costs.append(
            {
                "method": method,
                "backbone": backbone,
                "preset": "laptop",
                "seed": seed,
                "folds": method != "cfsnet",
                "params_stored": 0
                if method == "floor"
                else 152_288 * (2 if method == "dni" else 1),
                "params_folded": 0 if method == "floor" else 152_288,
                "macs": 0 if method == "floor" else 623_902_720,
                "ms_per_image": 40.0 + abs(noise(method)) if timed else math.nan,
                "switch_ms": 1.25 if timed and method not in ("experts", "floor") else math.nan,
                "train_steps": 0 if method == "floor" else 800,
            }
        )
        for dataset in datasets:
            for level in levels:
                if method == "experts" and level not in EXPERTS:
                    continue
                dials = levels if matrix and method != "experts" else [level]
                for dial, image in itertools.product(dials, images):
                    for metric in judged.metrics_at(level, dial):
                        missing = metric.startswith(tuple(null))
                        value = score(
                            task, method, seed, parse_level(level)[0], dataset + image, metric
                        )
                        value -= lost(method, parse_level(level)[0], parse_level(dial)[0])
                        rows.append(
                            {
                                "schema": 1,
                                "task": task,
                                "task_digest": "t" * 8,
                                "protocol": judged.protocol.id,
                                "dataset": dataset,
                                "image": image,
                                "method": method,
                                "method_digest": "m" * 8,
                                "backbone": backbone,
                                "preset": "laptop",
                                "seed": seed,
                                "level": level,
                                "level_physical": level_text(
                                    judged.space.physical(parse_level(level))
                                ),
                                "set_level": dial,
                                "metric": metric,
                                "value": math.nan if missing else value,
                                "status": "unavailable" if missing else "ok",
                                "reason": UNAVAILABLE if missing else "",
                                "weights_sha256": "w" * 8,
                                "torch": "2.14.1",
                                "device": "cpu",
                                "harness_version": "0.1.0",
                                "created_utc": "2026-11-20T00:00:00Z",
                            }
                        )
    if pictures:
        shown = paint(folder, judged, runs, levels, datasets, images[0])
    return Results.of(rows, costs, shown, failures)


def paint(folder, judged, runs, levels, datasets, image) -> list[dict]:
    """Draws a scene, a degraded input and one restored picture per run and level."""
    folder.mkdir(parents=True, exist_ok=True)
    y, x = np.mgrid[0:120, 0:160].astype(float)
    scene = 128 + 60 * np.sin(x / 18) + 40 * np.cos(y / 11)
    scene += 60 * np.sin(x * y / 60) * (np.hypot(x - 110, y - 70) < 35)
    clean = np.stack([scene, 0.8 * scene + 20, 0.6 * scene + 50], axis=2)
    found = []

    def add(method, backbone, seed, dataset, level, pixels):
        path = folder / f"{len(found)}.png"
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path)
        found.append(
            {
                "method": method,
                "backbone": backbone,
                "preset": "laptop" if backbone else "",
                "seed": seed,
                "dataset": dataset,
                "image": image,
                "level": level,
                "path": str(path),
            }
        )

    for dataset in datasets:
        add(CLEAN, "", 0, dataset, "", clean)
        for level in levels:
            small = clean[:: judged.scale, :: judged.scale]
            add(
                INPUT,
                "",
                0,
                dataset,
                level,
                small + 10 * parse_level(level)[0] * (judged.kind == "degradation"),
            )
        for method, backbone, seed in runs:
            for level in levels:
                if method == "experts" and level not in EXPERTS:
                    continue
                rng = np.random.default_rng(zlib.crc32(repr((method, level)).encode()))
                add(method, backbone, seed, dataset, level, clean + rng.normal(0, 12, clean.shape))
    return found
