"""SLURM's own commands, as far as submitit leaves them to others."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterable
from typing import NamedTuple

from benchmark.errors import JobError

PATIENCE = 600
"""Seconds that handing in jobs may take; what is still on hold then was abandoned."""

TIMEOUT = 60


class Entry(NamedTuple):
    """A job or array element that has not ended.

    Args:
        name: Name of its job: numbers come again where a cluster is set up anew, names of ours do not.
        state: Such as ``PENDING``.
        reason: Why it waits, as SLURM says it.
    """

    name: str
    state: str
    reason: str


def entries() -> dict[str, Entry] | None:
    """Returns the user's jobs and array elements that have not ended, by id.

    ``squeue`` needs no accounting data base, which many small clusters lack; ``sacct`` does.
    None means that SLURM did not answer, which says nothing about any job.
    """
    try:
        found = _run("squeue", "--me", "--noheader", "--array", "--format=%i|%T|%j|%r")
    except JobError:
        return None
    lines = (line.strip().split("|") for line in found.splitlines() if line.count("|") >= 3)
    return {one: Entry(name, state, reason) for one, state, name, reason, *_ in lines}


def setting(name: str) -> str:
    """Returns a setting of the cluster, such as ``ClusterName``; empty if it does not say."""
    try:
        shown = _run("scontrol", "show", "config")
    except JobError:
        return ""
    pairs = (line.partition("=") for line in shown.splitlines())
    return next((value.strip() for key, _, value in pairs if key.strip() == name), "")


def preempted(one: str) -> bool:
    """Whether SLURM takes the place of a job or element that runs for one of higher priority."""
    try:
        shown = _run("scontrol", "--oneliner", "show", "job", one)
    except JobError:
        return False
    told = dict(part.partition("=")[::2] for part in shown.split())
    return told.get("PreemptTime", "None")[:1].isdigit()


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
    _run("scontrol", "update", f"JobId={one}", f"Dependency=afterany:{':'.join(sorted(others))}")


def release(array: str) -> None:
    """Lets an array that is on hold begin.

    Raises:
        JobError: If SLURM refuses, also after a while.
    """
    for pause in (1, 5, 15):
        if command("scontrol", "release", array):
            return
        time.sleep(pause)
    _run("scontrol", "release", array)


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
