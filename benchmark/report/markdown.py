"""The readable tables as Markdown."""

from __future__ import annotations

from benchmark.report.grids import Cell, Grid
from benchmark.report.summary import Document

SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def markdown(document: Document) -> str:
    """Returns the whole document; tables are aligned so that they also read as plain text."""
    parts = [f"# {escape(document.title)}"]
    parts.append("\n".join(f"- {key}: {escape(value)}" for key, value in document.facts))
    for grid in document.summaries:
        parts += [f"## {escape(grid.title)}", _grid(grid)]
    hints = ["Bold: the best method."] if document.competes else []
    if document.baselines:
        hints.append("Baselines, below the empty line, do not compete.")
    parts += [" ".join(hints)] if hints else []
    for grid in document.dials:
        parts += [f"## {escape(grid.title)}", _grid(grid)]
    if document.remarks:
        parts.append("\n".join(f"- {escape(text)}" for text in document.remarks))
    if document.notes:
        notes = [
            f"{str(number).translate(SUPERSCRIPTS)} {escape(text)}  "
            for number, text in enumerate(document.notes, 1)
        ]
        parts += ["### Notes", "\n".join(notes)]
    if document.failures:
        parts += [
            "### Failures and limits",
            "\n".join(f"- {escape(text)}" for text in document.failures),
        ]
    if document.details:
        parts.append("## Every level")
    for grid in document.details:
        parts += [f"### {escape(grid.title)}", _grid(grid)]
    return "\n\n".join(parts) + "\n"


def escape(text: str) -> str:
    """Returns text that Markdown shows as it is, on one line."""
    text = " ".join(str(text).split()).replace("\\", "\\\\")
    for character in "|*<[`":
        text = text.replace(character, f"\\{character}")
    return text


def _grid(grid: Grid) -> str:
    header = ["method", *(f"{group} {name}".strip() for group, name in grid.columns)]
    lines = [[escape(text) for text in header]]
    above = False
    for line in grid.lines:
        if line.baseline and not above and len(lines) > 1:
            lines.append([""] * len(header))
        above = line.baseline
        lines.append([escape(line.label), *(_cell(cell) for cell in line.cells)])
    widths = [max(len(line[at]) for line in lines) for at in range(len(header))]
    rule = [f":{'-' * (widths[0] - 1)}", *(f"{'-' * (width - 1)}:" for width in widths[1:])]
    padded = [
        [line[0].ljust(widths[0]), *(t.rjust(w) for t, w in zip(line[1:], widths[1:], strict=True))]
        for line in lines
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in [padded[0], rule, *padded[1:]])


def _cell(cell: Cell) -> str:
    text = f"**{cell.text}**" if cell.best else cell.text
    return text + (str(cell.note).translate(SUPERSCRIPTS) if cell.note else "")
