"""From what is stored to entries: one for each method that is complete."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.errors import UserError
from benchmark.leaderboard import assemble, canary, entry, folder, schema
from benchmark.leaderboard.faults import Fault
from benchmark.leaderboard.rows import Key
from benchmark.request import Choice

if TYPE_CHECKING:
    from benchmark.jobs import SweepJob
    from benchmark.plan import Plan
    from benchmark.store import Cell, Store

NO_REASON = "it could not be computed where this was run"
LEAST_STEPS = {"smoke": "a budget for tests, which says nothing about quality"}
PUBLISHED = ("copy", "half", "none")
"""What to do with weights, besides a URL: put them into the entry, as float16, or leave them out."""


@dataclass(frozen=True)
class Terms:
    """What a submitter decides.

    Args:
        licence: Licence of the weights, as SPDX names it.
        weights: One of ``PUBLISHED``, or the URL of a folder that holds ``<sha256>.safetensors``.
    """

    licence: str = "MIT"
    weights: str = "copy"


@dataclass(frozen=True)
class Scored:
    """One sweep of a method: its job with all cells."""

    job: SweepJob
    cells: tuple[Cell, ...]


def submit(plan: Plan, store: Store, root: Path, terms: Terms) -> Iterator[tuple[str, str, bool]]:
    """Writes an entry for every method of a plan; yields method, outcome and whether it is there.

    Args:
        plan: What was asked for.
        store: Where its results are.
        root: The folder of leaderboards.
        terms: What the submitter decides.

    Raises:
        UserError: If the terms make no sense.
        JobError: If the disk is full or not writable.
    """
    if terms.weights not in PUBLISHED and not terms.weights.startswith("https://"):
        raise UserError(
            f"--weights {terms.weights}: give {', '.join(PUBLISHED)}, or an https:// folder"
        )
    for choice in plan.request.methods:
        try:
            files = files_of(plan, store, choice, terms)
            name = schema.parsed(files[entry.NAME], entry.NAME)["id"]
            path, new = assemble.place(root, plan.task.name, name, files)
        except (Incomplete, UserError) as error:
            yield choice.method, str(error), False
        except Fault as fault:
            yield choice.method, f"cannot be an entry: {fault}", False
        else:
            yield choice.method, f"{path}" if new else f"{path} is there already", True


class Incomplete(Exception):
    """A method's results are not all stored; the message says what is missing."""


def files_of(plan: Plan, store: Store, choice: Choice, terms: Terms) -> dict[str, bytes]:
    """Returns the files of the entry of a method.

    Raises:
        Incomplete: If something is not stored.
        Fault: If the facts do not make an entry.
    """
    sweeps = scored(plan, store, choice)
    metrics, missing, values = numbers(plan, sweeps)
    weights, blobs, hashes = _weights(sweeps, store, terms)
    first, last = sweeps[0].cells[0], sweeps[0].cells[-1]
    request, task, facts = plan.request, plan.task, first.facts
    trained = any(key in plan.trains for one in sweeps for key in one.job.stage_keys.values())
    crossed = any(one.job.crossed for one in sweeps)
    seen = _canary(plan, store, sweeps[0])
    whole = {
        "schema": entry.SCHEMA,
        "task": task.name,
        "task_version": task.version,
        "missing": missing,
        "metrics": metrics,
        **{name: facts[name] for name in ("task_digest", "protocol", "method", "method_digest")},
        **{name: facts[name] for name in ("backbone", "preset")},
        "paper": _paper(choice),
        "seeds": list(dict.fromkeys(one.job.seed for one in sweeps)),
        "levels": _levels(sweeps[0]),
        "crossed": crossed,
        "sets": [
            {"name": one.name, "digest": one.digest, "images": _images(sweeps, name)}
            for name, one in plan.images.items()
        ],
        "training": [
            {"name": one.name, "digest": one.digest, "images": len(one.pictures)}
            for one in plan.training
            if trained
        ],
        "budget": {
            "steps": last.cost["train_steps"],
            "batch": request.preset.batch,
            "patch": request.preset.patch_sr if task.scale > 1 else request.preset.patch,
            "precision": request.preset.precision,
        },
        "range": entry.ranges(task),
        "cost": {
            **{name: last.cost[name] for name in ("folds", "params_stored", "params_folded")},
            "macs": last.cost["macs"],
            "ms_per_image": _median(one for sweep in sweeps for one in sweep.cells),
            "switch_ms": None,
        },
        "weights": weights,
        "weights_sha256": hashes,
        "software": {
            "harness": facts["harness_version"],
            "torch": facts["torch"],
            "device": facts["device"],
        },
        "licence": terms.licence,
        "limits": _limits(plan, choice, weights),
        "created_utc": max(one.facts["created_utc"] for sweep in sweeps for one in sweep.cells),
    }
    try:
        return assemble.assemble(whole, values, seen, blobs)
    except KeyError as error:
        raise Incomplete(f"row {error} is not stored") from None


def scored(plan: Plan, store: Store, choice: Choice) -> list[Scored]:
    """Returns the sweeps of a method, by set and seed, each with all its cells."""
    from benchmark import plan as planning

    found = []
    for note in (*plan.failures, *plan.skipped):
        if note.method == choice.method and "answers only" not in note.reason:
            why = note.reason
            break
    else:
        why = "nothing is stored"
    names = list(plan.images)
    jobs = [job for job in plan.sweeps.values() if job.method == choice.method]
    if not jobs:
        raise Incomplete(why)
    for job in sorted(jobs, key=lambda job: (names.index(job.dataset), job.seed)):
        cells = [cell for _, _, cell in planning.cells(plan, job, store)]
        lacking = sum(cell is None for cell in cells)
        if lacking:
            raise Incomplete(
                f"{lacking} of {len(cells)} cells on {job.dataset} are not stored; "
                f"run 'dialbench run {plan.task.name}' first"
            )
        found.append(Scored(job, tuple(cells)))
    return found


def _images(sweeps: Sequence[Scored], dataset: str) -> list[str]:
    """Returns the images of a test set as rows name them: with their case, where a task has any."""
    sweep = next(one for one in sweeps if one.job.dataset == dataset)
    return list(dict.fromkeys(row.image for row in sweep.cells[0].rows))


def _levels(sweep: Scored) -> list[str]:
    from benchmark.analysis.scores import in_order

    return in_order(one.facts["level"] for one in sweep.cells)


def numbers(
    plan: Plan, sweeps: Sequence[Scored]
) -> tuple[list[str], dict[str, str], dict[Key, float]]:
    """Returns the metrics that have all values, why others have not, and the values.

    Raises:
        Incomplete: If the headline metric is among the others.
    """
    values: dict[Key, float] = {}
    missing: dict[str, str] = {}
    there: set[str] = set()
    for sweep in sweeps:
        for cell in sweep.cells:
            facts = cell.facts
            place = facts["dataset"], sweep.job.seed, facts["level"], facts["set_level"]
            for row in cell.rows:
                metric = row.metric
                there.add(metric)
                if row.status == "ok" and row.value is not None:
                    values[(metric, *place, row.image)] = row.value
                else:
                    why = " ".join(row.reason.split())
                    missing.setdefault(
                        metric, why if schema.is_prose(why, entry.LIMIT) else NO_REASON
                    )
    for metric in plan.task.metrics:
        if metric not in there:
            missing[metric] = "it was not scored"
    headline = plan.task.headline
    if headline in missing:
        raise Incomplete(f"{headline}, which ranks, is missing: {missing[headline]}")
    others = [one for one in plan.task.metrics if one not in missing and one != headline]
    return [headline, *others], missing, values


def _weights(
    sweeps: Sequence[Scored], store: Store, terms: Terms
) -> tuple[list[dict[str, Any]], dict[str, bytes], dict[str, str]]:
    """Returns what is said of weights, the files that go into the entry, and a hash for each seed."""
    import hashlib

    said: list[dict[str, Any]] = []
    blobs: dict[str, bytes] = {}
    hashes: dict[str, str] = {}
    for sweep in sweeps:
        seed = sweep.job.seed
        if str(seed) in hashes:
            continue
        own: dict[str, str] = {}
        for stage, key in sweep.job.stage_keys.items():
            blob = (store.stage_folder(key) / "model.safetensors").read_bytes()
            own[stage] = hashlib.sha256(blob).hexdigest()
            shipped = _halved(blob) if terms.weights == "half" else blob
            sha = hashlib.sha256(shipped).hexdigest()
            copied = terms.weights in ("copy", "half")
            name = f"weights/{stage}-{seed}.safetensors"
            said.append(
                {
                    "seed": seed,
                    "stage": stage,
                    "sha256": own[stage],
                    "precision": "float16" if terms.weights == "half" else "float32",
                    "file": name if copied else None,
                    "url": f"{terms.weights.rstrip('/')}/{sha}.safetensors"
                    if terms.weights.startswith("https://")
                    else None,
                    "file_sha256": sha,
                    "bytes": len(shipped),
                }
            )
            if copied:
                blobs[name] = shipped
        hashes[str(seed)] = entry.bound(own)
        if hashes[str(seed)] != sweep.cells[0].facts["weights_sha256"]:
            raise Incomplete("the stored weights are not those that were scored; sweep again")
    size = sum(map(len, blobs.values()))
    if size > folder.WEIGHTS:
        raise Incomplete(
            f"its weights have {size / folder.MIB:.0f} MiB, more than {folder.WEIGHTS // folder.MIB}; "
            "use --weights half, none or a URL"
        )
    return said, blobs, hashes


def _halved(blob: bytes) -> bytes:
    """Returns weights with every float32 tensor as float16."""
    import numpy as np
    from safetensors.numpy import load, save

    state = load(blob)
    return save(
        {
            name: value.astype(np.float16) if value.dtype == np.float32 else value
            for name, value in state.items()
        }
    )


def _canary(plan: Plan, store: Store, sweep: Scored) -> Mapping[str, Any]:
    """Returns what the first image looked like at every level."""
    import numpy as np
    from PIL import Image

    levels, size, name = {}, (0, 0), ""
    for cell in sweep.cells:
        if cell.pictures:
            name = cell.pictures["image"]
            blob = store.picture_path(plan.task.name, cell.pictures["restored"]).read_bytes()
            with Image.open(io.BytesIO(blob)) as image:
                size = image.size
                levels[cell.facts["level"]] = canary.of_pixels(np.asarray(image.convert("RGB")))
    return {
        "schema": canary.SCHEMA,
        "set": sweep.job.dataset,
        "image": name,
        "seed": sweep.job.seed,
        "width": size[0],
        "height": size[1],
        "levels": levels,
    }


def _paper(choice: Choice) -> str:
    from benchmark.discovery import create_method

    method = create_method(choice.method, Path(choice.file) if choice.file else None)
    return str(getattr(method, "paper", ""))


def _median(cells: Iterator[Cell]) -> float | None:
    import statistics

    times = [one.cost["ms_per_image"] for one in cells if one.cost["ms_per_image"] is not None]
    return round(statistics.median(times), 3) if times else None


def _limits(plan: Plan, choice: Choice, weights: Sequence[Mapping[str, Any]]) -> list[str]:
    """Returns what a reader must know before relying on the numbers."""
    name = plan.request.preset.name
    found = [f"preset {name}: {LEAST_STEPS[name]}"] if name in LEAST_STEPS else []
    found += [one.reason for one in plan.skipped if one.method == choice.method]
    if choice.file:
        found.append("the code of the method is not part of dialbench")
    if any(one["precision"] == "float16" for one in weights):
        found.append("weights are published as float16; the numbers are of float32")
    if weights and not any(one["file"] or one["url"] for one in weights):
        found.append("weights are not published, so the numbers can only be claimed")
    if len(plan.request.seeds) == 1:
        found.append("one seed: how much training varies is not known")
    images = sum(len(one.pictures) for one in plan.images.values())
    if images < 10:
        found.append(f"{images} test images: too few for small differences")
    return [one for one in dict.fromkeys(found) if schema.is_prose(one, entry.LIMIT)]
