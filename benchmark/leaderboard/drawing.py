"""``curves.svg``: the headline metric at every level, drawn here so that no library changes a byte."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmark.control import parse_level
from benchmark.leaderboard.standings import Group, Standing
from benchmark.report import words
from benchmark.report.series import Series, labels, ordered
from benchmark.report.style import styles

if TYPE_CHECKING:
    from benchmark.tasks import Task

PANELS = 4
"""Groups that are drawn; all are in the table."""
LINES = 12
"""Entries that are drawn in a panel, best first."""
WIDTH, HEIGHT, LEGEND = 360, 260, 240
LEFT, TOP, BOTTOM = 56, 34, 44
TICKS = 5
STYLE = (
    "text{font:11px sans-serif;fill:#222}"
    "@media(prefers-color-scheme:dark){.paper{fill:#181818}text{fill:#ddd}}"
)


def curves(groups: Sequence[Group], task: Task) -> bytes:
    """Returns the figure: one panel for each group, one line for each of its best entries."""
    chosen = groups[:PANELS]
    drawn = [_chosen(group) for group in chosen]
    series = ordered(one.entry.series for group in drawn for one in group)
    looks, names = styles(series), labels(series)
    height = max(TOP + HEIGHT + BOTTOM, 40 + 18 * len(series))
    width = (LEFT + WIDTH) * len(chosen) + LEGEND
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{_text(task.name)}: {_text(words.metric_name(task.headline))} by level">',
        f"<style>{STYLE}</style>",
        f'<rect class="paper" width="{width}" height="{height}" fill="#fff"/>',
    ]
    for at, (group, lines) in enumerate(zip(chosen, drawn, strict=True)):
        colors = {one: (looks[one].color, looks[one].line != "-") for one in looks}
        parts.append(f'<g transform="translate({(LEFT + WIDTH) * at + LEFT},{TOP})">')
        parts += [*_panel(group, lines, colors, task), "</g>"]
    parts.append(f'<g transform="translate({width - LEGEND + 24},{TOP})">')
    for at, one in enumerate(series):
        y = 18 * at + 6
        dashes = "" if looks[one].line == "-" else ' stroke-dasharray="5 3"'
        parts.append(
            f'<path d="M0 {y}h20" stroke="{looks[one].color}" stroke-width="2"{dashes}/>'
            f'<text x="26" y="{y + 4}">{_text(names[one])}</text>'
        )
    return ("\n".join([*parts, "</g>", "</svg>"]) + "\n").encode()


def _chosen(group: Group) -> list[Standing]:
    """Returns the best entries of a group, one of each series, and its baselines but the floor."""
    found: dict[Series, Standing] = {}
    for one in group.standings:
        if one.entry.series.family != "floor":
            found.setdefault(one.entry.series, one)
    contest = [one for one in found.values() if not one.entry.series.baseline]
    references = [one for one in found.values() if one.entry.series.baseline]
    return [*contest[: LINES - min(2, len(references))], *references[:2]]


def _panel(
    group: Group, lines: Sequence[Standing], colors: dict[Series, tuple[str, bool]], task: Task
) -> list[str]:
    """Returns a panel as SVG, its origin at the top left of the axes."""
    levels = group.question.levels
    width, height = WIDTH - LEFT // 2, HEIGHT
    points = [parse_level(level) for level in levels]
    # With several axes there is no one place for a level, so they stand side by side.
    places = [p[0] for p in points] if len(points[0]) == 1 else list(range(len(points)))
    every = {id(one): one.by_level() for one in lines}
    values = [value for own in every.values() for value in own] or [0.0]
    left, right = min(places), max(places)
    low, high = min(values), max(values)
    pad = 0.05 * (high - low) or 0.5
    low, high = low - pad, high + pad

    def x(place: float) -> str:
        share = (place - left) / (right - left) if right > left else 0.5
        return f"{share * width:.1f}"

    def y(value: float) -> str:
        return f"{(high - value) / (high - low) * height:.1f}"

    title = f"{group.question.dataset}, {len(group.question.images)} images"
    parts = [f'<text x="0" y="-14" font-weight="bold">{_text(title)}</text>']
    for value in _ticks(low, high):
        parts.append(
            f'<path d="M0 {y(value)}h{width}" stroke="#8888" stroke-width=".5"/>'
            f'<text x="-6" y="{y(value)}" dy="4" text-anchor="end">{value:g}</text>'
        )
    step = max(1, math.ceil(len(levels) / 8))
    for at in range(0, len(levels), step):
        name = words.physical(task, levels[at]) if words.has_physical(task) else levels[at]
        parts.append(
            f'<text x="{x(places[at])}" y="{height + 16}" text-anchor="middle">{_text(name)}</text>'
        )
    axis = words.axis_name(task) if words.has_physical(task) else "level"
    parts.append(
        f'<text x="{width / 2:g}" y="{height + 34}" text-anchor="middle">{_text(axis)}</text>'
    )
    for one in lines:
        color, dashed = colors[one.entry.series]
        dashes = ' stroke-dasharray="5 3"' if dashed else ""
        spots = list(zip(places, every[id(one)], strict=True))
        path = "L".join(f"{x(place)} {y(value)}" for place, value in spots)
        parts.append(f'<path d="M{path}" fill="none" stroke="{color}" stroke-width="1.6"{dashes}/>')
        parts += [
            f'<circle cx="{x(place)}" cy="{y(value)}" r="2.2" fill="{color}"/>'
            for place, value in spots
        ]
    return parts


def _ticks(low: float, high: float) -> list[float]:
    """Returns round values inside a range."""
    rough = (high - low) / TICKS
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * unit for unit in (1, 2, 5, 10) if power * unit >= rough)
    first = math.ceil(low / step)
    return [round(number * step, 9) for number in range(first, math.floor(high / step) + 1)]


def _text(text: str) -> str:
    return html.escape(text)
