"""Weights that go with an entry: as they are, rounded to float16, elsewhere, or not at all."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from decimal import ROUND_CEILING, Decimal
from typing import TYPE_CHECKING, Any

from benchmark.leaderboard import folder
from benchmark.leaderboard.stored import Incomplete, Scored
from benchmark.registry.digest import weights_digest
from benchmark.store import WEIGHTS

if TYPE_CHECKING:
    from benchmark.plan import Plan
    from benchmark.store import Store

SMALL = 8 * folder.MIB
"""Bytes of float16 weights that an entry carries by default; a repository keeps them for ever."""


def carried(sweeps: Sequence[Scored], store: Store, asked: str) -> str:
    """Returns what is done with weights: what was asked for, or what suits their size."""
    if asked != "auto":
        return asked
    keys = {key for one in sweeps for key in one.job.stage_keys.values()}
    size = sum((store.stage_folder(key) / WEIGHTS).stat().st_size for key in keys) / 2
    return "half" if size <= SMALL else "none"


def rounded(plan: Plan, sweeps: Sequence[Scored], store: Store) -> tuple[list[Scored], str]:
    """Returns sweeps scored again with weights rounded to float16, and how far numbers moved.

    Numbers are of the weights that are handed in, not of others that nobody else has.

    Raises:
        Incomplete: If a weight is too large for float16.
    """
    from benchmark import plan as planning
    from benchmark.planning import keys
    from benchmark.sweep import sweep

    found, apart = [], [0.0]
    for one in sweeps:
        stages = {name: _halved(store, key) for name, key in one.job.stage_keys.items()}
        job = dataclasses.replace(one.job, stage_keys=stages)
        job = dataclasses.replace(job, key=keys.sweep_key(job))
        sweep(job, store, lambda text: None)
        cells = tuple(cell for _, _, cell in planning.cells(plan, job, store) if cell is not None)
        found.append(Scored(job, cells))
        for before, after in zip(one.cells, cells, strict=True):
            values = {
                row.image: row.value for row in before.rows if row.metric == plan.task.headline
            }
            for row in after.rows:
                old = values.get(row.image) if row.metric == plan.task.headline else None
                if old is not None and row.value is not None:
                    apart.append(abs(old - row.value))
    return found, bound(max(apart))


def bound(value: float) -> str:
    """Returns four decimals that a value does not exceed."""
    return str(Decimal(value).quantize(Decimal("0.0001"), ROUND_CEILING))


def _halved(store: Store, key: str) -> str:
    """Stores the weights of a stage as float16, and returns the key of that."""
    import torch

    from benchmark.registry.digest import digest

    stage = store.read_stage(key)
    if stage is None:
        raise Incomplete("its weights are not stored any more; train it again")
    half = digest(["float16", key, stage.weights_sha256])
    if store.read_stage(half) is None:
        state = {
            name: value.half() if value.dtype == torch.float32 else value
            for name, value in store.load_stage(key).items()
        }
        if not all(bool(torch.isfinite(value).all()) for value in state.values()):
            raise Incomplete("a weight is too large for float16; use --weights copy")
        store.write_stage(half, state, stage.facts)
    return half


def shipped(
    sweeps: Sequence[Scored], store: Store, how: str
) -> tuple[list[dict[str, Any]], dict[str, bytes], dict[str, str]]:
    """Returns what is said of weights, the files that go into the entry, and a hash for each seed."""
    said: list[dict[str, Any]] = []
    blobs: dict[str, bytes] = {}
    hashes: dict[str, str] = {}
    for sweep in sweeps:
        seed = sweep.job.seed
        if str(seed) in hashes:
            continue
        own: dict[str, str] = {}
        for stage, key in sweep.job.stage_keys.items():
            path = store.weights_path(key)
            blob = path.read_bytes() if path else b""
            own[stage] = sha = hashlib.sha256(blob).hexdigest()
            name = f"weights/{stage}-{seed}.safetensors"
            inside = how in ("copy", "half")
            said.append(
                {
                    "seed": seed,
                    "stage": stage,
                    "sha256": sha,
                    "precision": "float16" if how == "half" else "float32",
                    "file": name if inside else None,
                    "url": f"{how.rstrip('/')}/{sha}.safetensors"
                    if how.startswith("https://")
                    else None,
                    "bytes": len(blob),
                }
            )
            if inside:
                blobs[name] = blob
        hashes[str(seed)] = weights_digest(own)
        if hashes[str(seed)] != sweep.cells[0].facts["weights_sha256"]:
            raise Incomplete("the stored weights are not those that were scored; sweep again")
    size = sum(map(len, blobs.values()))
    if size > folder.WEIGHTS:
        raise Incomplete(
            f"its weights have {size / folder.MIB:.0f} MiB, more than {folder.WEIGHTS // folder.MIB}; "
            "use --weights half, none or a URL"
        )
    return said, blobs, hashes
