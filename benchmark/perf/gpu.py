"""Training on a GPU: images a second, how busy it is, and against a loop as one writes it first.

Without a GPU there is nothing to measure.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import torch
from torch.profiler import ProfilerActivity, profile

from benchmark import config, tasks
from benchmark.build import build_method, create_method
from benchmark.perf.measure import Figure, rivals, seconds
from benchmark.perf.training import LIMITS, TASK, plain_of, script_of, step_of
from benchmark.train import choosing_kernels, steps_of
from benchmark.training.stage import Stage, start_stage

PRESET = dataclasses.replace(config.PRESETS["gpu"], workers=0)
SMALL_PATCH = 64
"""Side of the patches on which steps are compared with the plain loop."""
TURNS = 20
"""Steps that are timed as one."""


def figures() -> Iterator[Figure]:
    """Yields nothing without a GPU."""
    if torch.cuda.is_available():
        with choosing_kernels():
            yield from measured(torch.device("cuda"))


def measured(device: torch.device) -> Iterator[Figure]:
    """Yields, for the backbone and every method on it, speed, use and what the ``gpu`` preset takes."""
    task = tasks.get(TASK)
    small = dataclasses.replace(PRESET, patch=SMALL_PATCH)
    script = repeated(script_of(PRESET.backbone, small, device))
    for name in ("plain", *LIMITS):
        stages = [start_stage()]
        if name != "plain":
            stages = list(build_method(create_method(name), PRESET.backbone, task, 0).stages(task))
        last = stages[-1]
        # The start network's steps are shorter than those of what is tuned from it.
        every = {one: repeated(_step(name, one, PRESET, device)) for one in stages}
        runs = {
            "script": script,
            "patch": repeated(_step(name, last, small, device)),
            "piecewise": repeated(_step(name, last, small, device, recorded=False)),
            **{one.name: run for one, run in every.items()},
        }
        times = rivals(runs)
        budget = {one.name: steps_of(one, PRESET, task) for one in stages}
        whole = sum(count * times[one] / TURNS for one, count in budget.items())
        yield Figure(
            f"training of {name}, {PRESET.patch}x{PRESET.patch}",
            PRESET.batch * TURNS / times[last.name],
            "images/s",
            note=f"gpu preset: {whole / 60:.1f} min for {sum(budget.values())} steps, without data "
            "and Lightning",
        )
        yield Figure(f"time that the GPU computes, {name}", busy(every[last]))
        yield Figure(
            f"plain fp32 eager loop against {name}, {SMALL_PATCH}x{SMALL_PATCH}",
            times["script"] / times["patch"],
            limit=3,
            at_least=True,
        )
        yield Figure(
            f"{name} launched piece by piece against replayed, {SMALL_PATCH}x{SMALL_PATCH}",
            times["piecewise"] / times["patch"],
        )


def _step(
    name: str, stage: Stage, preset: config.Preset, device: torch.device, recorded: bool = True
) -> Callable[[], None]:
    backbone = preset.backbone
    if name == "plain" or stage.network:
        method = plain_of(backbone)
    else:
        method = build_method(create_method(name), backbone, tasks.get(TASK), 0)
    return step_of(method, stage, preset, device, recorded)


def repeated(run: Callable[[], None]) -> Callable[[], None]:
    """Returns ``TURNS`` calls that end when the GPU has done them."""

    def all_of_them() -> None:
        for _ in range(TURNS):
            run()
        if torch.cuda.is_initialized():
            torch.cuda.synchronize()

    return all_of_them


def busy(run: Callable[[], None]) -> float:
    """Returns the time that kernels ran, over the time that passed without anybody watching."""
    run()
    passed = seconds(run)
    with profile(activities=[ProfilerActivity.CUDA]) as seen:
        run()
    return sum(one.self_device_time_total for one in seen.key_averages()) / 1e6 / passed
