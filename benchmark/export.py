"""Trained networks for other programs: one network for each level, and one with a dial."""

from __future__ import annotations

import inspect
import io
import json
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn

import benchmark
from benchmark.amount import amount
from benchmark.analysis.calibration import Calibration, stored
from benchmark.build import create_backbone
from benchmark.control import Level, level_text
from benchmark.errors import JobError, UserError, to_get
from benchmark.method import ControlMethod, WeightSpaceMethod
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
from benchmark.tuning.holding import holding

FACTS = "network.json"
"""What is in a folder, and what a program must know to use it."""
PLAIN = int | float | str | bool
"""Values that JSON holds."""
KINDS = ("weights", "onnx")
"""What names the files of a level there."""
SIZES = ((24, 24), (37, 42))
"""Sides of the images that an ONNX file is tried on; networks that need even ones pad."""
CLOSE = 1e-4
"""How far outputs of an ONNX file may be from the network's."""


class Dialled(nn.Module):
    """A method as a function of an image and one level, which ONNX can follow.

    ``forward`` of weight-space methods sorts the samples of a batch by their levels; this takes one
    level for all.
    """

    def __init__(self, method: ControlMethod):
        super().__init__()
        self.method = method

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        """Restores images (B, 3, h, w) at a level (d,), clamped to [0, 1]."""
        # Nobody refuses a level here, and networks of full range would go on beyond their ends.
        level = level.clamp(0, 1)
        if not isinstance(self.method, WeightSpaceMethod):
            return self.method(x, level[None])
        position = self.method._checked(level[None], x[:1])[0]
        backbone = self.method.backbone
        own = {**dict(backbone.named_parameters()), **dict(backbone.named_buffers())}
        # ONNX must be told the shape of kernels, as plain numbers.
        weights = {
            name: value.reshape([int(side) for side in own[name].shape])
            for name, value in self.method.weights(position).items()
        }
        with holding(backbone, weights):
            return backbone(x)


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
        _require_onnx()
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
            yield f"{name}: {_write(folder / safe(name), job, method, plan, onnx, more)}", True
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
    plan: Plan,
    onnx: bool,
    known: Mapping[str, Any],
) -> str:
    task, only = plan.task, method.only_levels(plan.task)
    left = ""
    if only is not None and len(job.levels) < len(plan.levels):
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
        "trained": [list(task.space.first), list(task.space.last)],
    }


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


def as_onnx(network: nn.Module, what: str, level: Tensor | None = None) -> bytes:
    """Returns a network as an ONNX model for images of any size, after trying it.

    Args:
        network: Takes ``x`` (B, 3, h, w), and ``level`` (d,) where one is given.
        what: What it is, for messages.
        level: A level that its dial is tried at, and at half of it.

    Raises:
        JobError: If ONNX cannot hold it, or gives other outputs.
    """
    dials = [{}] if level is None else [{"level": level}, {"level": level / 2}]
    try:
        blob = traced(network.eval(), {"x": _image(SIZES[0]), **dials[0]})
        for size in SIZES:
            for dial in dials:
                _require_same(blob, network, {"x": _image(size), **dial})
    except JobError:
        raise
    except Exception as error:
        raise JobError(
            f"ONNX cannot hold {what}: {refusal(error)}; call the network from Python instead "
            "(docs/library.md), or write what it does there with other operations"
        ) from error
    return blob


def refusal(error: Exception) -> str:
    """Returns why ONNX cannot hold a network, in one line of what torch or ONNX raised."""
    told = [one.strip() for one in str(error).splitlines() if one.strip()]
    # It asks for a bug report, and goes on with its graph.
    return told[0].partition(". Please send a bug report")[0] if told else type(error).__name__


def traced(network: nn.Module, given: Mapping[str, Tensor]) -> bytes:
    """Returns a network as an ONNX model of any batch and size, untried.

    Args:
        network: The network, in evaluation mode.
        given: Its inputs by name, in order; images are called ``x``.
    """
    free = {0: "batch", 2: "height", 3: "width"}
    stored = io.BytesIO()
    # Where it fails, torch writes the whole graph to the terminal, past Python.
    silent = patch.object(torch._C, "_jit_onnx_log", lambda *_: None, create=True)
    with warnings.catch_warnings(), silent, torch.no_grad():
        warnings.simplefilter("ignore")
        # The newer exporter needs two more packages and takes twenty times as long.
        torch.onnx.export(
            network,
            tuple(given.values()),
            stored,
            input_names=list(given),
            output_names=["y"],
            dynamic_axes={"x": free, "y": dict(free)},
            dynamo=False,
        )
    return stored.getvalue()


def described(blob: bytes, facts: Mapping[str, Any]) -> bytes:
    """Returns an ONNX model that holds facts as its metadata: texts, or JSON of anything else."""
    import onnx

    model = onnx.load_from_string(blob)
    texts = {
        name: fact if isinstance(fact, str) else json.dumps(fact) for name, fact in facts.items()
    }
    onnx.helper.set_model_props(model, texts)
    return model.SerializeToString()


def evaluated(blob: bytes, given: Mapping[str, Tensor]) -> Tensor:
    """Returns the output of an ONNX model, from ONNX's own reference evaluator."""
    import onnx
    from onnx.reference import ReferenceEvaluator

    evaluator = ReferenceEvaluator(onnx.load_from_string(blob))
    (output,) = evaluator.run(None, {name: one.numpy() for name, one in given.items()})
    return torch.from_numpy(output)


def _require_same(blob: bytes, network: nn.Module, given: dict[str, Tensor]) -> None:
    with torch.no_grad():
        apart = (evaluated(blob, given) - network(*given.values())).abs().max()
    if not bool(apart <= CLOSE):
        size = "x".join(str(side) for side in given["x"].shape[:1:-1])
        raise ValueError(f"outputs of {size} pixels are {float(apart):.2g} apart")


def _image(size: tuple[int, int]) -> Tensor:
    return torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))


def _require_onnx() -> None:
    try:
        import onnx  # noqa: F401 - what is asked is whether it is there
    except ImportError:
        raise UserError(f"the package onnx is not installed; {to_get('onnx')}") from None


def safe(name: str) -> str:
    """Returns what a method is called in names of files."""
    return re.sub(r"[^A-Za-z0-9_.]", "-", name)
