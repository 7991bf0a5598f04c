"""Checkpoints of stages in training: a folder for each process, taken over when the process is dead.

They lie in the store under ``scratch/KEY/``, and go when the stage is stored. A folder is called after
its owner. Whether an owner on this machine lives is asked of the system; one on another machine
touches its folder again and again, and is dead when it stops to. No two processes ever share a name,
so even one that was taken for dead writes into no other's folder. This module imports no torch.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import math
import os
import shutil
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmark.training import stopping

BEAT = 30
"""Seconds between two signs of life."""

SILENT = 180
"""Seconds without one after which an owner is dead; file systems of clusters tell a minute late."""

LEFT = "left-"
"""What the name of a folder begins with when its process gave it up."""


@contextlib.contextmanager
def held(home: Path, key: str, say: Callable[[str], None]) -> Iterator[Path]:
    """Gives a folder for a stage's checkpoints that no other living process uses.

    What a dead process left there is taken over, so that training goes on from its checkpoint. At the
    end all that nobody uses is removed, since the stage is stored; if it failed or was stopped, any
    other process may take the folder over at once.

    Args:
        home: The store's folder.
        key: The stage's key.
        say: Told, one short line at a time, what is waited for.

    Raises:
        Stopped: If a signal asked for it while waiting.
    """
    own, over = _own(home, key), threading.Event()
    # Of a process that is dead, since its number was given to this one.
    _leave(own)
    _make(own)
    heart = threading.Thread(target=_beat, args=(own, over), daemon=True)
    heart.start()
    try:
        _take_over(own, say)
        yield own
    except BaseException:
        _leave(own)
        raise
    else:
        clear(home, key)
    finally:
        over.set()


def clear(home: Path, key: str) -> None:
    """Removes this process's checkpoints of a stage, and those that have no owner."""
    own = _own(home, key)
    _make(own)
    now = _touched(own)
    for path in own.parent.iterdir():
        if path != own and _silence(path, now) >= SILENT:
            # In one step, so that whoever wants to take it over finds all of it or nothing.
            with contextlib.suppress(OSError):
                path.rename(own / path.name)
    shutil.rmtree(own, ignore_errors=True)
    with contextlib.suppress(OSError):
        own.parent.rmdir()


def _own(home: Path, key: str) -> Path:
    return home / "scratch" / key / f"{_machine()}-{os.getpid()}"


@functools.cache
def _machine() -> str:
    """Returns a name of where process numbers count: this start of this machine, or a container on it.

    Containers may share the host's name, but not its process numbers.
    """
    about = ""
    with contextlib.suppress(OSError):
        about = Path("/proc/sys/kernel/random/boot_id").read_text() + os.readlink(
            "/proc/self/ns/pid"
        )
    return f"{socket.gethostname()}-{hashlib.sha256(about.encode()).hexdigest()[:8]}"


def _make(own: Path) -> None:
    while not own.is_dir():
        # Another process may remove the folder around it, which is empty, at the same moment.
        with contextlib.suppress(FileNotFoundError):
            own.mkdir(parents=True, exist_ok=True)


def _beat(own: Path, over: threading.Event) -> None:
    while not over.wait(BEAT):
        with contextlib.suppress(OSError):
            os.utime(own)


def _touched(own: Path) -> float:
    """Touches a folder; returns the time on the clock of its disk, by which all beats are told."""
    os.utime(own)
    return own.stat().st_mtime


def _take_over(own: Path, say: Callable[[str], None]) -> None:
    """Makes the newest checkpoint that nobody uses this process's own, if there is one.

    An owner elsewhere that beat not long ago may be dead all the same: clusters try a job again within
    seconds. So this waits until it beats again, or is silent for too long.
    """
    before: dict[Path, float] = {}
    ahead: dict[Path, float] = {}
    alive: set[Path] = set()
    while True:
        now = _touched(own)
        saved = {path: _saved(path) for path in own.parent.iterdir() if path != own}
        there = sorted((path for path in saved if saved[path]), key=saved.__getitem__, reverse=True)
        told = {path: _silence(path, now) for path in there}
        alive |= {one for one in there if not told[one] or told[one] < before.get(one, told[one])}
        # After a clock was set back a beat lies ahead of it: then what counts is how long this looks.
        ahead = {path: ahead.get(path, min(0.0, told[path])) for path in there}
        silence = {path: told[path] - ahead[path] for path in there}
        # The newest first, of which it may not be clear yet whether somebody uses it.
        for path in there:
            if path not in alive and silence[path] < SILENT:
                break
            if silence[path] >= SILENT:
                with contextlib.suppress(OSError):
                    # First, since it has an owner again as soon as it has the name of one.
                    os.utime(path)
                    path.rename(own)
                    return
        doubtful = [one for one in there if one not in alive and silence[one] < SILENT]
        if not doubtful:
            return
        left = SILENT - min(silence[one] for one in doubtful)
        say(f"at most {left:.0f} s until it is clear whether {doubtful[0].name} trains this too")
        stopping.check()
        time.sleep(1)
        before = told


def _saved(path: Path) -> float:
    """Returns when the checkpoint in a folder was saved, or 0 without one."""
    with contextlib.suppress(OSError):
        return max((one.stat().st_mtime for one in path.glob("*.ckpt")), default=0.0)
    return 0.0


def _leave(own: Path) -> None:
    """Gives up a folder, or removes it if nothing was saved there."""
    with contextlib.suppress(OSError):
        own.rmdir()
        own.parent.rmdir()
    with contextlib.suppress(OSError):
        own.rename(own.with_name(f"{LEFT}{uuid.uuid4().hex}"))


def _lives(pid: int) -> bool:
    """Whether a process of this machine is alive; one that ended and that nobody asked about is not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    with contextlib.suppress(OSError):
        # After its name, which may hold anything, comes the state.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return True


def _age(pid: int) -> float:
    """Returns for how many seconds a process has been there; without end where nobody can say."""
    with contextlib.suppress(OSError, AttributeError, ValueError, IndexError):
        ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
        return time.clock_gettime(time.CLOCK_BOOTTIME) - int(ticks) / os.sysconf("SC_CLK_TCK")
    return math.inf


def _silence(path: Path, now: float) -> float:
    """Returns for how many seconds the owner of a folder has given no sign of life.

    Without end if there is none or it is known to be dead, 0 if it is known to live.
    """
    if path.name.startswith(LEFT):
        return math.inf
    machine, _, pid = path.name.rpartition("-")
    try:
        silence = now - path.stat().st_mtime
    except OSError:
        return 0.0
    if machine == _machine() and pid.isdigit():
        # One that began after the last sign of life has no more than the owner's number: those of a
        # container that starts again are the same ones.
        theirs = _lives(int(pid)) and silence < _age(int(pid)) + SILENT
        return 0.0 if theirs else math.inf
    return silence
