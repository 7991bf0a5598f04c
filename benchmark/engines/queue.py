"""SLURM's own commands, as far as submitit leaves them to others."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable

from benchmark.errors import JobError

PATIENCE = 600
"""Seconds that handing in jobs may take; what is still on hold then was abandoned."""

TIMEOUT = 60


def states() -> dict[str, str] | None:
    """Returns the state of the user's jobs and array elements that have not ended, by id.

    ``squeue`` needs no accounting data base, which many small clusters lack; ``sacct`` does.
    None means that SLURM did not answer, which says nothing about any job.
    """
    try:
        found = _run("squeue", "--me", "--noheader", "--array", "--format=%i|%T")
    except JobError:
        return None
    pairs = (line.strip().partition("|") for line in found.splitlines() if "|" in line)
    return {one: state for one, _, state in pairs}


def split(one: str) -> None:
    """Makes SLURM treat an element as a job of its own, so that others of its array may wait for it.

    Raises:
        JobError: If SLURM refuses.
    """
    # The first change to a single element does so; until then it would count as waiting for itself.
    _run("scontrol", "update", f"JobId={one}", "Comment=dialbench")


def wait_for(one: str, others: Iterable[str]) -> None:
    """Makes an element start only after others ended, in whatever way.

    Raises:
        JobError: If SLURM refuses.
    """
    # Those that ended meanwhile may be unknown to SLURM by now.
    known = states()
    ids = sorted(set(others) if known is None else set(others) & known.keys())
    if ids:
        _run("scontrol", "update", f"JobId={one}", f"Dependency=afterany:{':'.join(ids)}")


def command(*words: str) -> bool:
    """Runs a command; returns whether it went well."""
    try:
        _run(*words)
    except JobError:
        return False
    return True


def _run(*words: str) -> str:
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise JobError(f"{words[0]}: {error}") from None
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise JobError(f"{words[0]}: {lines[-1] if lines else f'exit {done.returncode}'}")
    return done.stdout
