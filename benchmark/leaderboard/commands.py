"""What ``dialbench board`` does: one function for each action."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable


def submit(args: argparse.Namespace) -> int:
    """Writes entries from what is stored; prints one line for each method."""
    from benchmark.request import request_of
    from benchmark.store import Store

    request, store = request_of(args), Store()
    store.prepare()

    from benchmark import plan as planning
    from benchmark.leaderboard.submit import Terms, submit

    plan = planning.make(request, store)
    plan.leaks(store)
    terms = Terms(args.licence, args.weights)
    failed = 0
    for method, text, there in submit(plan, store, args.boards, terms):
        print(f"{method}: {text}", file=sys.stdout if there else sys.stderr)
        failed += not there
    return int(failed > 0)


def check(args: argparse.Namespace) -> int:
    """Checks entries and boards; prints one line for each fault."""
    from benchmark.leaderboard import check as referee

    verdict = referee.check(args.path, args.base, args.allow_status)
    for fault in verdict.faults:
        print(fault, file=sys.stderr)
    entries = f"{verdict.entries} {'entry' if verdict.entries == 1 else 'entries'}"
    many = len(verdict.faults)
    state = f"{many} fault{'' if many == 1 else 's'}" if many else "all good"
    print(f"{args.path}: {entries}, {state}")
    return int(bool(verdict.faults))


def build(args: argparse.Namespace) -> int:
    """Builds the boards from the entries; prints what changed."""
    from benchmark.leaderboard import build as building

    changed = building.write(args.path)
    print("\n".join(map(str, changed)) if changed else f"{args.path}: boards are up to date")
    return 0


def page(args: argparse.Namespace) -> int:
    """Writes the boards as pages to publish."""
    from benchmark.leaderboard import build as building
    from benchmark.store import Store

    store = Store()
    out = args.out or store.home / "boards"
    print(f"boards: {building.pages(args.path, out, store)}")
    return 0


ACTIONS: dict[str, Callable[[argparse.Namespace], int]] = {
    "submit": submit,
    "check": check,
    "build": build,
    "page": page,
}
