"""``--entry``: networks that entries of leaderboards hold, in place of those that are trained here."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from benchmark import tasks
from benchmark.control import Level, level_text
from benchmark.errors import UserError
from benchmark.planning.request import request_of, wanted
from benchmark.results import FEW_LEVELS
from benchmark.store import Store
from benchmark.verbs.telling import into, shown, written

if TYPE_CHECKING:
    from benchmark.leaderboard.entered import Entered

OTHERS = (
    "--entry says what was trained, and how; beside it take --levels or --physical, --seeds with one seed, "
    "--offline, and what says which files are written"
)


def named(args: argparse.Namespace) -> list[tuple[Entered, list[Level]]]:
    """Returns the networks of the entries that options name, and the levels that each is asked for.

    It says which of them nobody has computed again, and which levels one lacks.

    Raises:
        UserError: If an entry or option is wrong, or an entry has none of the levels.
    """
    request = request_of(args)
    chosen = {"levels": request.levels, "seeds": request.seeds, "offline": request.offline}
    if request != wanted(request.task, **chosen) or len(request.seeds) > 1:
        raise UserError(OTHERS)
    # Seeds of an entry need not begin with 0, which is the default of the option.
    seed = request.seeds[0] or None

    from benchmark.leaderboard.entered import Entered

    networks = {}
    for path in args.entry:
        one = Entered(path, seed, request.offline)
        if one.entry.facts["task"] != request.task:
            raise UserError(
                f"{one.name} is an entry of {one.entry.facts['task']}, not {request.task}"
            )
        networks[one.name] = one
    return [(one, _levels(one, request.levels)) for one in networks.values()]


def _levels(one: Entered, asked: tuple[Level, ...] | None) -> list[Level]:
    """Returns those of the levels that are asked for which an entry has; by default its own."""
    if one.entry.status == "claimed":
        print(f"note: {one.name}: claimed; nobody has computed its numbers again", file=sys.stderr)
    only, every = one.only_levels(), list(dict.fromkeys(asked or one.levels))
    levels = [level for level in every if only is None or level in only]
    if len(levels) < len(every):
        text = f"{one.name}: {FEW_LEVELS}{', '.join(map(level_text, only or ()))}"
        if not levels:
            raise UserError(f"{text}; name one of them with --levels")
        print(f"note: {text}; the others are left out", file=sys.stderr)
    return levels


def export(args: argparse.Namespace) -> int:
    """Writes the networks of entries for other programs."""
    networks = named(args)
    from benchmark import export as exporting

    folder = into(args.to or Store().home / "export" / args.task)
    return written(exporting.entered(*one, folder, args.onnx) for one in networks)


def restore(args: argparse.Namespace) -> int:
    """Restores images with the networks of entries."""
    if args.calibrated:
        raise UserError(f"{OTHERS}, but not --calibrated")
    networks = named(args)
    from benchmark.verbs import restore as restoring

    folder = into(args.to or Store().home / "restored" / args.task)
    given = [restoring.Network(one.name, levels, one.method) for one, levels in networks]
    colour = tasks.get(args.task).protocol.colour
    for path in restoring.run(given, args.image, folder, colour):
        print(shown(path))
    return 0


def demo(args: argparse.Namespace) -> int:
    """Serves the networks of entries to a browser on this machine."""
    from benchmark import demo as page

    page.ready(args.task)
    networks = named(args)
    from benchmark.demo.app import launch
    from benchmark.demo.session import Session

    names = [one.entry.facts["method"] for one, _ in networks]
    methods = {
        name if names.count(name) == 1 else one.name: one.method()
        for name, (one, _) in zip(names, networks, strict=True)
    }
    launch(Session(tasks.get(args.task), methods), args.port)
    return 0
