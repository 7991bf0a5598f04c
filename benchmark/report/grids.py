"""Tables as plain text cells, whatever they are written as: Markdown, LaTeX or HTML."""

from __future__ import annotations

from dataclasses import dataclass


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
    """A table: ``columns`` holds (group, name) headings."""

    title: str
    columns: tuple[tuple[str, str], ...]
    lines: tuple[Line, ...]


class Notes:
    """Numbers notes in the order in which they are first needed."""

    def __init__(self) -> None:
        self.texts: dict[str, int] = {}

    def number(self, text: str) -> int:
        """Returns the number of a note, a new one if the text is new."""
        return self.texts.setdefault(text, len(self.texts) + 1)
