"""Boards as pages: the tables and curves of a board in the frame of reports.

Nothing here trusts an entry: all of its text is escaped, and the page's policy lets no script run
but its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import quote

from benchmark.leaderboard.board import dial_words, heads, lines_of, rules, title
from benchmark.leaderboard.drawing import PANELS, means
from benchmark.leaderboard.standings import Group, Standing
from benchmark.report.grids import Cell, Grid, Line
from benchmark.report.html import frame, table
from benchmark.report.page import live
from benchmark.report.plots import plots
from benchmark.report.plots import rules as colours

if TYPE_CHECKING:
    from benchmark.tasks import Task

INTERVALS = (
    "Confidence: half the 95 % interval over images of the distance from the mean of the field. It "
    "says how much a difference depends on which images were chosen, not on the seed."
)


def page(groups: Sequence[Group]) -> str:
    """Returns the page of a board.

    Args:
        groups: The groups of the board, at least one.
    """
    task = groups[0].standings[0].entry.task
    long = means(groups[:PANELS])
    data = {**plots(long, task), "pair": []}
    body = [f"<p>{escape(f'{task.summary}. {rules(task)}')}</p>", *live(data)]
    for group in groups:
        body += [f"<h2>{escape(title(group.question, task))}</h2>", table(_grid(group, task))]
    body += [f'<p class="hint">{escape(text)}</p>' for text in (dial_words(task), INTERVALS)]
    name = f"{task.name}: leaderboard"
    return frame(name, [part for part in body if part], colours(long), data, "../index.html")


def _grid(group: Group, task: Task) -> Grid:
    """Returns a group's table; the method is its label, and the rank comes first."""
    columns = heads(group)
    lines = tuple(
        Line(line[1], tuple(map(Cell, (line[0], *line[2:]))), one.entry.series.baseline)
        for one, line in zip(group.standings, lines_of(group), strict=True)
    )
    shown = tuple(("", name) for name in (columns[0], *columns[2:]))
    return Grid(title(group.question, task), shown, lines)


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
            title(groups[0].question, task),
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
