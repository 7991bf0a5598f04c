"""Tables as plain text cells, whatever they are written as: Markdown, LaTeX or HTML."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from benchmark.report.words import NULL


@dataclass(frozen=True)
class Cell:
    """One entry: its text, whether it is the best method's, and the number of its note (0: none)."""

    text: str
    best: bool = False
    note: int = 0


@dataclass(frozen=True)
class Line:
    """One method's cells."""

    label: str
    cells: tuple[Cell, ...]
    baseline: bool = False


@dataclass(frozen=True)
class Grid:
    """A table: ``columns`` holds (group, name) headings, ``absent`` notes on columns left out."""

    title: str
    columns: tuple[tuple[str, str], ...]
    lines: tuple[Line, ...]
    absent: tuple[int, ...] = ()


def without_empty(grid: Grid, kept: Collection[str]) -> Grid:
    """Returns a table without the columns in which no line has a value, which push others away.

    Args:
        grid: The table.
        kept: Groups of columns that stay even if they are empty.
    """
    full = [
        at
        for at, (group, _) in enumerate(grid.columns)
        if group in kept or any(line.cells[at].text not in ("", NULL) for line in grid.lines)
    ]
    lines = tuple(
        Line(line.label, tuple(line.cells[at] for at in full), line.baseline) for line in grid.lines
    )
    gone = {
        cell.note
        for line in grid.lines
        for at, cell in enumerate(line.cells)
        if at not in full and cell.note
    }
    return Grid(grid.title, tuple(grid.columns[at] for at in full), lines, tuple(sorted(gone)))


class Notes:
    """Numbers notes in the order in which they are first needed."""

    def __init__(self) -> None:
        self.texts: dict[str, int] = {}

    def number(self, text: str) -> int:
        """Returns the number of a note, a new one if the text is new."""
        return self.texts.setdefault(text, len(self.texts) + 1)
