"""Made-up entries, for tests and for timing: ``python -m benchmark.leaderboard.synthetic FOLDER``."""

from __future__ import annotations

import argparse
import hashlib
import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmark import tasks
from benchmark.control import level_text, parse_level
from benchmark.leaderboard import assemble, canary, card, entry, proof, schema
from benchmark.leaderboard.entry import Entry

POOL = 25
"""Different sets of rows among many made-up entries."""


def tensors(seed: int = 0, **extra: Any) -> bytes:
    """Returns a small safetensors file."""
    data = np.random.default_rng(seed).normal(size=12).astype("<f4").tobytes()
    about = {"body.0.weight": {"dtype": "F32", "shape": [3, 4], "data_offsets": [0, 48]}, **extra}
    header = json.dumps(about).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + data


def value_of(metric: str, quality: float, level: float, dial: float, image: str) -> float:
    """Returns a believable number."""
    hard = zlib.crc32(image.encode()) / 2**32
    if metric.startswith("psnr"):
        return 30 + quality - 4 * level + 3 * hard - 8 * (level - dial) ** 2
    if metric.startswith("lpips"):
        return 0.5 - 0.2 * level + 0.1 * hard - 0.01 * quality
    return 0.5 + 0.2 * level + 0.1 * hard


def make(
    task: str = "sr",
    method: str = "dni",
    quality: float = 0.0,
    levels: int = 3,
    images: int = 4,
    metrics: int | None = None,
    seeds: tuple[int, ...] = (0,),
    crossed: bool = False,
    status: str = "claimed",
    preset: str = "laptop",
    blobs: Mapping[int, bytes] | None = None,
    jitter: float = 0.02,
    **changes: Any,
) -> dict[str, bytes]:
    """Returns the files of a made-up entry by name.

    Args:
        task: Task name.
        method: Method specification.
        quality: Decibels above the ordinary.
        levels: Number of levels, evenly spaced.
        images: Number of test images.
        metrics: How many of the task's metrics it has; all by default.
        seeds: Its seeds.
        crossed: Whether the dial was also set wrong.
        status: Its status; ``verified.json`` is added where it needs one.
        preset: Its preset.
        blobs: Weights files by seed; small ones by default.
        jitter: How much values differ by chance, in decibels.
        changes: Facts to replace.
    """
    judged = tasks.get(task)
    # Every method has weights of its own, or boards would take them for one.
    own = zlib.crc32(f"{method}{preset}".encode())
    blobs = {seed: tensors(own + seed) for seed in seeds} if blobs is None else blobs
    sums = {seed: hashlib.sha256(blob).hexdigest() for seed, blob in blobs.items()}
    cases = [judged.case_text(case) for case in judged.cases]
    names = [f"img_{number:03d}{case}" for number in range(1, images + 1) for case in cases]
    ids = list(judged.metrics)[:metrics]
    facts: dict[str, Any] = {
        "schema": entry.SCHEMA,
        "task": task,
        "task_version": judged.version,
        "task_digest": "0" * 20,
        "protocol": judged.protocol.id,
        "method": method,
        "method_digest": "1" * 20,
        "paper": "1811.10515",
        "backbone": "small",
        "preset": preset,
        "seeds": list(seeds),
        "levels": [level_text((round(at / max(1, levels - 1), 6),)) for at in range(levels)],
        "crossed": crossed,
        "metrics": ids,
        "missing": dict.fromkeys(judged.metrics[len(ids) :], "left out"),
        "sets": [{"name": "made-up", "digest": "2" * 20, "images": names}],
        "training": [{"name": "made-up", "digest": "3" * 20, "images": 10}],
        "budget": {"steps": 900, "batch": 8, "patch": 48, "precision": "32-true"},
        "range": entry.ranges(judged.space),
        "cost": {
            "folds": True,
            "params_stored": 304576,
            "params_folded": 152288,
            "macs": 8814329856,
            "ms_per_image": 12.5,
            "switch_ms": None,
        },
        "weights": [
            {
                "seed": seed,
                "stage": "start",
                "sha256": sums[seed],
                "precision": "float32",
                "file": f"weights/start-{seed}.safetensors",
                "url": None,
                "bytes": len(blobs[seed]),
            }
            for seed in blobs
        ],
        "weights_sha256": {str(seed): sums.get(seed, "") for seed in seeds},
        "software": {"harness": "0.1.0", "torch": "2.14.1", "device": "cpu"},
        "licence": "MIT",
        "limits": ["made up"],
        "created_utc": "2026-11-21T00:00:00Z",
        **changes,
    }
    layout = Entry(facts).layout
    rng = np.random.default_rng(
        int(hashlib.sha256(f"{method}{preset}".encode()).hexdigest()[:8], 16)
    )
    noise = jitter * rng.normal(size=sum(layout.counts()))
    values = {}
    for key, chance in zip(layout.row_keys(), noise.tolist(), strict=True):
        metric, _, _, level, dial, image = key
        number = value_of(metric, quality, parse_level(level)[0], parse_level(dial)[0], image)
        values[key] = number + chance * (metric[:4] == "psnr")
    pixels = np.random.default_rng(1).integers(0, 256, (16, 20, 3), dtype=np.uint8)
    seen = {
        "schema": canary.SCHEMA,
        "set": facts["sets"][0]["name"],
        "image": facts["sets"][0]["images"][0],
        "seed": facts["seeds"][0],
        "width": 20,
        "height": 16,
        "levels": {level: canary.of_pixels(pixels) for level in facts["levels"]},
    }
    files = {f"weights/start-{seed}.safetensors": blob for seed, blob in blobs.items()}
    whole = assemble.assemble(facts, values, seen, files)
    return whole if status == "claimed" else {**whole, proof.NAME: proven(whole, status)}


def proven(files: Mapping[str, bytes], status: str) -> bytes:
    """Returns a made-up ``verified.json`` for the files of an entry."""
    facts = json.loads(files[entry.NAME])
    none = {"compared": 1, "of": 1, "largest": 0.0, "allowed": 0.01}
    compared = dict.fromkeys(facts["metrics"], none)
    return proof.written(
        {
            "schema": proof.SCHEMA,
            "mode": "retrain" if status == "retrained" else "fast",
            "files": {n: hashlib.sha256(files[n]).hexdigest() for n in proof.COVERED},
            "draw": 0,
            "canary": {"levels": 1, "same_pixels": 1, "largest": 0.0, "allowed": proof.BLOCK},
            "rows": compared,
            "means": compared if status == "retrained" else None,
            "code": {"method": facts["method_digest"], "scoring": facts["task_digest"]},
            "software": facts["software"],
            "created_utc": facts["created_utc"],
        }
    )


BASELINES = ("experts", "floor")
"""What the first of many entries are of."""


def many(folder: Path, entries: int, levels: int, images: int, metrics: int) -> None:
    """Writes many entries into a folder of leaderboards, without checking each."""
    pool = [
        make(
            method=BASELINES[at] if at < len(BASELINES) else "dni",
            quality=-10 if at == BASELINES.index("floor") else 0.05 * at,
            levels=levels,
            images=images,
            metrics=metrics,
            status="reproduced",
            blobs={},
            jitter=0.02 + 0.001 * at,
        )
        for at in range(min(POOL, entries))
    ]
    for at in range(entries):
        files = pool[at % POOL]
        facts = {
            **json.loads(files[entry.NAME]),
            **({"method": f"method{at}"} if at >= len(BASELINES) else {}),
        }
        facts["id"] = entry.entry_id(facts)
        own = {entry.NAME: schema.written(facts), card.NAME: card.card(Entry(facts))}
        own[proof.NAME] = proven({**files, **own}, "reproduced")
        path = folder / "sr" / "entries" / facts["id"]
        path.mkdir(parents=True)
        for name, blob in {**files, **own}.items():
            (path / name).write_bytes(blob)


def main() -> None:
    """Writes many entries, as many as the options say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    for name, number in (("entries", 5000), ("levels", 11), ("images", 100), ("metrics", 6)):
        parser.add_argument(f"--{name}", type=int, default=number)
    args = parser.parse_args()
    many(args.folder, args.entries, args.levels, args.images, args.metrics)


if __name__ == "__main__":
    main()
