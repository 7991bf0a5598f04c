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


@contextmanager
def swept() -> Iterator[None]:
    """Frees, when it ends, what was made within and is left in circles.

    A trainer, its loops and its data refer to each other, and hold all decoded training images: half
    a gigabyte of BSDS500. Of itself the collector comes by after ten such stages or more. Objects
    that were there before are not walked, which would take half a second.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.collect()
        gc.unfreeze()
