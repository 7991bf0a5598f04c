"""The report as one static page that opens from the file system, with everything inside."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from html import escape
from itertools import groupby

from benchmark.report.grids import Cell, Grid
from benchmark.report.summary import Document

STYLE = """
:root { color-scheme: light dark; --ink: #1c1c1c; --soft: #666; --line: #d8d8d8; --paper: #fff; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8e8e8; --soft: #a0a0a0; --line: #444; --paper: #000; }
  figure svg { filter: invert(1) hue-rotate(180deg); }
}
body { margin: 2rem auto; padding: 0 1.5rem; max-width: 104rem; background: var(--paper);
  color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.5rem; }
h3 { font-size: 1rem; margin-top: 1.5rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 1rem; margin: 0; }
dt { color: var(--soft); } dd { margin: 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13px; }
th, td { padding: 0.2rem 0.45rem; text-align: right; white-space: nowrap; }
th { font-weight: 500; color: var(--soft); } tbody th { color: var(--ink); }
th:first-child { text-align: left; position: sticky; left: 0; background: var(--paper); }
thead tr:last-child th { border-bottom: 1px solid var(--line); }
th.group { text-align: center; color: var(--ink); }
.first { padding-left: 1.4rem; }
tr.rule > * { border-top: 1px solid var(--line); }
tr.baseline > * { color: var(--soft); }
td small { color: var(--soft); }
sup a { color: var(--soft); text-decoration: none; }
.curves { display: flex; flex-wrap: wrap; gap: 0 2rem; }
figure { margin: 1rem 0; max-width: 100%; }
figure svg, figure img { max-width: 100%; height: auto; }
figure img { image-rendering: pixelated; }
li:target { background: #f5d76e55; }
summary { cursor: pointer; font-size: 1.15rem; font-weight: 600; margin-top: 2.5rem; }
""".strip()


def page(document: Document, drawings: Mapping[str, bytes], strip: bytes) -> str:
    """Returns the page.

    Args:
        document: What the tables say.
        drawings: SVG files by name, in the order to show them.
        strip: The picture strip as PNG bytes.
    """
    title = escape(document.title)
    body = [f"<h1>{title}</h1>", _facts(document)]
    for grid in document.summaries:
        body += [f"<h2>{escape(grid.title)}</h2>", _table(grid)]
    if document.summaries:
        body.append("<p>Bold: the best method; the baselines below the line do not compete.</p>")
    for grid in document.dials:
        body += [f"<h2>{escape(grid.title)}</h2>", _table(grid)]
    if document.remarks:
        remarks = "".join(f"<li>{escape(text)}</li>" for text in document.remarks)
        body.append(
            f"<details><summary>What the figures mean</summary><ul>{remarks}</ul></details>"
        )
    if document.notes:
        notes = [
            f'<li id="note-{number}">{escape(text)}</li>'
            for number, text in enumerate(document.notes, 1)
        ]
        body += ["<h3>Notes</h3>", f"<ol>{''.join(notes)}</ol>"]
    if document.failures:
        failures = "".join(f"<li>{escape(text)}</li>" for text in document.failures)
        body += ["<h2>Failures and limits</h2>", f"<ul>{failures}</ul>"]
    body.append("<h2>Curves</h2>")
    figures = [f"<figure>{_inline(svg, name)}</figure>" for name, svg in drawings.items()]
    body += ['<div class="curves">', *figures, "</div>"]
    data = base64.b64encode(strip).decode()
    body += [
        "<h2>Pictures</h2>",
        f'<figure><img alt="One crop, levels across and methods down" '
        f'src="data:image/png;base64,{data}"></figure>',
    ]
    if document.details:
        body.append("<details><summary>Every level</summary>")
        for grid in document.details:
            body += [f"<h3>{escape(grid.title)}</h3>", _table(grid)]
        body.append("</details>")
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{title}</title>",
            f"<style>\n{STYLE}\n</style></head>",
            "<body>",
            *body,
            "</body></html>",
            "",
        ]
    )


def _facts(document: Document) -> str:
    entries = [f"<dt>{escape(key)}</dt><dd>{escape(text)}</dd>" for key, text in document.facts]
    return f"<dl>{''.join(entries)}</dl>"


def _table(grid: Grid) -> str:
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
            for group, width in groups
        )
        head = f"<tr><th></th>{spans}</tr>"
    names = "".join(
        f'<th scope="col"{_first(at in firsts)}>{escape(name)}</th>'
        for at, (_, name) in enumerate(grid.columns)
    )
    head += f'<tr><th scope="col">method</th>{names}</tr>'
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
        lines.append(f'{start}<th scope="row">{escape(line.label)}</th>{cells}</tr>')
    body = "\n".join(lines)
    return (
        f'<div class="wide"><table><thead>{head}</thead>\n<tbody>\n{body}\n</tbody></table></div>'
    )


def _first(first: bool) -> str:
    return ' class="first"' if first else ""


def _cell(cell: Cell) -> str:
    mean, sign, deviation = cell.text.partition(" ± ")
    text = f"<b>{escape(mean)}</b>" if cell.best else escape(mean)
    if sign:
        text += f" <small>±{escape(deviation)}</small>"
    if cell.note:
        text += f'<sup><a href="#note-{cell.note}">{cell.note}</a></sup>'
    return text


def _inline(svg: bytes, name: str) -> str:
    """Returns a drawing to put into HTML: no prolog, ids of its own, and a name for readers."""
    text = svg.decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    prefix = re.sub(r"[^A-Za-z0-9]+", "-", name)
    text = re.sub(r'\bid="', f'id="{prefix}-', text)
    text = re.sub(r'href="#', f'href="#{prefix}-', text)
    text = text.replace("url(#", f"url(#{prefix}-")
    return text.replace("<svg", f'<svg role="img" aria-label="{escape(name)}"', 1)
