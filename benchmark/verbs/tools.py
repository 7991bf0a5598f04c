"""Verbs that look things up, make or check something, or run a single job."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark import config, tasks
from benchmark.control import parse_level
from benchmark.errors import JobError, UserError, utf8_names
from benchmark.metrics.protocol import PROTOCOLS
from benchmark.planning.request import choice_of, names_in, sets_in
from benchmark.registry import discovery
from benchmark.store import Store
from benchmark.verbs.telling import debugs, into, note, shown

if TYPE_CHECKING:
    from benchmark.data.sources import ImageSet


def list_all(args: argparse.Namespace) -> int:
    """Prints everything that can be named, or what runs on what."""
    if args.matrix:
        from benchmark.verbs import coverage

        found = coverage.matrix(Store())
        print(coverage.to_json(found) if args.json else coverage.page(found))
        return 0
    if args.json:
        raise UserError("--json is for the matrix; give --matrix --json")
    found, store = discovery.entries(), Store()
    wide = max(map(len, (*tasks.names(), *(entry.name for entry in found))))
    print("tasks")
    for name in tasks.names():
        print(f"  {name:<{wide}} {_summary(name)}")
    for group, title in (
        ("method", "methods"),
        ("baseline", "baselines"),
        ("network", "backbones"),
    ):
        print(title)
        for entry in found:
            if entry.group == group:
                print(f"  {entry.name:<{wide}} {_note(entry, store)}")
    print("protocols (TASK@PROTOCOL)")
    print(f"  {', '.join(PROTOCOLS)}")
    print("presets")
    for name, one in config.PRESETS.items():
        print(f"  {name:<{wide}} {one.steps} steps of {one.batch} patches, backbone {one.backbone}")
    return 0


def _summary(task: str) -> str:
    """Returns what a list says about a task."""
    try:
        return tasks.get(task).summary
    except UserError as error:
        return f"cannot be used: {error}"


def _note(entry: discovery.Entry, store: Store) -> str:
    """Returns what a list says about a method or backbone."""
    if entry.error:
        return f"cannot be used: {entry.error}"
    if entry.imports and not store.imported(entry.name):
        return f"{entry.summary} (not imported: run 'dialbench import {entry.imports}')"
    return entry.summary.replace("``", "`")


def import_network(args: argparse.Namespace) -> int:
    """Imports a network that was trained elsewhere."""
    from benchmark import importing

    store = Store()
    store.prepare()
    options = {"sigma": args.sigma} if args.sigma is not None else {}
    print(importing.run(args.kind, args.files, options, store))
    return 0


def interpolate(args: argparse.Namespace) -> int:
    """Writes the networks between two files of networks."""
    from benchmark import interpolation

    space, texts = interpolation.SPACE, names_in([args.levels])
    levels = list(dict.fromkeys(space.check(parse_level(text))[0] for text in texts))
    if not levels:
        raise UserError("--levels names none; give some like 0.25,0.5")
    folder = into(args.to or Store().home / "interpolated" / f"{args.start.stem}-{args.end.stem}")
    first, last = interpolation.read(args.start, args.end)
    text, warnings = interpolation.described(first.state, last.state)
    print(text)
    for warning in warnings:
        note(warning)
    for path in interpolation.write(first, last, levels, folder, args.start.suffix):
        print(shown(path))
    return 0


def test_method(args: argparse.Namespace) -> int:
    """Checks a method and prints one line for each check."""
    choice = choice_of(args.method)
    if args.backbone is not None:
        discovery.backbone_source(args.backbone)

    from benchmark.conformance import trial

    file = Path(choice.file) if choice.file else None
    return trial.main(choice.method, file, args.backbone, debugs(args))


def new(args: argparse.Namespace) -> int:
    """Writes a new method's folder, and says what to do with it."""
    from benchmark import skeleton

    print(skeleton.main(args.name, args.at, args.package))
    return 0


def show_data(args: argparse.Namespace) -> int:
    """Prints the image sets, the pictures they share, or whether they are those of the boards."""
    from benchmark.data import sources

    if args.action != "list":
        named = {"train": sets_in("--train", args.train), "test": sets_in("--test", args.test)}
        if args.action == "check":
            return _check(_opened({split: one or None for split, one in named.items()}))
        sets = _opened(named if any(named.values()) else dict.fromkeys(named))
        return {"verify": _verify, "manifest": _manifest}[args.action](sets)
    for name in ("train", "test"):
        if getattr(args, name) is not None:
            raise UserError(
                f"--{name} is for check, verify and manifest; use 'dialbench data check --{name} SET'"
            )
    print("\n".join(sources.listing()))
    if not os.environ.get("DIALBENCH_DATA"):
        print("set DIALBENCH_DATA to a folder with train/ and test/ to use sets of your own")
    return 0


def _told(text: str) -> None:
    """Says what is going on, beside what is printed."""
    print(text, file=sys.stderr, flush=True)


def _opened(named: Mapping[str, Sequence[str] | None]) -> dict[str, list[ImageSet]]:
    """Returns the sets of some names by split, or all that are here in place of None."""
    from benchmark.data import sources

    with utf8_names():
        return {
            split: [
                sources.open_set(one, split)
                for one in (sources.here(split) if names is None else names)
            ]
            for split, names in named.items()
        }


def _check(sets: dict[str, list[ImageSet]]) -> int:
    from benchmark.planning import leakage

    store = Store()
    store.prepare()
    leaked, lines = leakage.check(sets["train"], sets["test"], store, _told)
    print("\n".join(lines))
    return int(leaked > 0)


def _verify(sets: dict[str, list[ImageSet]]) -> int:
    from benchmark.data import manifest

    found = [manifest.compared(split, one) for split, every in sets.items() for one in every]
    print("\n".join(line for _, line in found))
    return int(not all(good for good, _ in found))


def _manifest(sets: dict[str, list[ImageSet]]) -> int:
    from benchmark.data import manifest

    for split, every in sets.items():
        for one in every:
            print("\n".join(manifest.lines(split, one)))
    return 0


def show_store(args: argparse.Namespace) -> int:
    """Prints what is stored, or clears some of it."""
    from benchmark.verbs import storage
    from benchmark.verbs.telling import aligned

    names = ("task", "preset", "backbone", "methods", "seeds")
    given = {name: getattr(args, name) for name in names}
    patterns = {}
    for name, text in given.items():
        if text is None:
            continue
        patterns[name.removesuffix("s")] = texts = names_in([text])
        if not texts:
            raise UserError(f"--{name}: name one, or leave it out; 'dialbench store' shows them")
    if args.days is not None and not 1 <= args.days <= storage.DAYS:
        raise UserError(f"--days {args.days}: give 1 to {storage.DAYS:,}")
    clears, store = args.action == "clear", Store()
    if clears and not patterns and args.days is None:
        raise UserError("say what to clear, like --preset 'smoke*', or --task '*' for all")
    if args.dry_run and not clears:
        raise UserError("--dry-run is for clear; the list changes nothing")
    every = storage.items(store)
    found = storage.chosen(every, patterns, args.days or 0)
    lost = " or ".join(storage.unmatched(every, patterns))
    if not found and (clears or every):
        why = f"is of {lost}, and nothing matches" if lost else "matches"
        raise UserError(f"nothing in {store.home} {why}; 'dialbench store' shows what is there")
    if found:
        print("\n".join(aligned(storage.table(found), left=4)))
    if lost:
        note(f"nothing in {store.home} is of {lost}")
    if args.dry_run:
        print("nothing was removed (--dry-run)")
    elif clears:
        print(f"removed, {storage.clear(store, found, every) / 1e6:.1f} MB")
    elif found == every:
        sizes = {"stages and cells": sum(one.size() for one in found), **storage.rest(store, every)}
        parts = ", ".join(f"{name} {size / 1e6:.1f}" for name, size in sizes.items())
        print(f"MB in {store.home}: {parts}")
    return 0


def board(args: argparse.Namespace) -> int:
    """Hands in entries of leaderboards, checks them, or builds the boards."""
    from benchmark.verbs.board import ACTIONS

    return ACTIONS[args.action](args)


def run_doctor(args: argparse.Namespace) -> int:
    """Prints the state of the installation, or every score of a pair of images."""
    if args.pair:
        if len(args.pair) != 2:
            raise UserError("doctor takes two images: the restored one, then the clean one")
        from benchmark.verbs import pair

        return pair.main(*args.pair, offline=args.offline)
    from benchmark.verbs import doctor

    return doctor.main(offline=args.offline)


def run_job(args: argparse.Namespace) -> int:
    """Runs one job file."""
    from benchmark.engines.graph import label
    from benchmark.engines.local import SIGNALS, threads_each
    from benchmark.engines.perform import perform
    from benchmark.engines.process import settle
    from benchmark.planning import jobs
    from benchmark.training import stopping

    job, store = jobs.read(args.file), Store()
    store.prepare()
    settle(threads_each(1))
    with stopping.armed(*SIGNALS):
        failure = perform(job, store, lambda text: print(f"{label(job)}: {text}", file=sys.stderr))
    if failure:
        recorded = store.read_failure(job.key)
        if recorded and debugs(args):
            print(recorded.trace, file=sys.stderr)
        raise JobError(f"{label(job)} failed: {failure}")
    return 0
