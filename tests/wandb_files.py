"""Results to mirror, and a reader of the files that wandb writes offline."""

import json
import math
import struct
import time
from pathlib import Path

import numpy as np
from PIL import Image

from benchmark.results import CLEAN, INPUT, Results

BLOCK, HEADER = 32768, 7
FULL, FIRST, LAST = 1, 2, 4
LEVELS = ("0", "0.5", "1")
PATIENCE = 20
"""Seconds that wandb may take to write."""
PSNR, LPIPS = "psnr-y601", "lpips-alex@lpips-0.1.4"


def build(folder: Path, methods=("dni",), seeds=(0,), levels=LEVELS, gain: float = 0.0) -> Results:
    """Results of the sr task with two metrics, and one picture per level."""
    folder.mkdir(exist_ok=True)
    pictures = []

    def paint(method: str, backbone: str, level: str, size: int) -> None:
        path = folder / f"{len(pictures)}.png"
        Image.fromarray(np.full((size, size, 3), 7 * len(pictures), np.uint8)).save(path)
        preset = "laptop" if backbone else ""
        pictures.append((method, backbone, preset, 0, "set5", "a", level, str(path)))

    paint(CLEAN, "", "", 32)
    for level in levels:
        paint(INPUT, "", level, 8)
        for method in methods:
            paint(method, "small", level, 32)
    keys = ("method", "backbone", "preset", "seed", "dataset", "image", "level", "path")
    rows = [
        {
            "task": "sr",
            "protocol": "sr-y",
            "dataset": "set5",
            "image": "a",
            "method": method,
            "backbone": "small",
            "preset": "laptop",
            "seed": seed,
            "level": level,
            "set_level": level,
            "level_physical": level,
            "metric": metric,
            "value": start + slope * float(level) + 0.1 * seed + gain,
            "status": "ok",
            "reason": "",
        }
        for method in methods
        for seed in seeds
        for level in levels
        for metric, start, slope in ((PSNR, 28.0, -0.5), (LPIPS, 0.3, -0.05))
    ]
    costs = [
        {
            "method": method,
            "backbone": "small",
            "preset": "laptop",
            "seed": seed,
            "folds": True,
            "params_stored": 300,
            "params_folded": 150,
            "macs": 1000,
            "ms_per_image": math.nan,
            "train_steps": 800,
        }
        for method in methods
        for seed in seeds
    ]
    return Results.of(rows, costs, [dict(zip(keys, one, strict=True)) for one in pictures])


def records(path: Path) -> list:
    """Returns the records of a run that has finished.

    wandb's own process may still be writing by then, on a busy machine; the exit comes last.
    """
    limit = time.monotonic() + PATIENCE
    while time.monotonic() < limit:
        found = written(path)
        if any(one.HasField("exit") for one in found):
            return found
        time.sleep(0.2)
    raise AssertionError(f"{path} has no end")


def written(path: Path) -> list:
    """Returns the records of a .wandb file so far: a LevelDB log of protocol buffers."""
    from wandb.proto import wandb_internal_pb2

    data, at, found, parts = path.read_bytes(), HEADER, [], b""
    if len(data) < HEADER:
        return []
    assert data[:4] == b":W&B"
    while at + HEADER <= len(data):
        if BLOCK - at % BLOCK < HEADER:
            at += BLOCK - at % BLOCK
            continue
        _, length, kind = struct.unpack("<IHB", data[at : at + HEADER])
        if at + HEADER + length > len(data):
            break
        piece = data[at + HEADER : at + HEADER + length]
        at += HEADER + length
        parts = piece if kind in (FULL, FIRST) else parts + piece
        if kind in (FULL, LAST):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(parts)
            found.append(record)
    return found


def history(folder: Path) -> list[dict]:
    """Returns what an offline run logged, step by step."""
    (path,) = folder.glob("run-*.wandb")
    steps = []
    for record in records(path):
        if record.WhichOneof("record_type") != "history":
            continue
        step: dict = {}
        for item in record.history.item:
            *outer, last = item.nested_key or [item.key]
            inside = step
            for name in outer:
                inside = inside.setdefault(name, {})
            inside[last] = json.loads(item.value_json)
        steps.append(step)
    return steps


def offline(out: Path) -> list[Path]:
    return sorted((out / "wandb").glob("offline-run-*"))


def runs_of(out: Path) -> dict[str, Path]:
    """Returns the folders of all offline runs, by the name of the run."""
    found = {}
    for folder in offline(out):
        (path,) = folder.glob("run-*.wandb")
        (name,) = {one.run.display_name for one in records(path) if one.HasField("run")}
        found[name] = folder
    return found


def tables(folder: Path) -> dict[str, dict]:
    """Returns the tables that an offline run logged."""
    return {
        key: json.loads((folder / "files" / value["path"]).read_text())
        for step in history(folder)
        for key, value in step.items()
        if isinstance(value, dict) and value.get("_type") == "table-file"
    }


def artifacts(folder: Path) -> dict[tuple[str, str], dict[str, str]]:
    """Returns the files of an offline run's artifacts (by type and name), with where they lie."""
    (path,) = folder.glob("run-*.wandb")
    return {
        (one.artifact.type, one.artifact.name): {
            file.path: file.local_path for file in one.artifact.manifest.contents
        }
        for one in records(path)
        if one.WhichOneof("record_type") == "artifact"
    }
