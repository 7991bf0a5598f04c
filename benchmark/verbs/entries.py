"""``--entry``: networks that entries of leaderboards hold, in place of those that are trained here."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmark import assets, tasks
from benchmark.control import Level, level_text
from benchmark.errors import UserError
from benchmark.planning.request import Request, request_of, wanted
from benchmark.results import FEW_LEVELS
from benchmark.store import Store
from benchmark.verbs.telling import into, note, shown, written

if TYPE_CHECKING:
    from benchmark.leaderboard.entered import Entered
    from benchmark.plan import Plan

OTHERS = (
    "--entry says what was trained, and how, so options about that are refused beside it, and --force is "
    "too; of several seeds --seeds takes one"
)


def named(args: argparse.Namespace) -> tuple[list[Entered], Request]:
    """Returns the networks of the entries that options name, and what else was asked for.

    It says which of them nobody has computed again.

    Raises:
        UserError: If an entry or option is wrong.
    """
    request = request_of(args)
    chosen = {
        name: getattr(request, name) for name in ("levels", "seeds", "test", "matrix", "offline")
    }
    if request != wanted(request.task, **chosen) or len(request.seeds) > 1:
        raise UserError(OTHERS)

    from benchmark.leaderboard.entered import Entered

    networks = {}
    for path in args.entry:
        one = Entered(path, request.seeds[0], request.offline)
        if one.entry.facts["task"] != request.task:
            raise UserError(
                f"{one.name} is an entry of {one.entry.facts['task']}, not {request.task}"
            )
        networks[one.name] = one
    for name, one in networks.items():
        if one.entry.status == "claimed":
            note(f"{name}: claimed; nobody has computed its numbers again")
    return [*networks.values()], request


def with_levels(
    networks: Sequence[Entered], asked: Sequence[Level] | None
) -> list[tuple[Entered, list[Level]]]:
    """Returns networks with those of some levels that each has; it says which levels one lacks.

    Args:
        networks: The networks.
        asked: The levels; None for those that each was scored at.

    Raises:
        UserError: If one has none of them.
    """
    found = []
    for one in networks:
        only, every = one.only_levels(), list(dict.fromkeys(asked or one.levels))
        levels = [level for level in every if only is None or level in only]
        if len(levels) < len(every):
            text = f"{one.name}: {FEW_LEVELS}{', '.join(map(level_text, only or ()))}"
            if not levels:
                raise UserError(f"{text}; name one of them with --levels")
            note(f"{text}; the others are left out")
        found.append((one, levels))
    return found


def plan(args: argparse.Namespace, store: Store, writes: bool) -> Plan:
    """Returns the plan that scores the networks of entries, all at the same levels where they have them.

    Args:
        args: The options.
        store: Where results are.
        writes: Whether something may be downloaded, or put there.

    Raises:
        UserError: If an entry or option is wrong.
    """
    networks, request = named(args)
    from benchmark.leaderboard.planned import planned

    every = request.levels or sorted({level for one in networks for level in one.levels})
    asked = with_levels(networks, every)
    with contextlib.nullcontext() if writes else assets.as_they_are():
        return planned(asked, request, store, writes, not args.dry_run)


def export(args: argparse.Namespace) -> int:
    """Writes the networks of entries for other programs."""
    networks, request = named(args)
    from benchmark import export as exporting

    folder = into(args.to or Store().home / "export" / args.task)
    every = with_levels(networks, request.levels)
    return written(exporting.entered(*one, folder, args.onnx) for one in every)


def restore(args: argparse.Namespace) -> int:
    """Restores images with the networks of entries."""
    if args.calibrated:
        raise UserError("--calibrated needs a run with --matrix here; leave it out with --entry")
    networks, request = named(args)
    from benchmark.verbs import restore as restoring

    folder = into(args.to or Store().home / "restored" / args.task)
    every = with_levels(networks, request.levels)
    given = [restoring.Network(one.name, levels, one.method) for one, levels in every]
    colour = tasks.get(args.task).protocol.colour
    for path in restoring.run(given, args.image, folder, colour):
        print(shown(path))
    return 0


def demo(args: argparse.Namespace) -> int:
    """Serves the networks of entries to a browser on this machine."""
    from benchmark import demo as page

    page.ready(args.task)
    networks, _ = named(args)
    from benchmark.demo.app import launch
    from benchmark.demo.session import Session

    names = [one.entry.facts["method"] for one in networks]
    methods = {
        name if names.count(name) == 1 else one.name: one.method()
        for name, one in zip(names, networks, strict=True)
    }
    launch(Session(tasks.get(args.task), methods), args.port)
    return 0
