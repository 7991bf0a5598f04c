"""A plan that scores the networks of entries, on images and at levels of one's own."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from benchmark.amount import amount
from benchmark.control import Level
from benchmark.errors import Failure, UserError
from benchmark.leaderboard.entered import Entered
from benchmark.plan import Plan, look_up, tested
from benchmark.planning.keys import preset_of, sweep_key
from benchmark.planning.leakage import leaks
from benchmark.planning.methods import crossed
from benchmark.planning.request import Choice, Request
from benchmark.store import Store

SAME = ("method", "backbone", "preset")
"""What tables know of a network; two that are alike in it would be one line."""


def planned(
    networks: Sequence[tuple[Entered, Sequence[Level]]],
    request: Request,
    store: Store,
    keep: bool = True,
    look: bool = True,
) -> Plan:
    """Returns a plan of sweeps alone; it notes which entries they are of, and which images leak.

    Args:
        networks: The entries, and the levels that each is scored at.
        request: Where and how they are scored: test sets, whether a matrix is.
        store: Where results are.
        keep: Whether their weights may be put there.
        look: Whether images that they were trained on are looked for among those tested.

    Raises:
        UserError: If a test set is wrong, or a table could not tell two entries apart.
        JobError: If weights cannot be fetched or written.
    """
    _require_apart([one for one, _ in networks])
    facts = networks[0][0].entry.facts
    methods = dict.fromkeys(Choice(one.entry.facts["method"]) for one, _ in networks)
    plan = tested(
        dataclasses.replace(
            request,
            methods=tuple(methods),
            preset=preset_of(facts["preset"]),
            backbone=facts["backbone"],
            levels=tuple(sorted({level for _, levels in networks for level in levels})),
        )
    )
    for one, levels in networks:
        if keep:
            one.keep(store)
        points = crossed(levels) if request.matrix and one.only_levels() is None else ()
        for dataset in plan.request.test:
            job = dataclasses.replace(one.job(levels, dataset), crossed=points)
            job = dataclasses.replace(job, key=sweep_key(job))
            plan.sweeps[job.key] = job
        plan.skipped.append(_note(one, plan, store if look else None))
    look_up(plan, store)
    return plan


def _require_apart(entries: Sequence[Entered]) -> None:
    """Refuses entries that a table could not tell apart, or that are scored on other crops."""
    seen: dict[tuple[str, ...], str] = {}
    for one in entries:
        named = tuple(one.entry.facts[name] for name in SAME)
        other = seen.setdefault(named, one.name)
        if other != one.name:
            raise UserError(
                f"{other} and {one.name} are both {' on '.join(named[:2])} with the preset {named[2]}, so a "
                "table could not tell them apart; take them one after the other"
            )
    if len({preset_of(one.entry.facts["preset"]).crop for one in entries}) > 1:
        raise UserError(
            "the presets of these entries crop the built-in images differently; take entries of one preset"
        )


def _note(one: Entered, plan: Plan, store: Store | None) -> Failure:
    """Returns what a reader must know of an entry's numbers; images are looked for with a store alone."""
    facts = one.entry.facts
    here, away = one.training()
    sets = [about["name"] for about in facts["training"]]
    text = f"network of the entry {one.name} ({one.entry.status})"
    if sets:
        text += f", trained on {', '.join(sets)}"
    if away and store:
        text += (
            f"; whether {', '.join(away)} shows what is tested is not known, for lack of the images"
        )
    found = leaks(here, list(plan.images.values()), store) if store else []
    if shown := {pair.first for pair in found}:
        text += f"; {amount(len(shown), 'image')} of them, like {min(shown)}, show what is tested"
    return Failure(facts["method"], facts["backbone"], None, text)
