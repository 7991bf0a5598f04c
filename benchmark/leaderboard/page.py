"""Boards as pages: the tables and curves of a board in the frame of reports.

Nothing here trusts an entry: all of its text is escaped, and the page's policy lets no script run
but its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import quote

from benchmark.amount import amount
from benchmark.analysis.scores import Found, scores
from benchmark.leaderboard.board import (
    caution,
    csv_text,
    dial_words,
    heads,
    lines_of,
    rules,
    title,
)
from benchmark.leaderboard.card import sections
from benchmark.leaderboard.card import title as card_title
from benchmark.leaderboard.drawing import LINES, PANELS, Panel, curves, panels
from benchmark.leaderboard.entry import Entry
from benchmark.leaderboard.folder import ENTRIES
from benchmark.leaderboard.standings import Group, Standing
from benchmark.report import words
from benchmark.report.averages import costs, means
from benchmark.report.curves import level_title
from benchmark.report.gallery import gallery
from benchmark.report.grids import Cell, Grid, Line
from benchmark.report.html import frame, table
from benchmark.report.matrices import matrices
from benchmark.report.page import inline, live
from benchmark.report.plots import cost_data, plots, series_of
from benchmark.report.plots import rules as colours
from benchmark.report.series import Series
from benchmark.results import Results

if TYPE_CHECKING:
    from benchmark.tasks import Task

INTERVALS = (
    "Confidence: half the 95 % interval over images of the distance from the centre of the field. It "
    "says how much a difference depends on which images were chosen, not on the seed."
)
COLUMNS = (
    "Stored and folded: parameters as kept, and set to one level; MACs: of a 256 x 256 input; switch: the "
    "time that another level takes to set. Reproduced: the share of an entry's values that were computed "
    "again from its weights."
)
STILL = (
    "Without scripts there are no sliders and pictures; these are the curves of the first tables."
)


def page(groups: Sequence[Group], results: Results) -> str:
    """Returns the page of a board.

    Args:
        groups: The groups of the board, at least one.
        results: Output of ``drawn.results``.
    """
    task = groups[0].standings[0].entry.task
    long, found = means(results), scores(results.rows, task)
    # Data sets in the order of the tables below.
    places = {name: at for at, name in enumerate(results.rows["dataset"].unique())}
    long = long.sort_values("dataset", key=lambda names: names.map(places), kind="stable")
    every = series_of(long)
    data = {
        **plots(long, task, found),
        "costs": cost_data(costs(results), every),
        "gallery": gallery(results, task, long, every),
    }
    # Sets may have series of their own, such as where all was trained otherwise.
    for one, panel in zip(data["sets"], panels(groups), strict=True):
        one["pair"] = _pair(panel, every)
    data["pair"] = data["sets"][0]["pair"] if data["sets"] else []
    body = [f"<p>{escape(f'{task.summary}. {rules(task)}')}</p>"]
    figure = level_title(task, groups[0].standings[0].metric)
    drawing = inline(curves(groups, task, csv_text(groups)), "curves.svg", figure)
    body.append(
        f'<noscript><p class="hint">{STILL}</p>'
        f'<div class="curves"><figure>{drawing}</figure></div></noscript>'
    )
    body += live(data, matrices(_crossed(found), task))
    body.append(_undrawn(groups))
    for group in groups:
        links = [
            f'<a href="{quote(card_name(one.entry))}">{escape(line[1])}</a>'
            for one, line in zip(group.standings, lines_of(group), strict=True)
        ]
        grid = _grid(group, task)
        body += [
            f"<h2>{escape(title(group))}</h2>",
            *(f'<p class="hint">{escape(text)}</p>' for text in caution(group)),
            table(grid, labels=links),
        ]
    body += [
        f'<p class="hint">{escape(text)}</p>' for text in (COLUMNS, dial_words(task), INTERVALS)
    ]
    name = f"{task.name}: leaderboard"
    return frame(name, [part for part in body if part], colours(long), data, "../index.html")


def _undrawn(groups: Sequence[Group]) -> str:
    """Returns a sentence about the entries that no curve shows, or an empty text."""
    every = {one.entry.id for group in groups for one in group.standings}
    left = every - {one.entry.id for panel in panels(groups, floor=True) for one in panel.shown}
    if not left:
        return ""
    return (
        f'<p class="hint">Not drawn: {len(left)} of {amount(len(every), "entry", "entries")}. Curves show '
        f"at most {PANELS} tables of the newest version, and of each at most {LINES} entries beside the "
        "floor: the best of those that were reproduced, or of all where none was.</p>"
    )


def _pair(panel: Panel, every: Sequence[Series]) -> list[int]:
    """Returns the two best methods of a panel, which the page compares first."""
    best = [one.entry.series for one in panel.shown if not one.entry.series.baseline]
    return [every.index(one) for one in best if one in every][:2]


def _crossed(found: Found) -> Found:
    """Returns the runs whose dial was also set wrong."""
    return {
        run: seeds
        for run, seeds in found.items()
        if any(
            level != dial
            for own in seeds.values()
            for one in own.values()
            for level, dial in one.cells
        )
    }


def card_name(entry: Entry) -> str:
    """Returns the file of an entry's card, beside the page of its board."""
    return f"{entry.id}.html"


def card(entry: Entry) -> str:
    """Returns the card of an entry as a page."""
    body = [f"<p>Status: {escape(entry.status)}.</p>"]
    for head, facts in sections(entry):
        body += [f"<h2>{escape(head)}</h2>"] if head else []
        body.append(f"<ul>{''.join(f'<li>{_code(text)}</li>' for text in facts)}</ul>")
    if entry.has_weights:
        body += [
            "<h2>On images of your own</h2>",
            "<p>In the folder of dialbench, with your images in the folder <code>photographs</code>:</p>",
            f"<ul>{''.join(f'<li>{_code(text)}</li>' for text in _uses(entry))}</ul>",
        ]
    board = f"{entry.task.name}: leaderboard"
    return frame(card_title(entry), body, home="index.html", back=board, script=False)


def _uses(entry: Entry) -> list[str]:
    """Returns the commands that use the network of an entry."""
    place = f"{entry.task.name} --entry leaderboards/{entry.task.name}/{ENTRIES}/{entry.id}"
    return [
        f"a table: `dialbench sweep {place} --test photographs`",
        f"in a browser: `dialbench demo {place}`",
        f"for other programs: `dialbench export {place} --onnx`",
    ]


def _code(text: str) -> str:
    """Returns text as HTML, with what stands between backticks as code."""
    return re.sub("`([^`]*)`", r"<code>\1</code>", escape(text))


def _grid(group: Group, task: Task) -> Grid:
    """Returns a group's table; the method is its label, and the rank comes first."""
    columns = _heads(group, task)
    lines = tuple(
        Line(line[1], tuple(map(Cell, (line[0], *line[2:]))), one.entry.series.baseline)
        for one, line in zip(group.standings, lines_of(group), strict=True)
    )
    shown = tuple(("", name) for name in (columns[0], *columns[2:]))
    return Grid(title(group), shown, lines)


def _heads(group: Group, task: Task) -> list[str]:
    """Returns the headings of a group's table, with the units and directions that reports have too."""
    metric = group.standings[0].metric
    name = words.metric_name(metric)
    said = {
        name: f"{name} {words.arrow(metric)}",
        words.merit(task): f"{words.merit(task)} ↑",
        "gap to experts": f"gap to experts{words.unit(metric)} ↓",
        "dial quality": "dial quality ↑",
        "coverage": "coverage ↑",
        "stored": "stored parameters",
        "folded": "folded parameters",
        "confidence": f"confidence{words.unit(task.headline)}",
    }
    return [said.get(head, head) for head in heads(group)]


def home(boards: Sequence[tuple[str, Sequence[Group]]]) -> str:
    """Returns the page that leads to all boards.

    Args:
        boards: Names of tasks with the groups of their boards.
    """
    lines, links = [], []
    for name, groups in boards:
        task = groups[0].standings[0].entry.task
        leaders = [one for one in groups[0].standings if one.rank == 1]
        entries = {one.entry.id for group in groups for one in group.standings}
        ranked = {one.entry.id for group in groups for one in group.standings if one.rank}
        texts = (
            task.summary,
            title(groups[0]),
            str(len(entries)),
            str(len(ranked)),
            ", ".join(_name(one) for one in leaders),
        )
        lines.append(Line(name, tuple(map(Cell, texts))))
        links.append(f'<a href="{quote(f"{name}/index.html")}">{escape(name)}</a>')
    columns = ("what", "first table", "entries", "ranked", "rank 1 there")
    grid = Grid("Boards", tuple(("", column) for column in columns), tuple(lines))
    body = [
        "<p>Methods that were handed in for every task. Only numbers that were computed again are "
        "ranked.</p>",
        f'<div class="text">{table(grid, "task", links)}</div>',
    ]
    return frame("dialbench leaderboards", body)


def _name(one: Standing) -> str:
    return str(one.entry.facts["method"])
