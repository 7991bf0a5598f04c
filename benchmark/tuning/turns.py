"""One pass at a time: while it runs, a network has the weights and hooks of one level."""

from __future__ import annotations

from contextlib import AbstractContextManager
from threading import RLock
from weakref import WeakKeyDictionary

from torch import nn

# Beside the modules and not in them: locks can be neither copied nor pickled.
_turns: WeakKeyDictionary[nn.Module, AbstractContextManager] = WeakKeyDictionary()


def turn(module: nn.Module) -> AbstractContextManager:
    """Returns what lets one thread in at a time, the same for a module whenever it is asked for."""
    return _turns.setdefault(module, RLock())
