"""A training step of every method against a step of its plain backbone, and against the data."""

from __future__ import annotations

import dataclasses
import functools
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmark import config, tasks
from benchmark.build import build_backbone, build_method, create_method
from benchmark.data.patches import PatchData, Patches
from benchmark.data.sources import open_set
from benchmark.engines.local import threads_each
from benchmark.method import ControlMethod
from benchmark.objectives import MixedObjective
from benchmark.perf.measure import Figure, elsewhere, rivals
from benchmark.scoring import cost
from benchmark.train import Plain, Progress, precision_of, trainer
from benchmark.training.batch import Batch
from benchmark.training.learner import Recipe
from benchmark.training.recorded import recorder_for
from benchmark.training.stage import At, Stage, start_stage
from benchmark.tuning.layers import channels_last

CPU = torch.device("cpu")
TASK = "denoise"
LIMITS = {
    "adafm": 1.15,
    "ftn": 1.15,
    "dni": 1.15,
    "tunable_conv": 1.15,
    "decouple": 1.25,
    "hypernet": 1.25,
    "cfsnet": None,
    "dynamic_net": None,
}
"""Most that a step may take of its backbone's; None: the ratio of multiply-accumulates times 1.1.

Where a step has several levels, the backbone gets the samples of each by themselves too.
"""
NETWORKS = {"small": "laptop", "adafm_net": "paper"}
TURNS = {"small": (8, 11), "adafm_net": (1, 5)}
"""Steps of a turn, and turns: a short step right after one of another network finds cold caches."""
STEPS = 12
"""Steps of a run with the data pipeline."""


def figures() -> Iterator[Figure]:
    """Yields ratios of steps on the small network and on AdaFM-Net."""
    for backbone, name in NETWORKS.items():
        preset = dataclasses.replace(
            config.PRESETS[name], perceptual=False, precision="32-true", workers=0
        )
        yield from _methods(backbone, preset)
        yield from _pipeline(backbone, preset)
    yield from _naive("adafm_net")


def _methods(backbone: str, preset: config.Preset) -> Iterator[Figure]:
    """Yields steps against those of the backbone: on the whole batch, or on that of each level.

    Of all methods only one is there at a time, as in training: the others would take its memory.
    """
    task, start = tasks.get(TASK), start_stage()
    each, turns = TURNS[backbone]
    for name, limit in LIMITS.items():
        method = build_method(create_method(name), backbone, task, 0)
        # The stage in which the method itself is trained, or its second network.
        stage = list(method.stages(task))[-1]
        count = len(_batch(stage, preset).runs)
        steps = {
            "method": step_of(method, stage, preset),
            "per level": step_of(plain_of(backbone, count), start, preset),
        }
        if count > 1:
            steps["one batch"] = step_of(plain_of(backbone), start, preset)
        times = rivals(
            {key: functools.partial(_in_a_row, one, each) for key, one in steps.items()}, turns
        )
        took, alone = times["method"], build_backbone(backbone, task, 0)
        yield Figure(
            f"step of {name} against its backbone, {backbone}",
            took / times["per level"],
            limit=limit or 1.1 * cost.macs(method.tuned(task.space.end)) / cost.macs(alone),
            note=f"{1000 * took / each:.0f} ms"
            + (f"; per level, {took / times['one batch']:.2f} x of one batch" if count > 1 else ""),
        )


def _in_a_row(step: Callable[[], None], count: int) -> None:
    for _ in range(count):
        step()


def _pipeline(backbone: str, preset: config.Preset) -> Iterator[Figure]:
    """A whole fit, loader and Lightning included, against as many steps on one batch."""
    task, stage = tasks.get(TASK), start_stage()
    bare = step_of(plain_of(backbone), stage, preset)
    patches = Patches(open_set("builtin", "train"), task, stage.levels, preset, seed=0)

    def fit(steps: int) -> Callable[[], None]:
        def run() -> None:
            method = plain_of(backbone)
            _begin(method, stage, preset, steps)
            progress = Progress(steps, Path(tempfile.gettempdir()), 10**6, lambda text: None)
            trainer(preset, progress).fit(method, PatchData(patches, steps))

        return run

    short, long = STEPS, 3 * STEPS
    times = rivals(
        {
            "bare": lambda: [bare() for _ in range(long - short)],
            "short": fit(short),
            "long": fit(long),
        }
    )
    yield Figure(
        f"step with data and Lightning against the bare step, {backbone}",
        (times["long"] - times["short"]) / times["bare"],
        limit=1.05,
    )


def _naive(backbone: str) -> Iterator[Figure]:
    """The same network in a loop as one writes it first: NCHW, plain Adam, default allocator."""
    preset = config.PRESETS["paper"]
    # Both are the same on a machine without units for bf16.
    precisions = dict.fromkeys(
        precision_of(dataclasses.replace(preset, precision=one)) for one in config.PRECISIONS
    )
    steps = {
        one: step_of(plain_of(backbone), start_stage(), dataclasses.replace(preset, precision=one))
        for one in precisions
    }
    with elsewhere(_script, backbone) as script:
        times = rivals({**steps, "script": script})
    fastest = min(steps, key=lambda one: times[one])
    for precision in steps:
        yield Figure(
            f"plain eager NCHW loop against our step, {backbone}, {precision}",
            times["script"] / times[precision],
            limit=1.6 if precision == fastest else None,
            at_least=True,
            note=f"{1000 * times[precision]:.0f} ms",
        )


def _script(backbone: str) -> Callable[[], None]:
    torch.set_num_threads(threads_each(1))
    return script_of(backbone, config.PRESETS["paper"])


def script_of(
    backbone: str, preset: config.Preset, device: torch.device = CPU
) -> Callable[[], None]:
    """Returns the step of a loop as one writes it first: 32 bits, NCHW, plain Adam."""
    network = build_backbone(backbone, tasks.get(TASK), 0).to(device)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4)
    sizes = (preset.batch, 3, preset.patch, preset.patch)
    x, y = (torch.rand(sizes, device=device) for _ in range(2))

    def run() -> None:
        optimizer.zero_grad()
        nn.functional.l1_loss(network(x), y).backward()
        optimizer.step()

    return run


class _InParts(Plain):
    """A backbone that is given its batch in parts, as what knows several levels takes it."""

    def __init__(self, parts: int):
        super().__init__()
        self.parts = parts

    def loss(self, batch: Batch, stage: Stage) -> Tensor:
        """Returns the loss of the last part; the others have gone backward by then."""
        pieces = zip(*(one.chunk(self.parts) for one in batch[:3]), strict=True)
        *others, last = (Batch(*piece, [len(piece[0])]) for piece in pieces)
        for one in others:
            super().loss(one, stage).backward()
        return super().loss(last, stage)


def plain_of(backbone: str, parts: int = 1) -> Plain:
    """Returns a backbone as the start stage trains it, on its batch as a whole or in parts."""
    task = tasks.get(TASK)
    plain = Plain() if parts == 1 else _InParts(parts)
    plain.assemble(build_backbone(backbone, task, 0), task.space)
    return plain


def _begin(method: ControlMethod, stage: Stage, preset: config.Preset, steps: int) -> None:
    objective = tasks.get(TASK).objective
    level = stage.levels.level if isinstance(stage.levels, At) else None
    mixed = MixedObjective(objective, level, preset.critic_width)
    method.begin(stage, mixed, Recipe(steps, preset.lr, preset.schedule))
    channels_last(method)


def step_of(
    method: ControlMethod,
    stage: Stage,
    preset: config.Preset,
    device: torch.device = CPU,
    recorded: bool = True,
) -> Callable[[], None]:
    """Returns a training step on one fixed batch, without a trainer around it.

    Args:
        method: What is trained.
        stage: How.
        preset: Its batch size, patches and precision.
        device: Where.
        recorded: Whether steps may be replayed there.
    """
    _begin(method, stage, preset, 10**6)
    method.to(device)
    batch = _batch(stage, preset)
    batch = batch._replace(
        **{name: getattr(batch, name).to(device) for name in ("x", "y", "level")}
    )
    half = preset.precision == "bf16-mixed"
    optimizers = method.configure_optimizers()
    step = functools.partial(method.update, optimizers=optimizers)
    if recorded and method.recordable:
        step = recorder_for(device, optimizers, step) or step

    def run() -> None:
        # As Lightning has it: without the cache of weights.
        with torch.autocast(device.type, torch.bfloat16, enabled=half, cache_enabled=False):
            step(batch)

    return run


def _batch(stage: Stage, preset: config.Preset) -> Batch:
    task = tasks.get(TASK)
    return Patches(open_set("builtin", "train"), task, stage.levels, preset, seed=0)[0]
