"""How long a campaign takes and how much it stores, from what runs in the store took.

Every number comes from records of the same work: stages of the same task, method, backbone and kind
of batch (per step), cells of the same task, data set, crop, method and backbone (per image). What has no
record is listed and not guessed. The time of a stage holds its start-up, which is most of a very
short one: such records count only where there are no longer ones, and are named then.
"""

from __future__ import annotations

import statistics
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING

from benchmark.amount import amount
from benchmark.data.sources import WITHOUT
from benchmark.errors import UserError
from benchmark.planning.jobs import TrainJob
from benchmark.planning.keys import preset_of, preset_text
from benchmark.records import read_json
from benchmark.store import WEIGHTS, Store

if TYPE_CHECKING:
    from benchmark.plan import Plan

BATCH = ("batch", "patch", "patch_sr", "precision", "critic_width", "perceptual", "devices")
"""Settings that a training step's duration depends on."""

LONG = 50
"""Steps from which on a run of a stage tells what a step takes."""


@dataclass
class Record:
    """What the same work took before.

    Args:
        runs: Training steps and the seconds that each took; a cell is one step, an image restored.
        size: Bytes of a stage, or of a cell with the pictures that are its own; inputs, targets and
            clean images, which methods share, are not counted.
        bare: Bytes of cells without pictures: those with the dial set wrong have none.
    """

    runs: list[tuple[int, float]] = field(default_factory=list)
    size: list[int] = field(default_factory=list)
    bare: list[int] = field(default_factory=list)

    def longest(self) -> int:
        """Returns the steps of the longest run, or 0 without one."""
        return max((steps for steps, _ in self.runs), default=0)

    def second(self) -> float | None:
        """Returns the median duration of a step, or None without one."""
        least = min(LONG, self.longest())
        runs = [(steps, second) for steps, second in self.runs if steps >= least]
        return weighted_median(runs) if runs else None

    def bytes(self) -> float | None:
        """Returns the median size, or None without one."""
        return statistics.median(self.size) if self.size else None


def weighted_median(runs: Iterable[tuple[int, float]]) -> float:
    """Returns the value that half of the weight lies below, of pairs of a weight and a value."""
    found = sorted(runs, key=lambda one: one[1])
    upto = list(accumulate(weight for weight, _ in found))
    middle = (side(upto, upto[-1] / 2) for side in (bisect_left, bisect_right))
    return statistics.mean(found[at][1] for at in middle)


@dataclass(frozen=True)
class Line:
    """One line of the page: ``seconds`` and ``size`` in all, None where nothing is recorded.

    ``short`` is the length of the runs that ``seconds`` comes from, where that is too few steps.
    """

    task: str
    preset: str
    what: str
    count: int
    seconds: float | None
    size: float | None
    short: int = 0


def page(plans: Sequence[Plan], store: Store) -> str:
    """Returns the size of a campaign as Markdown.

    Args:
        plans: One for each task and preset.
        store: Where the records are.
    """
    stages, cells = _stages(store), _cells(store, {plan.task.name for plan in plans})
    lines = [line for plan in plans for line in (*_trains(plan, stages), *_sweeps(plan, cells))]
    text = [
        "# Size of the campaign",
        "",
        "| task | preset | what | jobs | hours | MB |",
        "|---|---|---|--:|--:|--:|",
    ]
    text += [
        f"| {one.task} | {one.preset} | {one.what} | {one.count} | {_hours(one.seconds)} | "
        f"{_megabytes(one.size)} |"
        for one in lines
    ]
    seconds, size = (
        sum(value for value in values if value is not None)
        for values in ([one.seconds for one in lines], [one.size for one in lines])
    )
    count = sum(one.count for one in lines)
    text += [f"| **all** | | | {count} | {_hours(seconds)} | {_megabytes(size)} |", ""]
    short = [
        f"{one.task} {one.preset} {one.what}: from runs of {amount(one.short, 'step')}"
        for one in lines
        if one.short
    ]
    unknown = [f"{one.task} {one.preset} {one.what}" for one in lines if one.seconds is None]
    devices = sorted({key[-1] for key in (*stages, *cells)})
    text += [
        "Hours are those of one job after the other, counted as if nothing were stored yet. They "
        f"were recorded on: {', '.join(devices) or 'nothing so far'}. Sweeps count the restoring "
        "of images; what scoring takes is not recorded. MB are those of weights, scores and restored "
        "images; the inputs and targets that methods share are not counted.",
    ]
    if short:
        text += [
            "",
            f"Counted far too high, start-up included, since no run in the store timed {LONG} steps:",
            "",
            *(f"- {one}" for one in short),
        ]
    if unknown:
        text += [
            "",
            "Not counted, since nothing like it is in the store (run it once, with one seed or "
            f"--set steps={LONG}, to have it counted; not with --preset smoke, which takes no times of "
            "sweeps):",
            "",
            *(f"- {one}" for one in unknown),
        ]
    return "\n".join(text)


def _trains(plan: Plan, records: dict[tuple, Record]) -> list[Line]:
    """Returns one line for every stage, with all seeds."""
    groups: dict[str, list[tuple[float | None, float | None]]] = {}
    short: dict[str, int] = {}
    for key, job in plan.trains.items():
        users = plan.users[key]
        what = f"train {job.stage.name} (shared by {len(users)})"
        if len(users) == 1:
            what = f"train {users[0]} {job.stage.name}"
        found = _best(records, _stage_key(job))
        second = found.second()
        took = None if second is None else second * plan.steps(key)
        groups.setdefault(what, []).append((took, found.bytes()))
        short[what] = found.longest() if found.longest() < LONG else 0
    return [_line(plan, what, members, short[what]) for what, members in groups.items()]


def _sweeps(plan: Plan, records: dict[tuple, Record]) -> list[Line]:
    """Returns one line for every method and data set, with all seeds."""
    groups: dict[str, list[tuple[float | None, float | None]]] = {}
    for job in plan.sweeps.values():
        test = plan.images[job.dataset]
        # Cells know sets by name, jobs perhaps by a path.
        crop = max(one.crop for one in test.pictures)
        found = _best(records, (job.task, test.name, job.method, job.backbone, crop))
        images = len(test.pictures) * len(plan.task.cases)
        second, size = found.second(), found.bytes()
        took = None if second is None else second * images * len(job.points())
        stored = size
        if size is not None:
            stored = size * len(job.levels) + statistics.median(found.bare) * len(job.crossed)
        groups.setdefault(f"sweep {job.method} on {test.name}", []).append((took, stored))
    return [_line(plan, what, members) for what, members in groups.items()]


def _line(
    plan: Plan, what: str, members: list[tuple[float | None, float | None]], short: int = 0
) -> Line:
    seconds, size = (_total(values) for values in zip(*members, strict=True))
    preset = preset_text(plan.request.preset)
    return Line(plan.task.name, preset, what, len(members), seconds, size, short)


def _total(values: Iterable[float | None]) -> float | None:
    values = list(values)
    return None if None in values else sum(value for value in values if value is not None)


def _best(records: dict[tuple, Record], key: tuple) -> Record:
    """Returns the record with a key on the device that has most of them, but for short ones."""
    found = [record for (*own, _), record in records.items() if tuple(own) == key]
    return max(found, key=lambda one: (one.longest() >= LONG, len(one.runs)), default=Record())


def _stage_key(job: TrainJob) -> tuple:
    own = tuple(getattr(job.preset, name) for name in BATCH)
    return (job.task.partition("@")[0], job.method, job.stage.name, job.backbone, *own)


def _stages(store: Store) -> dict[tuple, Record]:
    """Returns what stages took per step, by all that matters and the device."""
    found: dict[tuple, Record] = {}
    for path in sorted((store.home / "stages").glob("*/stage.json")):
        facts = (read_json(path) or {}).get("facts", {})
        try:
            job, preset = facts["job"], facts["job"]["preset"]
            own = tuple(preset.get(name, 1) for name in BATCH)
            name = job["stage"]["name"]
            key = (job["task"].partition("@")[0], job["method"], name, job["backbone"], *own)
            steps = facts["steps"] - facts.get("first", 0)
            size = (path.parent / WEIGHTS).stat().st_size
        except (KeyError, TypeError, OSError):
            continue
        record = found.setdefault((*key, facts.get("device", "an unknown device")), Record())
        record.size.append(size)
        if steps > 0:
            record.runs.append((steps, facts["seconds"] / steps))
    return found


def _cells(store: Store, tasks: set[str]) -> dict[tuple, Record]:
    """Returns what cells took per image, by all that matters and the device."""
    found: dict[tuple, Record] = {}
    for task in sorted(tasks):
        for path in sorted((store.home / "cells" / task).glob("*.json")):
            cell = read_json(path) or {}
            try:
                facts, took = cell["facts"], cell["cost"]["ms_per_image"]
                own = (facts[name] for name in ("task", "dataset", "method", "backbone"))
                key = (*own, _crop(facts["dataset"], facts["preset"]), facts["device"])
                names = [name for name in cell["pictures"].values() if name.startswith(path.stem)]
                matched = facts["level"] == facts["set_level"]
                bare = path.stat().st_size
                size = bare + sum(path.with_name(name).stat().st_size for name in names)
            except (KeyError, TypeError, OSError, UserError):
                continue
            record = found.setdefault(key, Record())
            record.bare.append(bare)
            if matched:
                record.size.append(size)
            if took is not None:
                record.runs.append((1, took / 1000))
    return found


def _crop(dataset: str, preset: str) -> int:
    """Returns the side of the middle of images that cells of a preset are of; 0 for whole images.

    Raises:
        UserError: If the preset is one of another version.
    """
    return preset_of(preset).crop if dataset.partition(WITHOUT)[0] == "builtin" else 0


def _hours(seconds: float | None) -> str:
    return "?" if seconds is None else f"{seconds / 3600:.3g}"


def _megabytes(size: float | None) -> str:
    return "?" if size is None else f"{size / 1e6:.3g}"
