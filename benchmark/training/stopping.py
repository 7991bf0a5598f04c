"""Stopping on a signal without losing work: a job saves what it has, then ends.

SIGTERM is what batch systems, cloud machines about to be taken away and ``kill`` send, SIGHUP what a
terminal sends that closes, also that of a connection which drops. Inside a job
the first signal only asks: training saves a checkpoint after the step it is in, a sweep stops
before the next image (its cells are stored as it goes). A second signal, or one outside a job, ends
at once, except in processes that another ends who loses patience. This module imports no torch.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

HANGUP = (signal.SIGHUP,) if hasattr(signal, "SIGHUP") else ()
"""What a terminal sends that closes, on systems where it sends anything."""

AHEAD = (signal.SIGUSR2,) if hasattr(signal, "SIGUSR2") else ()
"""What SLURM sends to all processes of a job ahead of its time limit, since submitit asks for it."""


class Stopped(BaseException):
    """A signal ended the work. Like KeyboardInterrupt, no ordinary handler of errors catches it."""

    def __init__(self, number: int):
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.number = number


_busy = False
_asked: int | None = None
_hung_up = False
_armed: tuple[int, ...] = ()
_once = _told = False


@contextlib.contextmanager
def armed(*numbers: int, once: bool = False) -> Iterator[None]:
    """Handles signals as this module says; outside the main thread, where none arrive, a no-op.

    SIGHUP stays ignored where it is: nohup keeps a run alive by that.

    Args:
        numbers: The signals.
        once: Whether all after the first are ignored: what is sent to all processes of a run
            (``timeout``, systemd, ``scancel``) reaches its workers twice, since their parent says
            it too. That ends them itself where they take too long.
    """
    global _armed, _hung_up, _once, _told
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ignored = [one for one in HANGUP if signal.getsignal(one) is signal.SIG_IGN]
    numbers = tuple(one for one in numbers if one not in ignored)
    before, old = {number: signal.getsignal(number) for number in numbers}, (_armed, _once)
    _armed, _once, _hung_up, _told = numbers, once, False, False
    rearm()
    try:
        yield
    finally:
        _armed, _once = old
        for number, handler in before.items():
            signal.signal(number, handler)


def rearm() -> None:
    """Takes the armed signals back from a library that installed handlers of its own."""
    if threading.current_thread() is threading.main_thread():
        for number in _armed:
            signal.signal(number, _handle)


def _handle(number: int, _: FrameType | None) -> None:
    global _asked, _hung_up, _told
    if _once and _told:
        return
    _told = True
    if number in HANGUP:
        # A terminal that closes says so twice: its shell does, and the system when that ends.
        if _hung_up:
            return
        _hung_up = True
    if _busy and _asked is None:
        _asked = number
        return
    raise Stopped(number)


@contextlib.contextmanager
def one_job() -> Iterator[None]:
    """Makes the first signal wait, until ``check`` is reached or the job is over."""
    global _busy, _asked
    _busy, _asked = True, None
    try:
        yield
    finally:
        _busy = False
    check()


def asked() -> bool:
    """Whether a signal waits to be obeyed."""
    return _asked is not None


def number() -> int:
    """Returns the signal that waits; SIGTERM if another process got it."""
    return signal.SIGTERM if _asked is None else _asked


def check() -> None:
    """Obeys a signal that waits.

    Raises:
        Stopped: If there is one.
    """
    global _asked
    if _asked is not None:
        number, _asked = _asked, None
        raise Stopped(number)
