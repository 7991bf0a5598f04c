"""``verified.json``: what was found when an entry was computed again.

It lies beside what the author says and is no part of it; without it an entry is claimed. It names
the files it is about by their hashes and ends with a check sum of its own, so an entry that changed
afterwards, or a record that was edited, is a fault. Who may add one is decided by those who keep
the boards: against a base, ``board check`` refuses new ones unless it is told.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from benchmark.leaderboard import canary, entry, rows, schema
from benchmark.leaderboard.entry import Entry
from benchmark.leaderboard.faults import Fault

NAME = "verified.json"
SCHEMA = 1
MODES = {"fast": "reproduced", "exact": "reproduced", "retrain": "retrained"}
"""How an entry can be computed again, and what it is then."""
COVERED = (entry.NAME, rows.NAME, canary.NAME)
"""Files that a record is about. The card follows from them, and weights are named by their hash."""
BLOCK = 0.1
"""How far the mean of a block of the canary may move, of 255."""
RETRAINED = 30
"""Training again may move the mean over images by this many tolerances (0.3 dB): floating point
differs from machine to machine, and training makes more of it."""

DRAWS = 2**63
"""Largest number that says which rows are computed again."""

_DIFFERENCE = schema.real(0, 1e6)
_COUNT = schema.whole(0, 10**9)
_COMPARED = schema.table(
    schema.text(r"[a-z0-9@.-]{1,60}"),
    schema.record(
        {"compared": _COUNT, "of": _COUNT, "largest": _DIFFERENCE, "allowed": _DIFFERENCE}
    ),
    100,
)
SHAPE = schema.record(
    {
        "schema": schema.choice(SCHEMA),
        "mode": schema.choice(*MODES),
        "files": schema.record(dict.fromkeys(COVERED, schema.text(entry.SHA))),
        "draw": schema.whole(0, DRAWS),
        "canary": schema.record(
            {
                "levels": _COUNT,
                "same_pixels": _COUNT,
                "largest": _DIFFERENCE,
                "allowed": _DIFFERENCE,
            }
        ),
        "rows": _COMPARED,
        "means": schema.none_or(_COMPARED),
        "code": schema.record(dict.fromkeys(("method", "scoring"), schema.text(entry.DIGEST))),
        "software": schema.record(
            {
                "harness": schema.text(r"[A-Za-z0-9._+-]{1,60}"),
                "torch": schema.text(r"[A-Za-z0-9._+-]{1,60}"),
                "device": schema.text(r"[A-Za-z0-9][A-Za-z0-9 ._+-]{0,60}"),
            }
        ),
        "created_utc": schema.text(entry.TIME),
        "check": schema.text(entry.SHA),
    }
)


def written(facts: Mapping[str, Any]) -> bytes:
    """Returns the file of a record, its check sum added."""
    return schema.written({**facts, "check": _check(facts)})


def parse(blob: bytes, one: Entry, sums: Mapping[str, str]) -> Mapping[str, Any]:
    """Returns the record of an entry.

    Args:
        blob: The file.
        one: The entry.
        sums: SHA-256 of the files in ``COVERED``, as they are now.

    Raises:
        Fault: If it was edited, is not about these files, or anything else about it is wrong.
    """
    found = schema.parsed(blob, NAME)
    SHAPE(found, NAME)
    schema.canonical(blob, found, NAME)
    if found["check"] != _check(found):
        raise Fault(f"{NAME}: changed; its check sum is not that of what it says")
    for name in COVERED:
        if found["files"][name] != sums.get(name):
            raise Fault(f"{NAME}: {name} changed since; run 'dialbench board verify' again")
    if set(found["rows"]) != set(one.facts["metrics"]):
        raise Fault(f"{NAME}: its metrics are not those of the entry")
    if (found["means"] is None) == (found["mode"] == "retrain"):
        raise Fault(f"{NAME}: means are compared where training was done again, and only there")
    for part in ("rows", "means"):
        for metric, about in (found[part] or {}).items():
            if about["largest"] > about["allowed"] or not 0 < about["compared"] <= about["of"]:
                raise Fault(f"{NAME}: {part} of {metric} do not make it {MODES[found['mode']]}")
    return found


def _check(facts: Mapping[str, Any]) -> str:
    said = {key: value for key, value in facts.items() if key != "check"}
    return hashlib.sha256(schema.written(said)).hexdigest()
