"""Python's garbage collector, kept from walking very many objects that stay."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused() -> Iterator[None]:
    """Pauses the collector while very many objects are made that stay, or are in no circle.

    It would look at all of them again and again: that is a third of the time it takes to read a large
    campaign, a sixth of an import of Lightning, and most of what it takes to parse code. Not for
    training or scoring, whose circles may hold large tensors.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
