"""``entry.json``: what an entry says about itself, and whether it can be so."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from benchmark import tasks
from benchmark.analysis.scores import in_order
from benchmark.control import ControlSpace, level_text, parse_level
from benchmark.errors import UserError
from benchmark.leaderboard import rows, schema
from benchmark.leaderboard.faults import Fault, shown
from benchmark.leaderboard.rows import Layout
from benchmark.metrics.records import METRICS
from benchmark.registry.digest import digest, weights_digest
from benchmark.report.series import Series

if TYPE_CHECKING:
    from benchmark.tasks import Task

SCHEMA = 1
"""Version of the files of an entry."""
NAME = "entry.json"
LIMIT = 200
"""Characters of a sentence in an entry."""

# Patterns of texts, some of which also occur in other files and in the names of folders.
_WORD = r"[A-Za-z0-9][A-Za-z0-9._+-]{0,60}"
TASK = r"[a-z][a-z0-9-]{0,40}(?:@[a-z0-9-]{1,40})?"
ID = r"[a-z0-9][a-z0-9-]{0,90}-[0-9a-f]{8}"
STAGE = rf"weights/{_WORD}\.safetensors"
# Options are named as arguments are, and may be below zero.
_SPEC = rf"[A-Za-z][A-Za-z0-9_]{{0,40}}(?::[A-Za-z_][A-Za-z0-9_]{{0,29}}=-?{_WORD}){{0,12}}"
DIGEST, SHA = r"[0-9a-f]{20}", r"[0-9a-f]{64}"
TIME = r"20\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\dZ"
_COUNT = schema.whole(0, 10**15)
_TIMING = schema.none_or(schema.real(0, 1e9))
SET = schema.text(
    rf"(?:{_WORD}/)?{_WORD}(?:@[A-Za-z0-9._-]{{1,60}})?(?::without=[A-Za-z0-9._+-]{{1,400}})?"
)
"""A set: its name, with the commit that pins it and the images that are left out, if any."""
# Spaces and brackets occur in file names; commas, quotes and slashes would break rows and paths.
IMAGE = schema.text(r"[A-Za-z0-9_](?:[A-Za-z0-9_ .()@+=-]{0,98}[A-Za-z0-9_()@+=-])?")

SHAPE = schema.record(
    {
        "schema": schema.choice(SCHEMA),
        "id": schema.text(ID),
        "task": schema.text(TASK),
        "task_version": schema.whole(1, 1000),
        "task_digest": schema.text(DIGEST),
        "protocol": schema.text(r"[a-z0-9-]{1,40}"),
        "method": schema.text(_SPEC),
        "method_digest": schema.text(DIGEST),
        "paper": schema.text(r"(?:\d{4}\.\d{4,5})?"),
        "backbone": schema.text(_SPEC),
        "preset": schema.text(_SPEC),
        "seeds": schema.items(schema.whole(0, 2**63), 1, 100, distinct=True),
        "levels": schema.items(schema.text(r"[0-9./]{1,60}"), 1, 200, distinct=True),
        "crossed": schema.choice(True, False),
        "metrics": schema.items(schema.choice(*METRICS), 1, len(METRICS), distinct=True),
        "missing": schema.table(schema.choice(*METRICS), schema.prose(LIMIT), len(METRICS)),
        "sets": schema.items(
            schema.record(
                {
                    "name": SET,
                    "digest": schema.text(DIGEST),
                    "images": schema.items(IMAGE, 1, 10_000, distinct=True),
                }
            ),
            1,
            50,
        ),
        "training": schema.items(
            schema.record(
                {"name": SET, "digest": schema.text(DIGEST), "images": schema.whole(1, 10**9)}
            ),
            0,
            50,
        ),
        "budget": schema.record(
            {
                "steps": _COUNT,
                "batch": _COUNT,
                "patch": _COUNT,
                "precision": schema.text(r"[a-z0-9-]{1,20}"),
            }
        ),
        "range": schema.items(
            schema.record(
                {
                    "axis": schema.prose(60),
                    "unit": schema.prose(60),
                    **dict.fromkeys(("start", "end", "first", "last"), schema.real(-1e9, 1e9)),
                }
            ),
            1,
            8,
        ),
        "cost": schema.record(
            {
                "folds": schema.choice(True, False),
                "params_stored": _COUNT,
                "params_folded": _COUNT,
                "macs": _COUNT,
                "ms_per_image": _TIMING,
                "switch_ms": _TIMING,
            }
        ),
        "weights": schema.items(
            schema.record(
                {
                    "seed": schema.whole(0, 2**63),
                    "stage": schema.text(_WORD),
                    "sha256": schema.text(SHA),
                    "precision": schema.choice("float32", "float16"),
                    "file": schema.none_or(schema.text(STAGE)),
                    "url": schema.none_or(
                        schema.text(r"https://[A-Za-z0-9.-]{1,100}(?:/[A-Za-z0-9_~%+.-]{1,100}){1,12}")
                    ),
                    "bytes": _COUNT,
                }
            ),
            0,
            400,
        ),
        "weights_sha256": schema.table(
            schema.text(r"\d{1,19}"), schema.text(rf"(?:{SHA}|{DIGEST})?"), 100
        ),
        "software": schema.record(
            {
                "harness": schema.text(_WORD),
                "torch": schema.text(_WORD),
                "device": schema.text(r"[A-Za-z0-9][A-Za-z0-9 ._+-]{0,60}"),
            }
        ),
        "licence": schema.text(r"[A-Za-z0-9][A-Za-z0-9.+-]{0,60}"),
        "limits": schema.items(schema.prose(LIMIT), 0, 20),
        "created_utc": schema.text(TIME),
        "rows": schema.whole(1, rows.MOST),
        "files": schema.table(
            schema.choice(rows.NAME, "canary.json"),
            schema.record({"sha256": schema.text(SHA), "bytes": _COUNT}),
            2,
        ),
    }
)  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """An entry whose ``entry.json`` is as it must be.

    Args:
        facts: What it holds.
        status: What is known of it: ``claimed`` (its author says so), ``reproduced`` (its weights
            gave its rows again) or ``retrained`` (so did its training).
        checked: The share of its values of the headline metric that were computed again.
    """

    facts: Mapping[str, Any]
    status: str = "claimed"
    checked: float = 0.0

    @property
    def id(self) -> str:
        return self.facts["id"]

    @property
    def has_weights(self) -> bool:
        """Whether it has weights, and all of them can be had: it holds them, or a server does."""
        return bool(self.facts["weights"]) and all(
            one["file"] or one["url"] for one in self.facts["weights"]
        )

    @property
    def series(self) -> Series:
        return Series(self.facts["method"], self.facts["backbone"], self.facts["preset"])

    @cached_property
    def task(self) -> Task:
        """The task in the version that the entry is of.

        Raises:
            UserError: If there is no such task, or no such version yet.
        """
        return _task(self.facts["task"]).of_version(self.facts["task_version"])

    @cached_property
    def layout(self) -> Layout:
        """What the rows must be."""
        facts = self.facts
        crossed = crossed_metrics(self.task) if facts["crossed"] else ()
        return Layout(
            tuple(facts["metrics"]),
            tuple((one["name"], tuple(one["images"])) for one in facts["sets"]),
            tuple(facts["seeds"]),
            tuple(facts["levels"]),
            tuple(one for one in facts["metrics"] if one in crossed),
        )


@cache
def _task(name: str) -> Task:
    return tasks.get(name)


def crossed_metrics(task: Task) -> tuple[str, ...]:
    """Returns the metrics that are scored with the dial set to another level than the true one."""
    start, end = task.space.start, task.space.end
    return task.metrics_at(start, end)


def entry_id(facts: Mapping[str, Any]) -> str:
    """Returns the id that follows from what was scored: readable, and different for anything else."""
    names = (facts["method"], facts["backbone"], facts["preset"])
    words = "-".join(re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") for name in names)
    keys = ("task", "task_version", "method", "method_digest", "backbone", "preset")
    own = [facts[key] for key in (*keys, "seeds", "levels", "crossed", "weights_sha256")]
    sets = [[one["name"], one["digest"]] for one in facts["sets"]]
    return f"{words[:80].strip('-')}-{digest([own, sets])[:8]}"


def options(facts: Mapping[str, Any]) -> tuple[str, ...]:
    """Returns the words of ``dialbench run`` that give these numbers again, without the method."""
    preset, *changes = facts["preset"].split(":")
    found = [facts["task"], f"--preset {preset}", *(f"--set {one}" for one in changes)]
    found += [f"--backbone {facts['backbone']}", f"--seeds {','.join(map(str, facts['seeds']))}"]
    for name, sets in (("train", facts["training"]), ("test", facts["sets"])):
        names = ",".join(one["name"] for one in sets)
        found += [f"--{name} {names}"] if names else []
    found.append(f"--levels {','.join(facts['levels'])}")
    return (*found, "--matrix") if facts["crossed"] else tuple(found)


def parse(blob: bytes, strict: bool = True) -> Entry:
    """Returns the entry that ``entry.json`` describes.

    Args:
        blob: The file.
        strict: Whether it must be written as it would be written here, byte for byte.

    Raises:
        Fault: If anything about it is wrong.
    """
    facts = schema.parsed(blob, NAME)
    if type(facts) is dict and type(facts.get("schema")) is int and facts["schema"] != SCHEMA:
        raise Fault(f"{NAME}: schema {shown(facts['schema'])} is not known, only {SCHEMA}")
    SHAPE(facts, NAME)
    if strict:
        schema.canonical(blob, facts, NAME)
    entry = Entry(facts)
    for fault in _faults(entry):
        raise Fault(f"{NAME}: {fault}")
    return entry


def _faults(entry: Entry) -> list[str]:
    """Returns what does not fit together; the first may make the others meaningless."""
    facts = entry.facts
    try:
        task, then = _task(facts["task"]), entry.task
    except UserError as error:
        return [str(error)]
    found = _against(entry, task) if then == task else []
    if facts["range"] != ranges(then.space):
        found.append("range: not that of the task")
    if task.protocol.pairs:
        found.append("task: nobody knows the levels of pairs, so they have no board")
    trouble = _levels_fault(then.space, tuple(facts["levels"]))
    if trouble:
        return [*found, f"levels: {trouble}"]
    if {one["digest"] for one in facts["training"]} & {one["digest"] for one in facts["sets"]}:
        found.append("training: a set that is tested too")
    names = [one["name"] for one in facts["sets"]]
    if len(set(names)) < len(names):
        found.append("sets: one is there twice")
    count = sum(entry.layout.counts())
    if facts["rows"] != count:
        found.append(f"rows: {facts['rows']}, but its sets, levels and metrics make {count}")
    if entry.layout.size() > rows.LARGEST:
        found.append(f"rows: more than {rows.LARGEST} bytes; choose shorter names")
    if facts["id"] != entry_id(facts):
        found.append(f"id: must be {entry_id(facts)}")
    if set(facts["files"]) != {rows.NAME, "canary.json"}:
        found.append(f"files: must name {rows.NAME} and canary.json")
    return found + _weights(facts)


@lru_cache(256)
def _levels_fault(space: ControlSpace, levels: tuple[str, ...]) -> str | None:
    """Returns what is wrong with level texts; most entries of a board have the same."""
    try:
        texts = tuple(level_text(space.check(parse_level(level))) for level in levels)
    except UserError as error:
        return shown(error)
    if texts != levels or tuple(in_order(levels)) != levels:
        return "not in order, or not written as they should be"
    return None


def _against(entry: Entry, task: Task) -> list[str]:
    """Returns what differs from the task as it is now."""
    facts, found = entry.facts, []
    if facts["protocol"] != task.protocol.id:
        found.append(f"protocol: {facts['protocol']}, but {task.name} has {task.protocol.id}")
    if facts["metrics"][0] != task.headline:
        found.append(f"metrics: the first must be {task.headline}, which ranks")
    named = [*facts["metrics"], *facts["missing"]]
    if sorted(named) != sorted(task.metrics):
        found.append("metrics: with those missing, they are not the metrics of the task")
    harmless = {level_text(level) for level in task.harmless} & set(facts["levels"])
    if harmless:
        found.append(f"levels: {min(harmless)} harms no image, so it compares no methods")
    if facts["crossed"] and not task.has_true_level:
        found.append("crossed: the task has no true level")
    return found


@lru_cache(256)
def ranges(space: ControlSpace) -> list[dict[str, Any]]:
    """Returns a task's physical ranges: of its dial, and of what methods are trained for."""
    # Axis by axis: on a simplex the far ends of all axes together are no level.
    ends = zip(space.axes, space.first, space.last, strict=True)
    return [
        {
            "axis": axis.name,
            "unit": axis.unit,
            "start": float(axis.start),
            "end": float(axis.end),
            "first": axis.physical(first),
            "last": axis.physical(last),
        }
        for axis, first, last in ends
    ]


def _weights(facts: Mapping[str, Any]) -> list[str]:
    found = []
    stages: dict[int, dict[str, str]] = {seed: {} for seed in facts["seeds"]}
    for one in facts["weights"]:
        own = stages.get(one["seed"])
        if own is None or one["stage"] in own:
            return [f"weights: stage {one['stage']} of seed {one['seed']} does not belong here"]
        own[one["stage"]] = one["sha256"]
        if one["file"] and one["url"]:
            found.append(f"weights: {one['stage']} has both a file and a url")
    if facts["weights_sha256"] != {str(seed): weights_digest(own) for seed, own in stages.items()}:
        found.append("weights_sha256: not that of the stages in weights")
    own = [one for one in facts["weights_sha256"].values() if one]
    if len(set(own)) < len(own):
        found.append("weights_sha256: two seeds have the same weights")
    files = [one["file"] for one in facts["weights"] if one["file"]]
    sums = {(one["file"], one["sha256"]) for one in facts["weights"] if one["file"]}
    if len(sums) > len(set(files)):
        found.append("weights: one file has two check sums")
    return found
