"""What the referee says: one line per fault, with whatever an entry wrote shown harmlessly."""

from __future__ import annotations

import html

SHOWN = 60
"""Characters of an entry's own text that a fault repeats."""


class Fault(Exception):
    """Something in an entry is not as it must be; the message is one line."""


def shown(value: object) -> str:
    """Returns a value as short plain ASCII that neither a terminal nor a browser acts upon."""
    text = str(value)
    cut = text[:SHOWN].encode("unicode_escape").decode("ascii")
    return html.escape(cut) + ("..." if len(text) > SHOWN else "")
