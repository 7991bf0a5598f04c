"""What ``dialbench board`` does: one function for each action."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path

from benchmark.amount import amount
from benchmark.errors import JobError, UserError, unknown
from benchmark.verbs.telling import debugs, note, traces

ONLY_A_FILE = (
    "nobody else can verify or rank the entry of a method that is only a file; make it a package (see "
    "'dialbench new --package') and hand it in under its name"
)


def submit(args: argparse.Namespace) -> int:
    """Writes entries from what is stored; prints one line for each method."""
    from benchmark.planning.request import request_of
    from benchmark.store import Store

    request, store = request_of(args), Store()
    store.prepare()

    from benchmark import plan as planning
    from benchmark import tasks
    from benchmark.leaderboard.submit import Terms, submit

    task = tasks.get(request.task)
    if task.protocol.pairs:
        raise UserError(
            f"{task.name} ranks each method at its own best level, which boards do not; its numbers stay "
            "in the report"
        )
    if request.levels is None and task.harmless:
        every = planning.levels_of(request, task)
        levels = tuple(one for one in every if one not in task.harmless)
        request = dataclasses.replace(request, levels=levels)
    plan = planning.make(request, store)
    leaks = plan.leaks(store, note)
    if leaks:
        raise UserError(
            f"training images show what is tested: {leaks[0]}; boards take no such results, train without "
            "these images (see 'dialbench data check')"
        )
    terms = Terms(args.licence, args.weights)
    files = {one.method for one in request.methods if one.file}
    failed = 0
    for method, text, there in submit(plan, store, args.boards, terms):
        print(f"{method}: {text}", file=sys.stdout if there else sys.stderr, flush=True)
        failed += there is False
        if there and method in files:
            note(f"{method}: {ONLY_A_FILE}")
    traces(plan.failures, debugs(args))
    return int(failed > 0)


def check(args: argparse.Namespace) -> int:
    """Checks entries and boards; prints one line for each fault."""
    from benchmark.leaderboard import check as referee

    verdict = referee.check(_named(args.path), args.base, args.allow_status)
    for fault in verdict.faults:
        print(fault, file=sys.stderr)
    entries = amount(verdict.entries, "entry", "entries")
    state = amount(len(verdict.faults), "fault") if verdict.faults else "all good"
    print(f"{args.path}: {entries}, {state}")
    return int(bool(verdict.faults))


def verify(args: argparse.Namespace) -> int:
    """Computes entries again from their weights; records those that are true."""
    from benchmark.leaderboard import loaded, proof
    from benchmark.leaderboard.verify import MODES, verify
    from benchmark.records import sweep, write
    from benchmark.store import Store

    store, failed = Store(), 0
    if args.mode not in MODES:
        raise UserError(unknown("mode", args.mode, MODES))
    if args.weights is not None and not args.weights.is_dir():
        raise UserError(f"--weights {args.weights}: there is no such folder")
    if args.draw is not None and not 0 <= args.draw <= proof.DRAWS:
        raise UserError(f"--draw {args.draw}: give a number from 0 to {proof.DRAWS}")
    store.prepare()
    for path in map(_entry_folder, args.entry):
        sweep(path, (proof.NAME,))
        try:
            found = verify(
                path, args.mode, store, args.draw, args.weights, args.offline, _told(path.name)
            )
        except (UserError, JobError) as error:
            print(f"{path.name}: cannot be verified: {error}", file=sys.stderr)
            failed += 1
            continue
        for fault in found.faults:
            print(f"{path.name}: {fault}", file=sys.stderr)
        failed += bool(found.faults)
        status = "good so far"
        if found.record is not None:
            status, known = proof.MODES[args.mode], loaded.status_known(path)
            if known == "retrained" and status != known:
                status = f"{status} again, and stays {known}"
            else:
                write(path / proof.NAME, proof.written(found.record))
        print(f"{path.name}: {'NOT true' if found.faults else status}; {found.text}")
    return int(failed > 0)


def _named(path: Path) -> Path:
    """Returns a path that ends in the folder's name, which says the task or entry: '.' has none."""
    return path if path.name not in ("", "..") else path.resolve()


def _entry_folder(path: Path) -> Path:
    """Returns the folder of an entry under its name.

    Raises:
        UserError: If it is none.
    """
    from benchmark.leaderboard import entry

    path = _named(path)
    if path.is_symlink() or not path.is_dir():
        raise UserError(f"{path} is no folder; give the folder of an entry")
    if not (path / entry.NAME).is_file():
        raise UserError(
            f"{path} has no {entry.NAME}; give the folder of an entry, like "
            "leaderboards/TASK/entries/ID"
        )
    return path


def _told(name: str) -> Callable[[str], None]:
    return lambda text: print(f"{name}: {text}", file=sys.stderr, flush=True)


def push(args: argparse.Namespace) -> int:
    """Copies entries to a folder or a repository of the hub."""
    from benchmark.leaderboard import exchange

    there = exchange.place(args.to)
    for path in map(_entry_folder, args.entry):
        exchange.push(path, there)
        print(f"{path.name}: pushed to {args.to}")
    return 0


def pull(args: argparse.Namespace) -> int:
    """Copies entries from a folder or a repository of the hub, as far as the referee takes them."""
    from benchmark.leaderboard import exchange

    failed = 0
    for name, text, here in exchange.pull(exchange.place(args.place), args.boards, args.entry):
        print(f"{name}: {text}", file=sys.stdout if here else sys.stderr)
        failed += not here
    return int(failed > 0)


def build(args: argparse.Namespace) -> int:
    """Builds the boards from the entries; prints what changed."""
    from benchmark.leaderboard import build as building

    changed = building.write(_named(args.path))
    print("\n".join(map(str, changed)) if changed else f"{args.path}: boards are up to date")
    return 0


def results(args: argparse.Namespace) -> int:
    """Writes the tables and figures of a document anew."""
    from benchmark.leaderboard import results as writing

    print(writing.command(args.out, args.path))
    return 0


def page(args: argparse.Namespace) -> int:
    """Writes the boards as pages to publish."""
    from benchmark.leaderboard import build as building
    from benchmark.store import Store

    store = Store()
    out = args.out or store.home / "boards"
    print(f"boards: {building.pages(_named(args.path), out, store)}")
    return 0


ACTIONS: dict[str, Callable[[argparse.Namespace], int]] = {
    "submit": submit,
    "check": check,
    "verify": verify,
    "push": push,
    "pull": pull,
    "build": build,
    "results": results,
    "page": page,
}
