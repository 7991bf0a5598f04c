"""The summary tables as LaTeX (booktabs)."""

from __future__ import annotations

import re
from itertools import groupby

from benchmark.report.grids import Cell, Grid
from benchmark.report.summary import Document

ESCAPES = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "∞": r"$\infty$",
    "—": r"\textemdash{}",
}


def latex(document: Document) -> str:
    """Returns one table per data set; the preamble needs ``\\usepackage{booktabs}``."""
    head = (
        r"% needs \usepackage{booktabs} in the preamble; wide tables want a landscape page or "
        r"\resizebox (package graphicx)"
    )
    facts = [f"% {key}: {' '.join(value.split())}" for key, value in document.facts]
    failed = [f"% failed: {' '.join(text.split())}" for text in document.failures]
    title = escape(document.title)
    tables = [
        *(_table(document, one, f"{title}, on {escape(one.title)}") for one in document.summaries),
        *(_table(document, one, f"{title}. {escape(one.title)}") for one in document.dials),
    ]
    return "\n".join([head, *facts, *failed]) + "\n" + "".join(f"\n{table}\n" for table in tables)


def escape(text: str) -> str:
    """Returns text that LaTeX prints as it is."""
    escaped = "".join(ESCAPES.get(character, character) for character in " ".join(text.split()))
    # LaTeX makes a dash of two hyphens, so that --jobs could not be copied.
    return re.sub("-(?=-)", "-{}", escaped)


def _table(document: Document, grid: Grid, caption: str) -> str:
    groups = [
        (group, len(list(members))) for group, members in groupby(grid.columns, lambda c: c[0])
    ]
    spans, rules, start = [], [], 2
    for group, width in groups:
        spans.append(rf"\multicolumn{{{width}}}{{c}}{{{escape(group)}}}")
        rules.append(rf"\cmidrule(lr){{{start}-{start + width - 1}}}")
        start += width
    body = []
    for at, line in enumerate(grid.lines):
        if line.baseline and at and not grid.lines[at - 1].baseline:
            body.append(r"\midrule")
        body.append(" & ".join([escape(line.label), *map(_cell, line.cells)]) + r" \\")
    used = {cell.note for line in grid.lines for cell in line.cells if cell.note}
    notes = [
        rf"{{\footnotesize\raggedright\textsuperscript{{{number}}}~"
        rf"{escape(document.notes[number - 1])}\par}}"
        for number in sorted(used | set(grid.absent))
    ]
    return "\n".join(
        [
            r"\begin{table*}",
            r"\centering\footnotesize\setlength{\tabcolsep}{3pt}",
            rf"\caption{{{caption}.}}",
            rf"\begin{{tabular}}{{l{'r' * len(grid.columns)}}}",
            r"\toprule",
            " & ".join(["", *spans]) + r" \\",
            "".join(rules),
            " & ".join(["method", *(escape(name) for _, name in grid.columns)]) + r" \\",
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            *([r"\par\smallskip", *notes] if notes else []),
            r"\end{table*}",
        ]
    )


def _cell(cell: Cell) -> str:
    mean, sign, deviation = cell.text.partition(" ± ")
    text = escape(mean)
    if mean.startswith("-"):
        # A hyphen is shorter than a minus sign, and lies lower.
        text = rf"$-${text[1:]}"
    if cell.best:
        text = rf"\textbf{{{text}}}"
    if sign:
        text += rf"{{\tiny$\pm${escape(deviation)}}}"
    return text + (rf"\textsuperscript{{{cell.note}}}" if cell.note else "")
