"""The report of a task as one static page that opens from the file system, with everything inside."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any
from urllib.parse import quote

from benchmark.report.html import frame, table
from benchmark.report.summary import Document

POINT = "Point at a curve for its values; click to go to that level. Rings mark the level."
PLANE = "In the plane the dial runs from the hollow to the large filled marker."
PLANES = "In the plane the hollow marker is the first of the levels shown."
BANDS = (
    "Bands: 95 % bootstrap intervals over images of the distance from the centre of the methods on every "
    "image, around the curve. They say how sure a curve's place among the others is, not how much "
    "images differ."
)
BAND = "Bands: 95 % bootstrap intervals of the mean over images."
COMPARED = "Thick lines are the two compared in the pictures below."
FIRST = "Thick lines are the two best methods."

VIEWER = """<section id="viewer" hidden aria-label="Pictures by level">
<h2>Pictures</h2>
<div class="options">
<label>Left <select id="left"></select></label>
<label>Right <select id="right"></select></label>
<label>View <select id="view"><option value="wipe">wipe</option><option value="side">side by side</option></select></label>
<label>Zoom <input type="range" id="zoom" min="1" max="8" step="0.5" value="1"></label>
</div>
<div id="stage" tabindex="0" role="group" aria-label="Pictures; when zoomed, arrow keys move them"></div>
<label id="wiper">Wipe <input type="range" id="wipe" min="0" max="100" step="1" value="50"></label>
<p id="said" role="status"></p>
<p class="hint" id="pictured"></p>
</section>"""


def page(
    document: Document,
    drawings: Mapping[str, tuple[str, bytes]],
    data: Mapping[str, Any],
    css: str,
    matrix: str,
    names: Sequence[str],
) -> str:
    """Returns the page.

    Args:
        document: What the tables say.
        drawings: Titles and SVG files by name, in the order to show them.
        data: Output of ``plots.plots``, with ``gallery``.
        css: Output of ``plots.rules``.
        matrix: The level x dial matrix as HTML, or an empty text.
        names: The files that lie beside the page.
    """
    body = live(data, matrix)
    for grid in document.summaries:
        body += [f"<h2>{escape(grid.title)}</h2>", table(grid)]
    hints = ["Bold: the best method."] if document.competes else []
    # By name too: not everybody sees the gray.
    if gray := escape(", ".join(document.baselines)):
        hints.append(f"Baselines, in gray, do not compete: {gray}.")
    body += [f'<p class="hint">{" ".join(hints)}</p>'] if hints else []
    for grid in document.dials:
        body += [f"<h2>{escape(grid.title)}</h2>", table(grid)]
    if document.remarks:
        remarks = "".join(f"<li>{escape(text)}</li>" for text in document.remarks)
        body.append(
            f"<details><summary>What the columns of dial quality mean</summary><ul>{remarks}</ul></details>"
        )
    if document.details:
        body.append("<details><summary>Every level</summary>")
        for grid in document.details:
            body += [f"<h3>{escape(grid.title)}</h3>", table(grid)]
        body.append("</details>")
    if document.notes:
        notes = [
            f'<li id="note-{number}">{escape(text)}</li>'
            for number, text in enumerate(document.notes, 1)
        ]
        body += ["<h2>Notes</h2>", f"<ol>{''.join(notes)}</ol>"]
    if document.failures:
        failures = "".join(f"<li>{escape(text)}</li>" for text in document.failures)
        body += ["<h2>Failures and limits</h2>", f"<ul>{failures}</ul>"]
    facts = [f"<dt>{escape(key)}</dt><dd>{escape(text)}</dd>" for key, text in document.facts]
    body += ["<h2>How this was made</h2>", f"<dl>{''.join(facts)}</dl>"]
    body += _files(drawings, names)
    return frame(document.title, [part for part in body if part], css, data, "../index.html")


def live(data: Mapping[str, Any], more: str = "") -> list[str]:
    """Returns the level slider with all that moves with it, for the script to fill.

    Args:
        data: Output of ``plots.plots``, with ``gallery`` where there are pictures.
        more: HTML to end with.
    """
    if not data["levels"] or not data["sets"]:
        return [more]
    sets = "".join(
        f'<option value="{at}">{escape(one["name"])}</option>'
        for at, one in enumerate(data["sets"])
    )
    sliders = [
        f'<label>{escape(dial["name"])} <input type="range" class="level" id="level-{at}" min="0" '
        f'max="{len(dial["texts"]) - 1}" step="1" value="{len(dial["texts"]) // 2}" autocomplete="off"></label>'
        for at, dial in enumerate(data["dials"])
    ]
    return [
        '<div class="live">',
        '<div class="dial" id="dial" hidden>',
        *sliders,
        '<output id="now"></output>',
        f'<label>Set <select id="set">{sets}</select></label>' if len(data["sets"]) > 1 else "",
        "</div>",
        *_curves(data),
        VIEWER if _pictured(data) else "",
        more,
        "</div>",
    ]


def _pictured(data: Mapping[str, Any]) -> bool:
    return any(data.get("gallery", {}).get("sets", ()))


def _curves(data: Mapping[str, Any]) -> list[str]:
    costs = "".join(
        f'<option value="{at}">{escape(one["name"])}</option>'
        for at, one in enumerate(data.get("costs", ()))
    )
    two, hints = "", [POINT]
    if len(data["pair"]) > 1:
        name = "of the two compared" if _pictured(data) else "of the two best"
        two = f'<option value="pair">{name}</option>'
        if len({one["part"] for one in data["levels"]}) < len(data["levels"]):
            hints.append(COMPARED if _pictured(data) else FIRST)
    methods = sum(not one["baseline"] for one in data["series"])
    bands = BANDS if methods > 1 else BAND
    plane = [PLANES if len(data["dials"]) > 1 else PLANE] if data["plane"] else []
    options = [
        '<label><input type="checkbox" id="gaps"> difference to the best method</label>'
        if data["gaps"]
        else "",
        f'<label>Bands <select id="bands">{two}<option value="all">of all</option>'
        '<option value="none">none</option></select></label>',
        f'<label>Cost <select id="cost">{costs}</select></label>' if costs else "",
    ]
    return [
        '<section id="explore" hidden aria-label="Curves">',
        "<h2>Curves</h2>",
        f'<div class="options">{"".join(options)}</div>',
        '<div id="legend" role="group" aria-label="Curves to show"></div>',
        '<div id="plots"></div>',
        f'<p class="hint">{escape(" ".join([*hints, *plane, bands]))}</p>',
        '<h2 id="at-title">At this level</h2>',
        '<div class="wide" role="region" tabindex="0" aria-labelledby="at-title">'
        '<table class="sort" id="at"><thead></thead><tbody></tbody></table></div>',
        "</section>",
    ]


def _files(drawings: Mapping[str, tuple[str, bytes]], names: Sequence[str]) -> list[str]:
    links = " · ".join(f'<a href="{quote(name)}">{escape(name)}</a>' for name in names)
    figures = []
    for name, (title, svg) in drawings.items():
        # Where there is nothing in it, a figure says so in a sentence.
        said = title if title.endswith(".") else f"{title}; the tables have the values"
        figures.append(f"<figure>{inline(svg, name, said)}</figure>")
    return [
        '<details id="static" open><summary>Figures and files</summary>',
        f'<p class="files">{links}</p>',
        '<div class="curves">',
        *figures,
        "</div></details>",
    ]


def inline(svg: bytes, name: str, said: str) -> str:
    """Returns a drawing to put into HTML: no prolog, ids of its own, and a text for who cannot see it."""
    text = svg.decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    prefix = re.sub(r"[^A-Za-z0-9]+", "-", name)
    text = re.sub(r'\bid="', f'id="{prefix}-', text)
    text = re.sub(r'href="#', f'href="#{prefix}-', text)
    text = text.replace("url(#", f"url(#{prefix}-")
    return text.replace("<svg", f'<svg role="img" aria-label="{escape(said)}"', 1)
