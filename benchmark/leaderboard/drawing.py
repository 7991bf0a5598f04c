"""``curves.svg``: the headline metric at every level, one panel for each group of a board."""

from __future__ import annotations

import hashlib
import io
import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from benchmark.amount import amount
from benchmark.leaderboard.standings import RANKED, Group, Question, Standing, newest
from benchmark.report.series import Series

if TYPE_CHECKING:
    import pandas as pd

    from benchmark.tasks import Task

PANELS = 3
"""Groups that are drawn; all are in the table."""
LINES = 12
"""Entries that are drawn in a panel, best first."""
LETTERS = 42
"""Letters of a preset that fit above a panel."""
SHOWS = re.compile(
    rb"<dc:description>(board\.csv [0-9a-f]{64}), matplotlib ([\w.]+)</dc:description>"
)


def curves(groups: Sequence[Group], task: Task, table: bytes) -> bytes:
    """Returns the figure, which names its table and the release of matplotlib that drew it.

    Args:
        groups: The groups of the board.
        task: The task.
        table: ``board.csv``.
    """
    import matplotlib

    from benchmark.report.curves import levels
    from benchmark.report.style import drawing

    long = means(groups)
    about = {
        "Date": None,
        "Creator": None,
        "Description": f"{_named(table)}, matplotlib {matplotlib.__version__}",
    }
    buffer = io.BytesIO()
    with drawing(f"board-{task.name}"):
        figure = levels(long, task, groups[0].standings[0].metric)
        figure.savefig(buffer, format="svg", metadata=about, facecolor="white")
    return buffer.getvalue()


def means(groups: Sequence[Group]) -> pd.DataFrame:
    """Returns the headline metric of the best entries at every level, as reports tabulate means."""
    import pandas as pd

    lines = []
    every = panels(groups)
    # Where all that a panel shows was trained alike, its title says how, and methods look the same in all.
    plain = all(one.preset for one in every)
    for one in every:
        dataset = f"{one.name}\n{_broken(one.preset)}".strip()
        for standing in one.shown:
            series = standing.entry.series
            series = series._replace(preset="") if plain else series
            by_level = zip(standing.question.levels, standing.by_level(), strict=True)
            lines += [
                (*series, dataset, standing.metric, level, mean, math.nan)
                for level, mean in by_level
            ]
    columns = ["method", "backbone", "preset", "dataset", "metric", "level", "mean", "std"]
    return pd.DataFrame(lines, columns=columns)


def _broken(preset: str) -> str:
    """Returns a preset in lines that fit above a panel, broken between its changes."""
    lines = [""]
    for part in re.findall("[^:]+:?", preset):
        if lines[-1] and len(lines[-1] + part) > LETTERS:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


class Panel(NamedTuple):
    """What is drawn of a test set.

    Args:
        name: The set, its images and levels.
        preset: How all that is shown was trained, where other panels show what was trained otherwise.
        shown: The standings to draw.
    """

    name: str
    preset: str
    shown: list[Standing]


def panels(groups: Sequence[Group], floor: bool = False) -> list[Panel]:
    """Returns the panels of a board.

    Of a series, a panel shows one entry: that of the group whose levels the panel has.

    Args:
        groups: The groups of a board.
        floor: Whether the floor is wanted beside others.
    """
    tables = [group.question for group in groups]
    groups = newest(groups)
    homes = {id(group): _home(group, groups) for group in groups}
    questions = [group.question for group in groups if homes[id(group)] is group][:PANELS]
    shown: dict[Question, dict[Series, Standing]] = {one: {} for one in questions}
    for group in sorted(groups, key=lambda one: homes[id(one)] is not one):
        own = shown.get(homes[id(group)].question)
        if own is not None:
            for one in (*chosen(group), *(_floors(group) if floor else ())):
                own.setdefault(one.entry.series, one)
    presets = [{one.preset for one in own} for own in shown.values()]
    several = len(set().union(*presets)) > 1
    names = [_name(one) for one in questions]
    return [
        Panel(
            # What other images or levels gave may have the same name, and is another panel.
            _name(question, f"; table {1 + tables.index(question)}" * (names.count(name) > 1)),
            "".join(trained) if several and len(trained) == 1 else "",
            [*shown[question].values()],
        )
        for question, name, trained in zip(questions, names, presets, strict=True)
    ]


def _home(group: Group, groups: Sequence[Group]) -> Group:
    """Returns the group that shows a group in its panel: experts answer at a few of its levels."""
    asked = group.question
    if all(one.entry.series.baseline for one in group.standings):
        for other in groups:
            more = set(asked.levels) < set(other.question.levels)
            if more and asked._replace(levels=other.question.levels) == other.question:
                return other
    return group


def _name(question: Question, more: str = "") -> str:
    images, levels = amount(len(question.images), "image"), amount(len(question.levels), "level")
    return f"{question.dataset} ({images}, {levels}{more})"


def current(figure: bytes, fresh: bytes, table: bytes) -> bool:
    """Tells whether a figure is what ``curves`` makes.

    Args:
        figure: The figure that was found.
        fresh: The figure as it is drawn here. Another release of matplotlib draws other bytes: then
            the name of the table has to do.
        table: ``board.csv``.
    """
    theirs, ours = SHOWS.search(figure), SHOWS.search(fresh)
    if theirs is None or ours is None or theirs[2] == ours[2]:
        return figure == fresh
    return theirs[1].decode() == _named(table) and _alike(figure, fresh)


def _alike(figure: bytes, fresh: bytes) -> bool:
    """Whether a figure of another release holds nothing that ours does not: it may be anybody's file.

    Elements, attributes and texts must be those of ours, and nothing may lead out of the file.
    """

    if figure.partition(b"<svg")[0] != fresh.partition(b"<svg")[0] or b"<!ENTITY" in figure:
        return False
    # A letter may be written as its number, as in "\75rl(" and "&#117;rl("; matplotlib writes none so.
    if b"\\" in figure or b"&#" in figure:
        return False

    def parts(pattern: bytes, blob: bytes) -> set[bytes]:
        return set(re.findall(pattern, blob))

    # Patterns that begin anew at no more than one place of a run: a figure may be one long word.
    texts = rb"<!--((?:[^-]++|-(?!-))*+)-->"
    attributes = rb"(?<![\w:-])([\w:-]+)\s*=\s*[\"']"
    outside = (
        rb"(?i)@import|(?:image|set|src)\(|url\(\s*['\"]?[^#'\"\s]|href\s*=\s*['\"]\s*[^#'\"\s]"
    )
    return (
        parts(rb"<\s*([\w:-]+)", figure) <= parts(rb"<\s*([\w:-]+)", fresh)
        and parts(attributes, figure) <= parts(attributes, fresh)
        and sorted(re.findall(texts, figure)) == sorted(re.findall(texts, fresh))
        # None that the pattern does not see, such as one that holds two dashes.
        and figure.count(b"<!--") == fresh.count(b"<!--")
        and not re.search(outside, figure)
    )


def _named(table: bytes) -> str:
    return f"board.csv {hashlib.sha256(table).hexdigest()}"


def chosen(group: Group) -> list[Standing]:
    """Returns the best entries of a group, one of each series, and its baselines.

    The floor is among them only where there is nothing else: it would squeeze all other lines. So are
    entries that nobody has reproduced: they could say anything.
    """
    found: dict[Series, Standing] = {}
    known = [one for one in group.standings if one.entry.status in RANKED] or group.standings
    above = [one for one in known if one.entry.series.family != "floor"]
    for one in above or known:
        found.setdefault(one.entry.series, one)
    contest = [one for one in found.values() if not one.entry.series.baseline]
    references = [one for one in found.values() if one.entry.series.baseline]
    return [*contest[: LINES - min(2, len(references))], *references[:2]]


def _floors(group: Group) -> list[Standing]:
    """Returns the floor's entry, unless ``chosen`` has it already."""
    found = [one for one in group.standings if one.entry.series.family == "floor"]
    return found[:1] if len(found) < len(group.standings) else []
