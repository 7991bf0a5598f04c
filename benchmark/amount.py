"""Numbers of things in text: ``1 image``, ``2 images``."""

from __future__ import annotations


def amount(number: int, one: str, many: str | None = None) -> str:
    """Returns a number with what it counts.

    Args:
        number: How many there are.
        one: What one of them is called.
        many: What several are called, unless an ``s`` is all that is added.
    """
    return f"{number} {one if number == 1 else many or one + 's'}"
