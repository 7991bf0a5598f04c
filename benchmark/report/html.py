"""What all pages share: a frame that may fetch nothing, tables, and data for scripts."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from functools import cache
from html import escape
from importlib.resources import files
from itertools import groupby
from typing import Any

from benchmark.report.grids import Cell, Grid

SCRIPTS = ("sort.js", "charts.js", "viewer.js", "page.js")
"""Files of ``static/``, in the order in which the page runs them."""


def frame(
    title: str,
    body: Sequence[str],
    css: str = "",
    data: Any = None,
    home: str | None = None,
    back: str = "All tasks",
    script: bool = True,
) -> str:
    """Returns a whole page that needs nothing from elsewhere.

    Its policy lets a browser run our script only and fetch nothing, whatever the texts on it hold.

    Args:
        title: Plain text.
        body: HTML.
        css: More rules.
        data: What the script reads, as JSON takes it.
        home: Relative address of the page above this one, or None.
        back: What that page is called.
        script: Whether there is anything for our script to do.
    """
    code = _script() if script else ""
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    nav = f'<nav><a href="{escape(home)}">{escape(back)}</a></nav>' if home else ""
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title>",
        f"<style>\n{_static('page.css')}{css}\n</style></head>",
        "<body>",
        '<a class="skip" href="#main">Skip to the content</a>',
        f"<header>{nav}<h1>{escape(title)}</h1></header>",
        '<main id="main">',
        *body,
        "</main>",
    ]
    if data is not None:
        parts.append(f'<script type="application/json" id="data">{embedded(data)}</script>')
    parts += [f"<script>{code}</script>"] if script else []
    parts += ["</body></html>", ""]
    return "\n".join(parts)


def embedded(data: Any) -> str:
    """Returns JSON that cannot end the element that it stands in."""
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


@cache
def _static(name: str) -> str:
    return (files("benchmark.report") / "static" / name).read_text(encoding="utf-8")


@cache
def _script() -> str:
    return "\n".join(["", "(() => {", '"use strict";', *map(_static, SCRIPTS), "})();", ""])


def table(grid: Grid, first: str = "method", labels: Sequence[str] = ()) -> str:
    """Returns a table whose columns the page lets readers sort.

    Args:
        grid: The table.
        first: Heading of the lines' labels.
        labels: HTML to show instead of the lines' labels.
    """
    groups = [
        (group, len(list(members))) for group, members in groupby(grid.columns, lambda c: c[0])
    ]
    firsts = {sum(width for _, width in groups[:at]) for at in range(len(groups))}
    if len(groups) < 2:
        firsts = set()
    head = ""
    if any(group for group, _ in groups):
        spans = "".join(
            f'<th class="group" colspan="{width}" scope="colgroup">{escape(group)}</th>'
            if group
            else f'<td colspan="{width}"></td>'
            for group, width in groups
        )
        head = f"<tr><td></td>{spans}</tr>"
    names = "".join(
        f'<th scope="col"{_first(at in firsts)}>{escape(name)}</th>'
        for at, (_, name) in enumerate(grid.columns)
    )
    head += f'<tr><th scope="col">{escape(first)}</th>{names}</tr>'
    lines = []
    for at, line in enumerate(grid.lines):
        kinds = ["baseline"] if line.baseline else []
        if line.baseline and at and not grid.lines[at - 1].baseline:
            kinds.append("rule")
        start = f'<tr class="{" ".join(kinds)}">' if kinds else "<tr>"
        cells = "".join(
            f"<td{_first(place in firsts)}>{_cell(cell)}</td>"
            for place, cell in enumerate(line.cells)
        )
        label = labels[at] if labels else escape(line.label)
        lines.append(f'{start}<th scope="row"><span>{label}</span></th>{cells}</tr>')
    body = "\n".join(lines)
    return wide(
        f'<table class="sort"><thead>{head}</thead>\n<tbody>\n{body}\n</tbody></table>', grid.title
    )


def wide(content: str, name: str) -> str:
    """Returns a part that scrolls sideways where it is too wide, also by keyboard."""
    return (
        f'<div class="wide" role="region" tabindex="0" aria-label="{escape(name)}">{content}</div>'
    )


def _first(first: bool) -> str:
    return ' class="first"' if first else ""


def _cell(cell: Cell) -> str:
    mean, sign, deviation = cell.text.partition(" ± ")
    text = f"<strong>{escape(mean)}</strong>" if cell.best else escape(mean)
    if sign:
        text += f" <small>±{escape(deviation)}</small>"
    if cell.note:
        number = cell.note
        text += f'<sup><a href="#note-{number}" aria-label="note {number}">{number}</a></sup>'
    return text
