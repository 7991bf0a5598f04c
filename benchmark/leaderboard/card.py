"""``card.md``: the facts of an entry for people. It follows from ``entry.json`` and says nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmark.amount import amount
from benchmark.analysis.scores import pictures
from benchmark.leaderboard.entry import Entry, options
from benchmark.report.words import merit

NAME = "card.md"


def card(entry: Entry) -> bytes:
    """Returns the card of an entry."""
    lines = [f"# {title(entry)}"]
    for head, facts in sections(entry):
        lines += ["", *([f"## {head}", ""] if head else []), *(f"- {text}" for text in facts)]
    return ("\n".join(lines) + "\n").encode()


def title(entry: Entry) -> str:
    """Returns what an entry is called."""
    return f"{entry.facts['method']} on {entry.facts['task']}"


def sections(entry: Entry) -> list[tuple[str, list[str]]]:
    """Returns what a card says: headings (the first is empty) with facts, as plain text."""
    facts = entry.facts
    cost, budget, software = facts["cost"], facts["budget"], facts["software"]
    levels = ", ".join(facts["levels"])
    paper = facts["paper"]
    made = (
        f"made: {facts['created_utc']}, dialbench {software['harness']}, torch "
        f"{software['torch']}, {software['device']}"
    )
    return [
        (
            "",
            [
                f"entry: {facts['id']}",
                f"task: {facts['task']}, version {facts['task_version']}",
                f"method: {facts['method']}" + (f" (arXiv {paper})" if paper else ""),
                f"backbone: {facts['backbone']}",
                f"licence of the weights: {facts['licence']}",
                made,
            ],
        ),
        (
            "Data",
            [
                *(
                    f"trained on {one['name']}: {amount(one['images'], 'image')}, digest "
                    f"{one['digest']}"
                    for one in facts["training"]
                ),
                *([] if facts["training"] else ["not trained here"]),
                *(
                    f"tested on {one['name']}: {_pictures(entry, one['images'])}, digest "
                    f"{one['digest']}"
                    for one in facts["sets"]
                ),
            ],
        ),
        (
            "Budget",
            [
                f"preset: {facts['preset']}",
                f"{budget['steps']} training steps of "
                f"{amount(budget['batch'], 'patch', 'patches')} of {budget['patch']} pixels, "
                f"precision {budget['precision']}",
                f"seeds: {', '.join(map(str, facts['seeds']))}",
                f"again: `dialbench run {' '.join(options(facts))} --methods {facts['method']}`",
            ],
        ),
        (
            "Protocol",
            [
                f"{facts['protocol']}: colour, border, rounding and noise, as in dialbench "
                f"{software['harness']}",
                f"metrics: {', '.join(facts['metrics'])}; {_ranks(entry)}",
            ],
        ),
        (
            "Intended levels",
            [
                *(_range(one) for one in facts["range"]),
                f"scored at: {levels}"
                + (", and with the dial set wrong" if facts["crossed"] else ""),
            ],
        ),
        (
            "Cost",
            [
                f"parameters: {cost['params_stored']:,} stored for all levels, "
                f"{cost['params_folded']:,} at one level"
                + (" (folds into the backbone)" if cost["folds"] else ""),
                f"multiply-accumulates: {cost['macs']:,} for a 256 x 256 input",
            ],
        ),
        ("Weights", [_weights(one) for one in facts["weights"]] or ["none"]),
        (
            "Limits",
            [
                *facts["limits"],
                *(
                    f"{metric} is missing: {why}"
                    for metric, why in sorted(facts["missing"].items())
                ),
                "numbers hold for these data, degradations and budgets only",
            ],
        ),
    ]


def _ranks(entry: Entry) -> str:
    return f"the {merit(entry.task)} ranks" if entry.task.perception else "the first one ranks"


def _range(one: Mapping[str, Any]) -> str:
    unit = f" {one['unit']}" if one["unit"] else ""
    return (
        f"{one['axis']}: meant for {one['first']:g} to {one['last']:g}{unit}; the dial goes from "
        f"{one['start']:g} to {one['end']:g}"
    )


def _weights(one: Mapping[str, Any]) -> str:
    where = one["file"] or one["url"] or "not published"
    half = " as float16" if one["precision"] == "float16" else ""
    return f"{one['stage']}, seed {one['seed']}: {where}{half}, sha256 {one['sha256']}"


def _pictures(entry: Entry, images: Sequence[str]) -> str:
    """Returns how many pictures images are of, which are named with their case."""
    cases = len(entry.task.cases)
    each = f", each in {cases} cases" if cases > 1 else ""
    return amount(len(pictures(images, entry.task)), "image") + each
