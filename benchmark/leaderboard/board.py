"""Boards as text: ``board.md`` for people and ``board.csv`` for programs."""

from __future__ import annotations

import csv
import html
import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmark import tasks
from benchmark.amount import amount
from benchmark.analysis.dial import NO_ORDER, followed, has_order
from benchmark.leaderboard.standings import DIAL, Group, Standing
from benchmark.metrics.records import METRICS
from benchmark.report import words

if TYPE_CHECKING:
    from benchmark.leaderboard.entry import Entry
    from benchmark.tasks import Task

DIGITS = 6
"""Decimals in board.csv."""
COLUMNS = (
    *("version", "set", "set_digest", "images", "levels", "rank", "id", "method", "backbone"),
    *("preset", "metric", "headline", "ranked_by", "merit", "low", "high", "seeds"),
    *("gap_to_experts", "dial_quality", "coverage", "folds", "params_stored", "params_folded"),
    *("macs", "switch_ms"),
    *("ms_per_image", "train_steps", "status", "checked", "paper", "created_utc"),
)
HEADS = ("rank", "method", "headline", "gap to experts", "dial quality", "coverage", "stored")
HEADS += ("folded", "MACs", "switch", "status", "confidence", "weights", "preset")


def csv_text(groups: Sequence[Group]) -> bytes:
    """Returns one line per entry and test set."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_record(one) for group in groups for one in group.standings)
    return stream.getvalue().encode()


def _record(one: Standing) -> list[object]:
    facts, question = one.entry.facts, one.question
    cost = facts["cost"]
    return [
        question.version,
        question.dataset,
        question.digest,
        len(question.images),
        " ".join(question.levels),
        "" if one.rank is None else one.rank,
        *(facts[name] for name in ("id", "method", "backbone", "preset")),
        one.metric,
        _exact(one.mean),
        words.merit(one.entry.task) if one.entry.task.perception else one.metric,
        *(_exact(value) for value in (one.merit, one.low, one.high)),
        len(facts["seeds"]),
        *(_exact(value) for value in (one.gap, one.dial, one.coverage)),
        str(cost["folds"]).lower(),
        *(cost[name] for name in ("params_stored", "params_folded", "macs")),
        *(_exact(cost[name]) for name in ("switch_ms", "ms_per_image")),
        facts["budget"]["steps"],
        one.entry.status,
        _exact(one.entry.checked),
        *(facts[name] for name in ("paper", "created_utc")),
    ]


def standing(entry: Entry) -> str:
    """Returns the status of an entry, with the share of its values that it is about, if not all."""
    part = 100 * entry.checked
    if entry.status == "claimed" or part == 100:
        return entry.status
    return f"{entry.status}, {part:.{0 if part >= 1 else 1}f} %"


def _exact(value: float | None) -> str:
    if value is None or math.isnan(value):
        return ""
    return f"{value + 0.0:.{DIGITS}f}"


def markdown(groups: Sequence[Group], task: Task) -> bytes:
    """Returns the tables of a task."""
    parts = [
        f"# {task.name}",
        # A board may lie anywhere, and says the same everywhere: a link would lead nowhere.
        f"{safe(task.summary)}. {rules(task)} How to read a board: `docs/boards.md` of dialbench.",
        dial_words(task),
        "![The headline metric at every level](curves.svg)",
    ]
    for group in groups:
        parts += [f"## {safe(title(group))}", *caution(group), _table(group)]
    return ("\n\n".join(parts) + "\n").encode()


def rules(task: Task) -> str:
    """Returns what decides the ranks."""
    return (
        f"Ranks are by {words.merit_rule(task)}, the mean over images: 1 + the number of other methods "
        "whose interval lies wholly above, so methods share a rank only where their intervals overlap; "
        "only entries whose numbers were reproduced are ranked."
    )


def dial_words(task: Task) -> str:
    """Returns what the columns of dial quality mean."""
    metric = METRICS[followed(task)[0]]
    gap = "Gap to experts: mean absolute difference to networks trained for one level each"
    if not has_order(task):
        return f"{gap}. {NO_ORDER[0].upper()}{NO_ORDER[1:]}: no dial quality, and no coverage."
    dial = {
        "best-dial-r2": "R² of the best dial as a guess at the true level, 1 if they agree and below 0 "
        "if a constant were better; it needs entries with the level x dial matrix, of three levels or more",
        "monotonicity": f"net change of {metric.label} along the level over the sum of all "
        "changes, 1 if there is no way back",
    }[DIAL[task.kind]]
    return (
        f"Dial quality: {dial}. {gap}; coverage: the share of their range of {metric.label} that the "
        "dial reaches."
    )


def title(group: Group) -> str:
    """Returns what a group of a board answers, as plain text."""
    return asked(group.standings[0])


def caution(group: Group) -> list[str]:
    """Returns what ranks by few images are worth, if they are few."""
    said = words.few_images({"": len(group.question.images)})
    return [f"{said}."] if said and any(one.rank for one in group.standings) else []


def asked(one: Standing) -> str:
    """Returns what a standing answers, as plain text."""
    question, task = one.question, one.entry.task
    newest = tasks.get(task.name).version
    images = amount(len(question.images), "image")
    first, last = question.levels[0], question.levels[-1]
    if words.has_physical(task):
        first, last = words.physical(task, first), words.physical(task, last)
    levels = f"{len(question.levels)} levels, {words.axis_name(task)} {first} to {last}"
    if len(question.levels) == 1:
        levels = f"{words.axis_name(task)} {first}"
    old = "" if question.version == newest else f", version {question.version} of the task"
    return f"{question.dataset}: {images}; {levels}{old}"


def _table(group: Group) -> str:
    lines = [heads(group)]
    for one, line in zip(group.standings, lines_of(group), strict=True):
        line = [safe(text) for text in line]
        line[1] = f"[{line[1]}](entries/{one.entry.id}/card.md)"
        lines.append(line)
    left = {"method", "status", "confidence", "preset"}
    rule = [":--" if head in left else "--:" for head in heads(group)]
    return "\n".join(f"| {' | '.join(line)} |" for line in [lines[0], rule, *lines[1:]])


def heads(group: Group) -> list[str]:
    """Returns the headings of a group's table."""
    first = group.standings[0]
    found = [words.metric_name(first.metric) if head == "headline" else head for head in HEADS]
    if first.entry.task.perception:
        found.insert(HEADS.index("headline") + 1, words.merit(first.entry.task))
    return found


def lines_of(group: Group) -> list[list[str]]:
    """Returns the cells of a group's table as plain text, nothing of it safe to put into a page."""
    backbones = {one.entry.facts["backbone"] for one in group.standings}
    return [_line(one, len(backbones) > 1) for one in group.standings]


def _line(one: Standing, backbone: bool) -> list[str]:
    facts, metric = one.entry.facts, METRICS[one.metric]
    cost, seeds = facts["cost"], len(facts["seeds"])
    name = facts["method"] + (f" · {facts['backbone']}" if backbone else "")
    task = one.entry.task
    half = words.number((one.high - one.low) / 2, words.merit_digits(task) + 1)
    sure = f"± {half}, " if half != words.NULL else ""
    sure += f"{amount(len(one.question.images), 'image')}, {amount(seeds, 'seed')}"
    return [
        "" if one.rank is None else str(one.rank),
        name,
        words.number(one.mean, metric.digits),
        *([words.number(one.merit, words.merit_digits(task))] if task.perception else []),
        words.number(one.gap, metric.digits),
        words.number(one.dial, 2),
        words.number(one.coverage, 2),
        f"{cost['params_stored']:,}",
        f"{cost['params_folded']:,}",
        f"{cost['macs'] / 1e9:.2f} G",
        words.NULL if cost["switch_ms"] is None else f"{cost['switch_ms']:.2f} ms",
        standing(one.entry),
        sure,
        _held(one.entry),
        facts["preset"],
    ]


def _held(entry: Entry) -> str:
    """Returns how large the weights are that an entry holds, or where else they can be had."""
    weights = entry.facts["weights"]
    if not entry.has_weights:
        return words.NULL
    if not all(one["file"] for one in weights):
        return "on a server"
    return f"{sum(one['bytes'] for one in weights) / 1e6:.1f} MB"


def safe(text: str) -> str:
    """Returns text that neither Markdown nor HTML acts upon."""
    text = html.escape(" ".join(text.split()))
    for character in "|*_[]`":
        text = text.replace(character, f"\\{character}")
    return text
