"""Verbs that take a request: tasks, methods, levels, data and budget."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from benchmark import collector, tasks, tracking
from benchmark.amount import amount
from benchmark.errors import UserError
from benchmark.planning.request import names_in, no_matrix, request_of
from benchmark.registry.engines import engine
from benchmark.store import Store
from benchmark.verbs import entries
from benchmark.verbs.telling import (
    debugs,
    headline,
    into,
    note,
    outcome,
    shown,
    title,
    traces,
    written,
)

if TYPE_CHECKING:
    from benchmark.plan import Plan
    from benchmark.planning.request import Request
    from benchmark.results import Results


def run(args: argparse.Namespace) -> int:
    """Trains, sweeps and reports."""
    return _work(args, train=True, sweep=True)


def train(args: argparse.Namespace) -> int:
    """Trains the missing stages."""
    return _work(args, train=True, sweep=False)


def sweep(args: argparse.Namespace) -> int:
    """Scores the missing cells of what is trained."""
    return _work(args, train=False, sweep=True)


def _work(args: argparse.Namespace, train: bool, sweep: bool) -> int:
    if args.wandb and not sweep:
        raise UserError("training alone has no results to mirror; leave out --wandb")
    if args.wandb:
        tracking.ready()
    request, store = request_of(args), Store()
    if not args.dry_run:
        store.prepare()
        # torch, code and images take a while to be read, and silence looks like a fault.
        print(title(args, request), flush=True)

    from benchmark import engines

    if args.dry_run:
        from benchmark.verbs.outline import describe

        plan = _planned(args, request, store, train, writes=False)
        _some(plan)
        print(describe(plan, sweep=sweep))
        traces(plan.failures, debugs(args))
        _inspected(plan, train, sweep)
        return 0
    plan = _planned(args, request, store, train)
    _some(plan)
    _inspected(plan, train, sweep)
    _unseen(plan, store)
    plan.begin(store, sweep)
    chosen = engine(args.engine)
    failed = engines.run(chosen, plan.jobs(train, sweep), store, args.jobs)
    unmirrored = 0
    if sweep:
        results = _results(plan, store)
        if results.rows.empty:
            print("nothing was scored, so there is no report", file=sys.stderr)
        else:
            _write_report(results, plan, store)
            if args.wandb:
                unmirrored = _mirror(results, plan, store, args.offline)
    for choice in request.methods:
        if choice.file:
            print(
                f"{choice.method}: 'dialbench test {choice.file}' finds what a table cannot show",
                file=sys.stderr,
            )
    return max(outcome(plan, store, failed, debugs(args)), int(unmirrored > 0))


def _planned(
    args: argparse.Namespace,
    request: Request,
    store: Store,
    train: bool = True,
    writes: bool = True,
) -> Plan:
    """Returns the plan of a request, or of the entries that are named instead.

    Args:
        args: The options.
        request: What they ask for.
        store: What is there.
        train: Whether missing stages may be trained.
        writes: Whether something may be downloaded, or put into the store.
    """
    planning = _planner()
    if getattr(args, "entry", None):
        return entries.plan(args, store, writes)
    return (planning.make if writes else planning.looked_at)(request, store, train)


def _planner() -> ModuleType:
    """Returns the module that plans, and with it torch and Lightning: thousands of modules that stay."""
    with collector.paused():
        from benchmark import plan
    return plan


def _some(plan: Plan) -> None:
    """Refuses a request none of whose methods takes the task: success would mean a table."""
    if plan.skipped and not plan.sweeps and not plan.failures:
        reasons = "; ".join(map(str, dict.fromkeys(plan.skipped)))
        raise UserError(f"nothing is left of what was asked for: {reasons}")


def _inspected(plan: Plan, train: bool, sweep: bool) -> None:
    """Says what should be known of a plan's images, and refuses those that are too small."""
    from benchmark.planning.inspection import inspect

    for one in inspect(plan, train, sweep):
        note(one)


def _unseen(plan: Plan, store: Store) -> None:
    """Refuses to train on what will be tested, unless the request allows it."""
    from benchmark.planning.leakage import refuse

    found = plan.leaks(store, note)
    if not plan.request.allow_leaks:
        names = (one.name for one in plan.training)
        refuse(found, dict(zip(names, plan.request.train, strict=True)))


def size(args: argparse.Namespace) -> int:
    """Prints what a campaign would take: tasks x presets x methods x seeds."""
    presets = names_in([args.preset])
    if not presets:
        raise UserError("--preset names none; name one, or leave --preset out")
    wanted = [
        request_of(argparse.Namespace(**{**vars(args), "task": task, "preset": preset}))
        for preset in presets
        for task in dict.fromkeys(args.task)
    ]

    from benchmark.verbs import sizing

    planning = _planner()
    store = Store()
    plans = [planning.looked_at(one, store) for one in wanted]
    print(sizing.page(plans, store))
    for one in dict.fromkeys(one for plan in plans for one in plan.failures):
        note(one)
    return 0


def report(args: argparse.Namespace) -> int:
    """Writes the report of what is stored, and says what is not."""
    folder = _of_its_own(into(args.to)) if args.to else None
    plan, store, results = _stored(args, writes=folder is None)
    _write_report(results, plan, store, folder)
    return 0


def demo(args: argparse.Namespace) -> int:
    """Serves trained methods to a browser on this machine."""
    if args.entry:
        return entries.demo(args)
    from benchmark import demo as page

    return page.run(request_of(args), args.port)


def _of_its_own(folder: Path) -> Path:
    """Returns a folder for a report: one with other files would lose those of the same names."""
    from benchmark.report.home import facts_of

    if folder.is_dir() and any(folder.iterdir()) and facts_of(folder) is None:
        raise UserError(f"{folder} holds files that are no report's; name a new folder with --to")
    return folder


def export(args: argparse.Namespace) -> int:
    """Writes trained networks for other programs."""
    if args.entry:
        return entries.export(args)
    request, store = request_of(args), Store()

    planning = _planner()
    from benchmark import export as exporting

    plan = planning.looked_at(request, store)
    folder = into(args.to or store.home / "export" / plan.task.name)
    return written(exporting.run(plan, store, folder, args.onnx))


def restore(args: argparse.Namespace) -> int:
    """Restores images with trained methods."""
    if args.entry:
        return entries.restore(args)
    request, store = request_of(args), Store()

    planning = _planner()
    from benchmark.verbs import restore as restoring

    plan = planning.looked_at(request, store)
    folder = into(args.to or store.home / "restored" / plan.task.name)
    networks = restoring.stored(plan, store, args.calibrated)
    for path in restoring.run(networks, args.image, folder, plan.task.protocol.colour):
        print(shown(path))
    for one in plan.notes:
        note(one)
    there = [one.name for one in networks]
    missing = dict.fromkeys(job.method for job in plan.sweeps.values() if job.method not in there)
    for name in missing:
        print(f"{name}: {planning.untrained(plan)}", file=sys.stderr)
    return int(bool(missing or plan.failures))


def analyze(args: argparse.Namespace) -> int:
    """Makes a study: trains and scores what it needs, writes its tables and figure."""
    from benchmark import studies

    if args.list or args.name is None:
        print(studies.listing())
        return 0
    if args.wandb:
        raise UserError("a study is not mirrored; leave out --wandb, or use 'dialbench publish'")
    study = studies.get(args.name)
    if study.own_levels and (args.levels is not None or args.physical is not None):
        raise UserError(
            f"{args.name} looks at levels of its own; leave out --levels and --physical"
        )
    args.task = study.task if args.task is None else args.task
    args.methods = list(study.methods) if args.methods is None else args.methods
    args.seeds = study.seeds if args.seeds is None else args.seeds
    request, store = request_of(args), Store()
    if tasks.get(request.task).protocol.pairs:
        raise UserError(f"studies compare levels, which those of {request.task} do not have")
    axes = tasks.get(request.task).space.axes
    apart = study.named and any(axis.names for axis in axes)
    if study.one_dial and len(axes) > 1 and not apart:
        raise UserError(
            f"{args.name} shows one dial, and {request.task} has {len(axes)}; "
            f"choose a task like {study.task}"
        )
    if study.matrix:
        if reason := no_matrix(request.task):
            raise UserError(f"{args.name} {reason}; choose a task like {study.task}")
        if any(axis.names for axis in axes):
            raise UserError(
                f"{args.name} looks for weaker and stronger levels, and those of {request.task} are "
                f"names, which have no order; choose a task like {study.task}"
            )
        if request.levels is not None and len(request.levels) < 2:
            raise UserError(
                f"{args.name} sets the dial to other levels than the true one; give several levels"
            )
        request = dataclasses.replace(request, matrix=True)

    from benchmark import engines

    planning = _planner()
    look = planning.looked_at if args.dry_run else planning.make
    plans = [look(one, store) for one in study.requests(request)]
    for plan in plans:
        studies.inspect(args.name, plan, store)
    if args.dry_run:
        from benchmark.verbs.outline import describe

        print("\n\n".join(describe(one, study.trains, study.scores) for one in plans))
        return 0
    store.prepare()
    jobs = {}
    for plan in plans if study.trains else ():
        _inspected(plan, True, study.scores)
        _unseen(plan, store)
        plan.begin(store, study.scores)
        jobs.update({job.key: job for job in plan.jobs(True, study.scores)})
    failed = engines.run(engine(args.engine), list(jobs.values()), store, args.jobs)
    codes = [0]
    for plan in plans:
        own = {key: why for key, why in failed.items() if key in {**plan.trains, **plan.sweeps}}
        codes.append(outcome(plan, store, own, debugs(args)))
    folder, table = studies.perform(args.name, plans, store)
    print(table.to_string(index=False, float_format=lambda value: f"{value:.4g}"))
    print(f"study: {shown(folder / 'figure.svg')}")
    return max(codes)


def publish(args: argparse.Namespace) -> int:
    """Mirrors what is stored of a task, or of every task, to Weights & Biases."""
    tracking.ready()
    cells = Store().home / "cells"
    there = [path.name for path in sorted(cells.glob("*/"))] if cells.is_dir() else []
    if args.task is None and not there:
        raise UserError("nothing is stored yet; start with 'dialbench run TASK'")
    failed = mirrored = 0
    for name in [args.task] if args.task else there:
        try:
            wanted = argparse.Namespace(**{**vars(args), "task": name})
            plan, store, results = _stored(wanted, "" if args.task else f"{name}: ")
        except UserError as error:
            if args.task:
                raise
            print(f"{name}: {error}", file=sys.stderr)
            continue
        _write_report(results, plan, store)
        failed += _mirror(results, plan, store, args.offline)
        mirrored += 1
    if not mirrored:
        raise UserError("no task has results for these options; give those of the run")
    return int(failed > 0)


def _stored(
    args: argparse.Namespace, about: str = "", writes: bool = True
) -> tuple[Plan, Store, Results]:
    """Returns what is stored of a request; says what of it is not.

    Args:
        args: The options.
        about: What notes begin with, where there are several tasks.
        writes: Whether something will be written to the store; one of other people may only be read.
    """
    request, store = request_of(args), Store()
    if writes:
        store.prepare()

    plan = _planned(args, request, store, writes=False)
    plan.leaks(store, note)
    results = _results(plan, store)
    if results.rows.empty:
        verb = "sweep" if getattr(args, "entry", None) else "run"
        raise UserError(
            f"nothing is stored for this request; start with 'dialbench {verb} {plan.task.name}', "
            "with the same options"
        )
    from benchmark.verbs.notes import absent

    notes = [str(note) for note in plan.notes]
    if lost := absent(plan, store):
        notes.append(f"not stored: {lost}")
    for one in dict.fromkeys(notes):
        note(f"{about}{one}")
    return plan, store, results


def _results(plan: Plan, store: Store) -> Results:
    from benchmark.collect import collect

    planning = _planner()
    found = planning.stored_cells(plan, store)
    return collect(store, found, planning.failures(plan, store))


def _write_report(results: Results, plan: Plan, store: Store, to: Path | None = None) -> None:
    from benchmark import report
    from benchmark.planning.keys import preset_text
    from benchmark.verbs.notes import replaced

    folder = to or store.home / "report" / plan.task.name
    if text := replaced(folder, results):
        note(text)
    sets = [f"{one.name} ({amount(len(one.pictures), 'image')})" for one in plan.training]
    trained_on = ", ".join(sets) if plan.trains else ""
    with collector.paused():
        presets = dict.fromkeys(preset_text(job.preset) for job in plan.sweeps.values())
        report.write(results, plan.task, ", ".join(presets), folder, trained_on)
        if to is None:
            report.index(folder.parent)
    print(headline(results, plan))
    print(f"report: {shown(folder / 'index.html')}")


def _mirror(results: Results, plan: Plan, store: Store, offline: bool) -> int:
    """Mirrors results, says so, and returns how many runs could not be mirrored."""
    from benchmark import mirrored

    folder, trained = store.home / "report" / plan.task.name, mirrored.models(plan, store)
    said = tracking.mirror(results, plan.task, folder, trained, offline, mirrored.training(plan))
    print(said.text)
    return said.failed
