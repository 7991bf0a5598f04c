"""Trained networks for other programs: one network for each level, and one with a dial."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

import benchmark
from benchmark.amount import amount
from benchmark.analysis.calibration import Calibration, stored
from benchmark.build import create_backbone
from benchmark.control import Level, level_text
from benchmark.errors import JobError, UserError
from benchmark.method import ControlMethod
from benchmark.onnx_file import Dialled, as_onnx, described, require_onnx
from benchmark.plan import Plan, nothing_there, stored_jobs, untrained
from benchmark.planning.jobs import SweepJob
from benchmark.planning.keys import preset_text
from benchmark.records import write_alone
from benchmark.registry import spec
from benchmark.registry.discovery import backbone_source
from benchmark.results import FEW_LEVELS
from benchmark.store import IMPORTED, Store, packed
from benchmark.tasks import Task
from benchmark.trained import loaded

if TYPE_CHECKING:
    from benchmark.leaderboard.entered import Entered

FACTS = "network.json"
"""What is in a folder, and what a program must know to use it."""
PLAIN = int | float | str | bool
"""Values that JSON holds."""
KINDS = ("weights", "onnx")
"""What names the files of a level there."""


def run(plan: Plan, store: Store, folder: Path, onnx: bool) -> Iterator[tuple[str, bool]]:
    """Writes what is trained of a plan, and yields a line for each method, and whether it worked.

    Args:
        plan: What was asked for; of every method the first of its seeds that is trained counts.
        store: Where the trained stages are.
        folder: Gets a folder for each method.
        onnx: Whether to write ONNX files as well.

    Raises:
        UserError: If nothing of it is trained, or the package onnx is missing.
    """
    if onnx:
        require_onnx()
    stages = {job.method: job.stage_keys for job in plan.sweeps.values()}
    trained = {job.method: job for job in stored_jobs(plan, store) if job.stage_keys}
    if stages and not any(stages.values()) and not plan.unfit:
        raise UserError(f"{', '.join(stages)}: there are no weights to export")
    if not trained:
        raise UserError(nothing_there(plan, store))
    for one in plan.unfit:
        yield str(one), one not in plan.failures
    known = _calibrations(plan, store, [*trained.values()])
    for name, needed in stages.items():
        if not needed:
            yield f"{name}: left out: it has no weights", True
            continue
        if name not in trained:
            yield f"{name}: {untrained(plan)}", False
            continue
        try:
            job = trained[name]
            method = loaded(job, plan.task, store)
            more = {**_origin(job, plan.task, store), **known.get(name, {})}
            own, asked = folder / safe(name), len(plan.levels)
            yield f"{name}: {_write(own, job, method, plan.task, asked, onnx, more)}", True
        except JobError as error:
            yield f"{name}: {error}", False


def _calibrations(
    plan: Plan, store: Store, jobs: Sequence[SweepJob]
) -> dict[str, dict[str, Mapping[str, Any]]]:
    """Returns, by method, what a file says of the dial's best settings, where a matrix tells them."""
    try:
        found = stored(plan, store, jobs)
    except UserError:
        return {}
    return {
        name: {
            "calibration": {
                "what": "the dial that was best on average for images of a level, and between levels on "
                "straight lines",
                "measured on": [images.name for images in plan.images.values()],
                "levels": [*one.levels],
                "dials": [*one.dials],
            }
        }
        for name, one in found.items()
        if isinstance(one, Calibration)
    }


def _write(
    folder: Path,
    job: SweepJob,
    method: ControlMethod,
    task: Task,
    asked: int,
    onnx: bool,
    known: Mapping[str, Any],
) -> str:
    """Writes the network of a job and returns what was done.

    Args:
        folder: Its folder.
        job: What it is, and the levels.
        method: It.
        task: Its task.
        asked: How many levels were asked for.
        onnx: Whether to write ONNX files as well.
        known: What ``network.json`` says of it, too.
    """
    only, left = method.only_levels(task), ""
    if only is not None and len(job.levels) < asked:
        left = f"{FEW_LEVELS}{', '.join(level_text(one) for one in only)}"
    if not job.levels:
        raise JobError(f"{left}; name one of them with --levels")
    if not method.folds and not onnx:
        return "left out: it does not fold into its backbone; add --onnx"
    # Files of an earlier export would be taken for those of this one.
    for name in _named(folder / FACTS):
        (folder / name).unlink(missing_ok=True)
    # Should this one fail, nothing says that the folder is whole.
    (folder / FACTS).unlink(missing_ok=True)
    facts = {**_facts(job, method, task), **known}
    told = [_level(folder, method, task, level, onnx, facts) for level in job.levels]
    more: dict[str, Any] = {}
    if onnx and only is None:
        level = torch.tensor(task.space.end)
        blob = as_onnx(Dialled(method), f"{job.method} with its dial", level)
        more["level"] = _dial(method, task)
        write_alone(folder / "dial.onnx", described(blob, {**facts, **more}))
        more["dial"] = "dial.onnx"
    # Last, so that a folder with it is whole.
    text = json.dumps({**facts, **more, "levels": told}, indent=1)
    write_alone(folder / FACTS, text.encode() + b"\n")
    return f"{amount(len(told), 'level')} in {folder}{left and f'; it {left}'}"


def _named(path: Path) -> list[str]:
    """Returns the files that an earlier export says it wrote; others in its folder are not ours."""
    try:
        facts = json.loads(path.read_bytes())
        told = [facts.get("dial"), *(one.get(kind) for one in facts["levels"] for kind in KINDS)]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []
    # Someone may have edited it: no name leads out of the folder, or to another kind of file.
    name = re.compile(r"[\w.-]+\.(?:safetensors|onnx)")
    return [one for one in told if isinstance(one, str) and name.fullmatch(one)]


def _level(
    folder: Path,
    method: ControlMethod,
    task: Task,
    level: Level,
    onnx: bool,
    common: Mapping[str, Any],
) -> dict[str, Any]:
    network = method.tuned(level).float()
    name = level_text(level).replace("/", "_")
    facts: dict[str, Any] = {"level": list(level), "physical": list(task.space.physical(level))}
    if method.folds:
        facts["weights"] = f"{name}.safetensors"
        write_alone(folder / facts["weights"], packed(network.state_dict()))
    if onnx:
        what = f"{type(method).__name__} at level {level_text(level)}"
        own = {key: facts[key] for key in ("level", "physical")}
        facts["onnx"] = f"{name}.onnx"
        write_alone(folder / facts["onnx"], described(as_onnx(network, what), {**common, **own}))
    return facts


def _facts(job: SweepJob, method: ControlMethod, task: Task) -> dict[str, Any]:
    """Returns what a program must know to use any of the files."""
    return {
        "dialbench": benchmark.__version__,
        "task": task.name,
        "summary": task.summary,
        "method": job.method,
        "paper": method.paper,
        "axes": [
            {"name": axis.name, "start": axis.start, "end": axis.end, "unit": axis.unit}
            for axis in task.space.axes
        ],
        "input": "RGB, (batch, 3, height, width), 0 to 1",
        "output": "RGB, (batch, 3, scale * height, scale * width), not clipped: clamp it to 0 to 1 "
        "before rounding",
        "scale": task.scale,
        **_network(job, method, task),
    }


def _origin(job: SweepJob, task: Task, store: Store) -> dict[str, Any]:
    """Returns how a network was trained, or whose it is: what others did is not what this run would do."""
    others = [key for key in job.stage_keys.values() if key.startswith(IMPORTED)]
    if others:
        found = [stage for key in others if (stage := store.read_stage(key)) is not None]
        told = ("origin", "licence", "options", "files")
        return {"imported": [{key: one.facts.get(key) for key in told} for one in found]}
    return {
        "preset": preset_text(job.preset),
        "seed": job.seed,
        **_trained(task),
    }


def _trained(task: Task) -> dict[str, Any]:
    """Returns the first and the last level that methods are trained at."""
    return {"trained": [list(task.space.first), list(task.space.last)]}


def entered(one: Entered, levels: Sequence[Level], folder: Path, onnx: bool) -> tuple[str, bool]:
    """Writes the network of a board's entry; returns a line about it, and whether it worked.

    Args:
        one: The entry.
        levels: Levels that it has.
        folder: Gets a folder for it.
        onnx: Whether to write ONNX files as well.

    Raises:
        UserError: If it has no weights, or the package onnx is missing.
    """
    if onnx:
        require_onnx()
    facts, task = one.entry.facts, one.entry.task
    if not facts["weights"]:
        raise UserError(f"{one.name}: there are no weights to export")
    about = {name: facts[name] for name in ("id", "licence", "preset", "training")}
    known = {
        "entry": {**about, "seed": one.seed, "status": one.entry.status},
        **(_trained(task) if facts["training"] else {}),
    }
    own, job = folder / safe(one.name), one.job(levels)
    try:
        text = _write(own, job, one.method(), task, len(levels), onnx, known)
    except JobError as error:
        return f"{one.name}: {error}", False
    return f"{one.name}: {text}", True


def _dial(method: ControlMethod, task: Task) -> str:
    """Returns what a program must know of the second input of the file with the dial."""
    parts = [
        f"float32, ({task.space.d},): a number from 0 to 1 for each of axes, for the whole batch",
        "those outside are clamped",
    ]
    if method.anchored:
        parts.append("below the first and above the last of trained nothing changes")
    if task.space.simplex:
        parts.append("they may not add up to more than 1")
    return "; ".join(parts)


def _network(job: SweepJob, method: ControlMethod, task: Task) -> dict[str, Any]:
    """Returns where the class of the network is, and what it is called with."""
    network = method.backbone
    if type(network) is not type(create_backbone(job.backbone, task.scale)):
        # A network of its own, or its authors', which takes the place of the run's backbone. Of what it
        # is called with no more is known than what it keeps.
        kept = {
            name: getattr(network, name, network)
            for name in inspect.signature(type(network)).parameters
        }
        return {
            # A method's file is imported under a name of its own.
            "backbone": type(network).__module__.removeprefix("dialbench_file_"),
            "class": type(network).__name__,
            "arguments": {
                name: value for name, value in kept.items() if isinstance(value, PLAIN | None)
            },
        }
    options = spec.parse(job.backbone).options
    return {
        "backbone": backbone_source(job.backbone),
        "class": type(network).__name__,
        "arguments": {"scale": task.scale, **dict(options)},
    }


def safe(name: str) -> str:
    """Returns what a method is called in names of files."""
    return re.sub(r"[^A-Za-z0-9_.]", "-", name)
