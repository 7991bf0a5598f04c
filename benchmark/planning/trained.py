"""What a store holds trainings of, as the options that name them."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping
from typing import Any

from benchmark import config
from benchmark.records import read_json
from benchmark.store import Store
from benchmark.tasks import Task

SHOWN = 3
"""Most trainings that are named."""


def trained_with(task: Task, store: Store) -> str:
    """Returns a sentence on what is trained for a task, for those who asked for something else."""
    found: dict[str, None] = {}
    for path in sorted((store.home / "stages").glob("*/stage.json")):
        facts = (read_json(path) or {}).get("facts", {})
        try:
            if facts["job"]["task"] == (task.trained_as or task.name):
                found[_options(facts["job"])] = None
        except (KeyError, TypeError):
            continue
    if not found:
        return f"{store.home} has no training of this task"
    named, more = sorted(found)[:SHOWN], len(found) - SHOWN
    others = f", and {more} more" if more > 0 else ""
    return f"{store.home} has trainings with {', or '.join(named)}{others}"


def _options(job: Mapping[str, Any]) -> str:
    """Returns the options behind a training, but for its method."""
    usual = dataclasses.asdict(config.PRESETS[job["preset"]["name"]])
    changes = [f"{key}={value}" for key, value in job["preset"].items() if value != usual[key]]
    words = ["--preset", usual["name"]]
    words += [word for change in changes for word in ("--set", change)]
    if job["backbone"] != usual["backbone"]:
        words += ["--backbone", job["backbone"]]
    if job["seed"]:
        words += ["--seeds", str(job["seed"])]
    return shlex.join([*words, "--train", ",".join(job["train_sets"])])
