"""Sweeping the dial: scoring one method's weights at the missing levels of one dataset."""

from __future__ import annotations

import functools
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

import benchmark
from benchmark import importing, tasks
from benchmark.build import build_method, create_method, load_states
from benchmark.control import Level, level_text
from benchmark.data.pairs import open_test
from benchmark.data.patches import to_png
from benchmark.data.samples import KEPT, Samples
from benchmark.data.sources import ImageSet
from benchmark.method import ControlMethod
from benchmark.metrics.needs import needed
from benchmark.metrics.scorer import Scorer, availability
from benchmark.planning import keys
from benchmark.planning.jobs import SweepJob
from benchmark.records import SCHEMA
from benchmark.scoring import blind, cost
from benchmark.scoring.dialling import ESTIMATOR, AtLevel, ByEstimate, ByMap, Dial, level_of
from benchmark.scoring.forward import batches, best_device, check, ready, restored, scored, warm
from benchmark.store import LATER, NEEDS, Cell, Row, Store, now
from benchmark.tasks import Task
from benchmark.trained import loaded, training_of
from benchmark.training import stopping

NETWORKS = 16
"""Networks kept in memory where an image is restored at several dials."""

ORIGIN = ("torch", "device", "harness_version", "created_utc")
"""Facts that say when and where numbers were made."""

Say = Callable[[str], None]


def sweep(job: SweepJob, store: Store, say: Say) -> None:
    """Scores the cells of a job that the store lacks, committing each as it is done.

    A cell whose missing metrics can be had now keeps its other rows as they are.

    Raises:
        JobError: If a stage is missing, or an output has the wrong shape or is not finite.
        UserError: If an image cannot be read.
    """
    task = tasks.get(job.task)
    images = open_test(task, job.dataset, job.preset.crop, job.offline)
    available = availability(task.metrics, job.offline, store)
    imported = needed(task.metrics, store)
    weights, steps = training_of(job, store)
    key_of, todo = keys.cell_keys(job, task, weights, images), []
    for point in job.points():
        key = key_of(point)
        old, metrics = store.read_cell(task.name, key), task.metrics_at(*point)
        metrics = metrics if old is None else tuple(old.without(metrics, available, imported))
        if metrics:
            todo.append((point, key, old, metrics))
    if not todo:
        return
    method = loaded(job, task, store)
    device = best_device()
    facts = {
        **_facts(job, task, images, weights, device),
        **{NEEDS + metric: one for metric, one in imported.items()},
    }
    price = {
        **cost.of_method(method, method.tuned(cost.last_level(method, task))),
        "train_steps": steps,
    }
    samples = Samples(images, task, store)
    scorer = functools.cache(lambda metrics: Scorer(metrics, task.protocol, offline=job.offline))
    # Only in a matrix does a network, or an input, come again.
    network_at = functools.lru_cache(None if job.crossed else 1)(
        lambda dial: ready(method.tuned(dial), device)
    )
    given_at = functools.lru_cache(KEPT if job.crossed else 0)(samples.degraded)
    sizes = [tuple(samples.clean(index).shape[1:]) for index in range(len(samples))]
    groups = batches(sizes)
    if device.type == "cuda" and job.preset.timing and not task.compares_dials:
        (level, dial), *_ = todo[0]
        warm(network_at(dial), functools.partial(given_at, level=level), sizes, groups, device)
    setter = dial_of(job, task, method, samples, store, device) if task.compares_dials else None
    clock = _Clock(len(todo) * len(samples), say)
    for (level, dial), key, old, metrics in todo:
        shown, tuned_to = level_text(level), level_text(dial)
        at = shown if dial == level else f"{shown} with the dial at {tuned_to}"
        found: dict[int, list[Row]] = {}
        times, pictures = [], {}
        given = functools.partial(given_at, level=level)
        results = (
            setter.scored(level, metrics)
            if setter
            else scored(network_at(dial), given, samples, level, groups, scorer(metrics), device)
        )
        for index, output, milliseconds, scores in results:
            stopping.check()
            name = samples.name(index)
            times.append(milliseconds)
            found[index] = [
                Row(name, metric, score.value, score.status, score.reason)
                for metric, score in scores.items()
            ]
            if index == 0 and dial == level:
                more = setter.pictures if setter else {}
                pictures = _write_pictures(store, samples, key, level, output, more)
            clock.tick(f"level {at}, image {len(found)}/{len(samples)}")
        rows = [row for index in sorted(found) for row in found[index]]
        timing = statistics.median(times) if job.preset.timing else None
        # At every level anew: a disturbance of a second would spoil one measurement as a whole.
        turned = job.preset.timing and dial == level
        switching = _switch(method, task, device) if turned else None
        cell = Cell(
            key,
            {
                **facts,
                "created_utc": now(),
                "level": shown,
                "set_level": tuned_to,
                "level_physical": level_text(task.space.physical(level)),
            },
            tuple(rows),
            {**price, "ms_per_image": timing, "switch_ms": switching},
            pictures,
        )
        store.write_cell(
            task.name, cell if old is None else merged(old, cell, task.metrics_at(level, dial))
        )


def dial_of(
    job: SweepJob,
    task: Task,
    method: ControlMethod,
    samples: Samples,
    store: Store,
    device: torch.device,
) -> Dial:
    """Returns what sets the dial of a task that compares dials."""
    network_at = functools.lru_cache(NETWORKS)(lambda one: ready(method.tuned(one), device))

    def restore(dial: Level | Tensor, image: Tensor) -> tuple[Tensor, float]:
        still = isinstance(dial, Tensor)
        network = ready(method.tuned(dial), device) if still else network_at(dial)
        (output,), milliseconds = restored(network, [image], device)
        sides = [side * task.scale for side in image.shape[1:]]
        check(output, image.new_zeros(3, *sides), "of the test set")
        return output, milliseconds

    if task.dial == "map":
        return ByMap(task, samples, restore, job.offline)
    if task.dial == "level":
        return AtLevel(task, samples, restore, job.offline)
    own = build_method(create_method(ESTIMATOR), job.backbone, task, job.seed)
    load_states(own, task, {ESTIMATOR: store.load_stage(job.stage_keys[ESTIMATOR])})
    own = ready(own.eval().requires_grad_(False), device)
    estimators = {"": functools.partial(level_of, own, device=device)}
    if task.degradation == "gaussian_noise" and importing.missing(blind.KIND, store) is None:
        estimators["-hyperres"] = functools.partial(
            blind.estimated_level, blind.estimator(store), task.space
        )
    return ByEstimate(task, samples, restore, job.offline, estimators=estimators)


def merged(old: Cell, new: Cell, metrics: Sequence[str]) -> Cell:
    """Returns a cell with the rows of ``old``, except for the metrics that ``new`` has."""
    redone = {row.metric for row in new.rows}
    rows = {
        (row.image, row.metric): row
        for row in (*(one for one in old.rows if one.metric not in redone), *new.rows)
    }
    images = dict.fromkeys(row.image for row in old.rows)
    order = [(image, metric) for image in images for metric in metrics]
    kept = tuple(rows[one] for one in order if one in rows)
    needs = {name: one for name, one in new.facts.items() if name.startswith(NEEDS)}
    origin = {name: new.facts[name] for name in ORIGIN}
    later = {**old.facts.get(LATER, {}), **dict.fromkeys(redone, origin)}
    return Cell(old.key, {**old.facts, **needs, LATER: later}, kept, old.cost, old.pictures)


class _Clock:
    """Tells the progress of a known number of equal pieces of work, about once a second."""

    def __init__(self, pieces: int, say: Say):
        self.pieces, self.say, self.done = pieces, say, 0
        self.began = self.told = time.monotonic()

    def tick(self, text: str) -> None:
        self.done += 1
        at = time.monotonic()
        if at - self.told >= 1:
            self.told = at
            left = (at - self.began) / self.done * (self.pieces - self.done)
            self.say(f"{text}, {left:.0f} s left")


def _facts(
    job: SweepJob, task: Task, images: ImageSet, weights: str, device: torch.device
) -> dict[str, Any]:
    """Returns the columns that all rows of a sweep share."""
    return {
        "schema": SCHEMA,
        "task": task.name,
        "task_digest": keys.scoring_digest(task),
        "protocol": task.protocol.id,
        "dataset": images.name,
        "method": job.method,
        "method_digest": keys.method_digest(job.method, job.method_file, job.backbone),
        "backbone": job.backbone,
        "preset": keys.preset_text(job.preset),
        "seed": job.seed,
        "weights_sha256": weights,
        "torch": torch.__version__,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "harness_version": benchmark.__version__,
    }


def _switch(method: ControlMethod, task: Task, device: torch.device) -> float | None:
    """Returns the milliseconds of setting another level, or None where nobody sets one.

    That is so for networks of single levels, and where the dial is a map.
    """
    if method.only_levels(task) is not None or task.dial == "map":
        return None
    network = ready(method.tuned(task.grid[0]), device)
    return cost.of_switch(method, network, task.grid, device)


def _write_pictures(
    store: Store,
    samples: Samples,
    key: str,
    level: Level,
    output: Tensor,
    more: Mapping[str, Tensor],
) -> dict[str, str]:
    """Stores the first image: restored, as it was given, and clean; returns the file names.

    What should have come out is stored too where it depends on the level, and what else is ``more``.
    """
    task, images = samples.task, samples.images
    name = samples.name(0)
    shown = level if samples.varies else task.space.start
    given = f"{keys.picture_key(task, images, name, shown)}.png"
    clean = f"{keys.picture_key(task, images, name, None)}.png"
    store.write_picture(task.name, f"{key}.png", to_png(output))
    store.write_picture(task.name, given, to_png(samples.degraded(0, level)))
    store.write_picture(task.name, clean, to_png(samples.clean(0)))
    files = {"image": name, "restored": f"{key}.png", "input": given, "clean": clean}
    if task.operator or task.target != "clean":
        files["target"] = f"target-{keys.picture_key(task, images, name, level)}.png"
        store.write_picture(task.name, files["target"], to_png(samples.target(0, level)))
    for name, image in more.items():
        files[name] = f"{key}-{name}.png"
        store.write_picture(task.name, files[name], to_png(image))
    return files
