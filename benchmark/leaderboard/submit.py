"""From what is stored to entries: one for each method that is complete."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.amount import amount
from benchmark.errors import UserError
from benchmark.leaderboard import assemble, canary, entry, naming, schema
from benchmark.leaderboard.faults import Fault
from benchmark.leaderboard.shipped import carried, rounded, shipped
from benchmark.leaderboard.stored import Incomplete, Scored, numbers, scored
from benchmark.planning.request import Choice

if TYPE_CHECKING:
    from benchmark.plan import Plan
    from benchmark.store import Store

LEAST_STEPS = {"smoke": "a budget for tests, which says nothing about quality"}
PUBLISHED = ("auto", "copy", "half", "none")
"""What to do with weights, besides a URL: put them into the entry as they are, or as float16, or leave
them out; by default float16 if they are small."""


@dataclass(frozen=True)
class Terms:
    """What a submitter decides.

    Args:
        licence: Licence of the weights, as SPDX names it; if empty, what is recorded of imported ones,
            and of others that of the project.
        weights: One of ``PUBLISHED``, or the URL of a folder that holds ``<sha256>.safetensors``.
    """

    licence: str = ""
    weights: str = "auto"


def submit(
    plan: Plan, store: Store, root: Path, terms: Terms
) -> Iterator[tuple[str, str, bool | None]]:
    """Writes an entry for every method of a plan; yields method, outcome and whether it is there.

    Of a method that does not take the task the last is None: that is no failure.

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
            skipped = any(
                one.method == choice.method and one.reason.startswith("skipped:")
                for one in plan.skipped
            )
            yield choice.method, str(error), None if skipped else False
        except Fault as fault:
            yield choice.method, f"cannot be an entry: {fault}", False
        else:
            yield choice.method, f"{path}" if new else f"{path} is there already", True


def files_of(plan: Plan, store: Store, choice: Choice, terms: Terms) -> dict[str, bytes]:
    """Returns the files of the entry of a method.

    Raises:
        Incomplete: If something is not stored.
        Fault: If the facts do not make an entry.
    """
    trained = scored(plan, store, choice)
    how = carried(trained, store, terms.weights)
    sweeps, moved = rounded(plan, trained, store) if how == "half" else (trained, "")
    metrics, missing, values = numbers(plan, sweeps)
    weights, blobs, hashes = shipped(sweeps, store, how)
    first, last = sweeps[0].cells[0], sweeps[0].cells[-1]
    request, task, facts = plan.request, plan.task, first.facts
    learnt = any(key in plan.trains for one in trained for key in one.job.stage_keys.values())
    crossed = any(one.job.crossed for one in sweeps)
    seen = _canary(plan, store, sweeps[0])
    whole = {
        "schema": entry.SCHEMA,
        "task": task.name,
        "task_version": task.version,
        "missing": missing,
        "metrics": metrics,
        **{name: facts[name] for name in ("task_digest", "protocol", "method_digest", "preset")},
        **naming.names(choice.method, choice.file, request.backbone, task),
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
            if learnt
        ],
        "budget": {
            "steps": last.cost["train_steps"],
            "batch": request.preset.batch,
            "patch": request.preset.patch_sr if task.scale > 1 else request.preset.patch,
            "precision": _precision(trained, store, request.preset.precision),
        },
        "range": entry.ranges(task.space),
        "cost": {
            **{name: last.cost[name] for name in ("folds", "params_stored", "params_folded")},
            "macs": last.cost["macs"],
            **{name: _median(sweeps, name) for name in ("ms_per_image", "switch_ms")},
        },
        "weights": weights,
        "weights_sha256": hashes,
        "software": {
            "harness": facts["harness_version"],
            "torch": facts["torch"],
            "device": facts["device"],
        },
        "licence": terms.licence or _licence(trained, store),
        "limits": _limits(plan, choice, weights, moved),
        "created_utc": max(one.facts["created_utc"] for sweep in sweeps for one in sweep.cells),
    }
    try:
        return assemble.assemble(whole, values, seen, blobs)
    except KeyError as error:
        raise Incomplete(f"row {error} is not stored") from None


def _precision(trained: Sequence[Scored], store: Store, asked: str) -> str:
    """Returns the precision that stages were trained in: bf16 is asked for, not had, on most CPUs."""
    return (
        "-".join(sorted({one.get("precision", asked) for one in _facts(trained, store)})) or asked
    )


def _licence(trained: Sequence[Scored], store: Store) -> str:
    """Returns the licence of weights: nobody but their authors can give imported ones another."""
    told = [one["licence"] for one in _facts(trained, store) if one.get("licence")]
    # A name, and in parentheses where it stands.
    return told[0].split()[0] if told else "MIT"


def _facts(trained: Sequence[Scored], store: Store) -> list[dict[str, Any]]:
    """Returns what is recorded of the stages of a method."""
    stages = [store.read_stage(key) for one in trained for key in one.job.stage_keys.values()]
    return [stage.facts for stage in stages if stage is not None]


def _images(sweeps: Sequence[Scored], dataset: str) -> list[str]:
    """Returns the images of a test set as rows name them: with their case, where a task has any."""
    sweep = next(one for one in sweeps if one.job.dataset == dataset)
    return list(dict.fromkeys(row.image for row in sweep.cells[0].rows))


def _levels(sweep: Scored) -> list[str]:
    from benchmark.analysis.scores import in_order

    return in_order(one.facts["level"] for one in sweep.cells)


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
        "set": plan.images[sweep.job.dataset].name,
        "image": name,
        "seed": sweep.job.seed,
        "width": size[0],
        "height": size[1],
        "levels": levels,
    }


def _median(sweeps: Sequence[Scored], name: str) -> float | None:
    """Returns the median of a time over cells, or None if none has it; older cells lack some."""
    import statistics

    times = [one.cost.get(name) for sweep in sweeps for one in sweep.cells]
    known = [one for one in times if one is not None]
    return round(statistics.median(known), 3) if known else None


def _limits(
    plan: Plan, choice: Choice, weights: Sequence[Mapping[str, Any]], moved: str
) -> list[str]:
    """Returns what a reader must know before relying on the numbers."""
    name = plan.request.preset.name
    found = [f"preset {name}: {LEAST_STEPS[name]}"] if name in LEAST_STEPS else []
    found += [one.reason for one in plan.skipped if one.method == choice.method]
    if choice.file:
        found.append("the code of the method is not part of dialbench")
    if weights and moved:
        found.append(
            "the weights are rounded to float16, and the numbers are of these: of float32 no value "
            f"of {plan.task.headline} differs by more than {moved}"
        )
    if weights and not any(one["file"] or one["url"] for one in weights):
        found.append(
            "weights are not published: only those who have them can compute the numbers again"
        )
    if len(plan.request.seeds) == 1:
        found.append("one seed: how much training varies is not known")
    images = sum(len(one.pictures) for one in plan.images.values())
    if images < 10:
        found.append(f"{amount(images, 'test image')}: too few for small differences")
    return [one for one in dict.fromkeys(found) if schema.is_prose(one, entry.LIMIT)]
