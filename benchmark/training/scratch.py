"""Checkpoints of stages in training: a folder for each process, taken over when the process is dead.

They lie in the store under ``scratch/KEY/``, and go when the stage is stored. This module imports no
torch.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import time
import uuid
from pathlib import Path

STALE = 3600
"""Seconds after which the folder of another machine has no owner."""

LEFT = "left-"
"""What the name of a folder begins with when its process gave it up."""


def folder(home: Path, key: str) -> Path:
    """Returns a folder for a stage's checkpoints that no other living process uses.

    What a dead process left there is taken over, so that training goes on from its checkpoint.

    Args:
        home: The store's folder.
        key: The stage's key.
    """
    parent = home / "scratch" / key
    own = parent / f"{socket.gethostname()}-{os.getpid()}"
    if not own.exists() and parent.is_dir():
        left = [path for path in parent.iterdir() if not _owned(path)]
        for path in sorted(left, key=lambda one: one.stat().st_mtime, reverse=True):
            with contextlib.suppress(OSError):
                path.rename(own)
                break
    own.mkdir(parents=True, exist_ok=True)
    return own


def leave(home: Path, key: str) -> None:
    """Gives up this process's checkpoints of a stage: any other may take them over at once."""
    own = folder(home, key)
    with contextlib.suppress(OSError):
        own.rename(own.with_name(f"{LEFT}{uuid.uuid4().hex}"))


def clear(home: Path, key: str) -> None:
    """Removes this process's checkpoints of a stage."""
    own = folder(home, key)
    shutil.rmtree(own, ignore_errors=True)
    with contextlib.suppress(OSError):
        own.parent.rmdir()


def _owned(path: Path) -> bool:
    """Whether the process that a folder is named after may still be alive."""
    if path.name.startswith(LEFT):
        return False
    host, _, pid = path.name.rpartition("-")
    if host == socket.gethostname() and pid.isdigit():
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            return False
        except OSError:
            return True
        return True
    try:
        return time.time() - path.stat().st_mtime < STALE
    except OSError:
        return True
