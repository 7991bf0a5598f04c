"""What methods ask for, as jobs of a plan."""

from __future__ import annotations

import dataclasses
import re
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark import build, tasks
from benchmark.control import Level, level_text
from benchmark.errors import Failure, JobError, UserError, one_line
from benchmark.method import ControlMethod
from benchmark.planning import keys
from benchmark.planning.jobs import Point, SweepJob, TrainJob
from benchmark.planning.request import Choice, Request
from benchmark.registry import spec
from benchmark.results import FEW_LEVELS
from benchmark.scoring.dialling import ESTIMATOR
from benchmark.store import IMPORTED, Store
from benchmark.tasks import Task
from benchmark.training.stage import Stage, fault
from benchmark.tuning.spatial import refusal

if TYPE_CHECKING:
    from benchmark.plan import Plan

Needs = tuple[tuple[Stage, ...], tuple[Level, ...] | None, str]
"""What a method asks for: its stages, the only levels it answers at, and what is to be imported."""


def asked(plan: Plan, choice: Choice) -> Needs | None:
    """Returns what a method asks for on this task; a broken or unfit one is noted instead."""
    request, task = plan.request, plan.task
    file = Path(choice.file) if choice.file else None
    try:
        method = build.create_method(choice.method, file)
        reason = method.skip(task) or _unfit(method, request, task)
        if not reason:
            stages = tuple(method.stages(task))
            if wrong := fault(stages, task.space.d):
                raise JobError(wrong)
            return stages, _only(method, task), _to_import(method.imports, choice)
    except UserError:
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a broken method stops nothing else
        reason = str(error) if isinstance(error, JobError) else one_line(error)
        trace = traceback.format_exc()
        plan.failures.append(Failure(choice.method, request.backbone, None, reason, trace))
        return None
    plan.skipped.append(Failure(choice.method, request.backbone, None, f"skipped: {reason}"))
    return None


def _only(method: ControlMethod, task: Task) -> tuple[Level, ...] | None:
    """Returns the only levels of a method, or None if it has all.

    Raises:
        JobError: If it returns something else.
    """
    only = method.only_levels(task)
    try:
        for level in () if only is None else only:
            task.space.check(tuple(level))
    except (TypeError, ValueError):
        raise JobError(
            f"only_levels() must return None or levels of {task.name}, like ({task.space.end},), and "
            f"returned {only!r}"
        ) from None
    return only


def _to_import(imports: str, choice: Choice) -> str:
    """Returns what is to be imported, with a method's options in the place of their defaults."""
    for key, value in spec.parse(choice.method).options.items():
        imports = re.sub(rf"(?<=--{key} )\S+", f"{value}", imports)
    return imports


def _unfit(method: ControlMethod, request: Request, task: Task) -> str:
    """Returns why a method cannot be put on a backbone, or an empty text; assembles it to find out.

    What else fails here would fail in every job.
    """
    try:
        build.build_method(method, request.backbone, task, request.seeds[0])
    except UserError as error:
        return str(error)
    return refusal(method) if task.dial == "map" else ""


def add(
    plan: Plan,
    store: Store,
    choice: Choice,
    seed: int,
    set_digests: tuple[str, ...],
    needs: Needs,
) -> None:
    """Adds the stages and sweeps of a method with a seed to a plan, or why it cannot run.

    Args:
        plan: The plan.
        store: Where imported weights are.
        choice: The method.
        seed: The seed.
        set_digests: Digests of the training sets.
        needs: What ``asked`` returned.
    """
    request, task = plan.request, plan.task
    stages, answers, imports = needs
    known: dict[str, str] = {}
    owners = [(choice, stage) for stage in stages]
    if task.dial == "estimate":
        estimator = Choice(ESTIMATOR)
        owners += [
            (estimator, one) for one in build.create_method(ESTIMATOR).stages(tasks.get(task.base))
        ]
    for owner, stage in owners:
        if stage.imported:
            known[stage.name] = IMPORTED + stage.imported
            if store.read_stage(known[stage.name]) is None:
                there = store.imported(spec.parse(choice.method).name)
                others = [one for one in there if one != stage.imported]
                known_as = f" as {stage.imported}, only {', '.join(others)}" if others else ""
                to_do = f"run 'dialbench import {imports}'"
                if not imports:
                    to_do = f"store its weights as '{known[stage.name]}' (CONTRIBUTING says how)"
                reason = f"not imported{known_as}: {to_do}"
                plan.failures.append(Failure(choice.method, request.backbone, None, reason))
                return
            continue
        plain = stage.network is not None
        start = known[stage.starts_from] if stage.starts_from else None
        job = TrainJob(
            "",
            task.trained_as or task.name,
            None if plain else owner.method,
            None if plain else owner.file,
            request.backbone,
            stage,
            request.preset,
            seed,
            request.train,
            start,
            request.offline,
        )
        job = dataclasses.replace(job, key=keys.train_key(job, set_digests))
        known[stage.name] = job.key
        plan.trains.setdefault(job.key, job)
        users = plan.users.setdefault(job.key, [])
        if choice.method not in users:
            users.append(choice.method)
        if choice.method in request.force and owner == choice and (not plain or start):
            plan.forced[0].add(job.key)
    levels = tuple(one for one in plan.levels if answers is None or one in answers)
    unasked = [level_text(one) for one in answers or () if one not in plan.levels]
    if answers is not None and (unasked or len(levels) < len(plan.levels)):
        have = ", ".join(level_text(one) for one in answers)
        lacks = f", of which this run has not {', '.join(unasked)}" if unasked else ""
        left = "; the others are left out" if len(levels) < len(plan.levels) else ""
        if not levels:
            lacks, left = ", of which this run has none", ""
        text = f"{FEW_LEVELS}{have}{lacks}{left}"
        plan.skipped.append(Failure(choice.method, request.backbone, None, text))
    for dataset in request.test:
        job = SweepJob(
            "",
            task.name,
            choice.method,
            choice.file,
            request.backbone,
            request.preset,
            seed,
            known,
            dataset,
            levels,
            request.offline,
            # A method that answers at a few levels only has no dial that could be set wrong.
            crossed(levels) if request.matrix and answers is None else (),
        )
        job = dataclasses.replace(job, key=keys.sweep_key(job))
        plan.sweeps[job.key] = job


def crossed(levels: Sequence[Level]) -> tuple[Point, ...]:
    """Returns the points of the level x dial matrix that lie off its diagonal."""
    return tuple((level, dial) for level in levels for dial in levels if level != dial)
