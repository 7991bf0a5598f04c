"""Python's garbage collector, kept from walking the many objects of a large campaign."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused() -> Iterator[None]:
    """Pauses the collector while very many objects are made that refer to each other in no circle.

    It would look at all of them again and again, and takes a third of the time.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
