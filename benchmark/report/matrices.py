"""The level x dial matrix as HTML tables in the colours of its figure."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from benchmark.analysis.matrix import best, psnr
from benchmark.analysis.scores import Found, Run
from benchmark.metrics.records import METRICS
from benchmark.report import words
from benchmark.report.heat import Panel, loss_text, names_of, panels, shade, shades
from benchmark.report.html import wide

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.colors import Normalize

    from benchmark.tasks import Task

STOPS = 16
"""Steps of the colour scale."""


def matrices(found: Found, task: Task) -> str:
    """Returns one table for every run, or an empty text if no dial was ever set wrong."""
    every = panels(found, task)
    if not every:
        return ""
    losses, norm = shades(every)
    names, several = names_of(every), len({run.dataset for run in every}) > 1
    metric = psnr(task)
    parts = []
    for run, panel in every.items():
        name = f"{names[run]} on {run.dataset}" if several else names[run]
        parts.append(f'<div class="matrix"><h3>{escape(name)}</h3>')
        parts.append(_table(panel, losses.get(run), norm, task, name, run))
        parts.append("</div>")
    return "\n".join(
        [
            '<section id="matrix"><h2>Level × dial</h2>',
            f'<p class="hint">{escape(words.metric_name(metric))}, lost '
            "when the dial (across) is set to another value than the true level (down), in "
            f"{escape(words.axis_name(task))}. ● is the best dial at a level; the framed diagonal is "
            "the dial set to the true level.</p>",
            _scale(norm, METRICS[metric].unit),
            '<div class="matrices">',
            *parts,
            "</div></section>",
        ]
    )


def _scale(norm: Normalize, unit: str) -> str:
    """Returns what the colours mean, as a line: they are those of all tables together."""
    colors = ", ".join(_color(norm.vmax * at / STOPS, norm)[0] for at in range(STOPS + 1))
    most = f"{loss_text(norm.vmax)} {unit}".strip()
    return (
        '<p class="hint scale">lost: 0, as with the best dial'
        f'<i style="background:linear-gradient(to right, {colors})"></i>{escape(most)}, the most</p>'
    )


def _color(value: float, norm: Normalize) -> tuple[str, str]:
    """Returns the colour of a loss, and that of text on it, as CSS."""
    color, ink = shade(value, norm)
    return "#{:02x}{:02x}{:02x}".format(*(round(255 * part) for part in color)), ink


def _table(
    panel: Panel, loss: np.ndarray | None, norm: Normalize, task: Task, name: str, run: Run
) -> str:
    if isinstance(panel, str) or loss is None:
        return f'<p class="hint">{escape(str(panel))}</p>'
    levels = panel[0]
    chosen = best(-loss)
    heads = "".join(f'<th scope="col">{escape(words.physical(task, one))}</th>' for one in levels)
    lines = []
    for row, level in enumerate(levels):
        cells = []
        for column in range(len(levels)):
            value = float(loss[row, column])
            color, ink = _color(value, norm)
            own = ' class="own"' if row == column else ""
            text = "●" if column == chosen[row] else loss_text(value)
            cells.append(f'<td{own} style="background:{color};color:{ink}">{text}</td>')
        lines.append(
            f'<tr data-level="{escape(level)}" data-set="{escape(run.dataset)}">'
            f'<th scope="row">{escape(words.physical(task, level))}</th>{"".join(cells)}</tr>'
        )
    return wide(
        f'<table><thead><tr><th scope="col">level</th>{heads}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table>",
        f"Level and dial of {name}",
    )
