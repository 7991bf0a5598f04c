"""What a store holds trainings of, as the options that name them."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from benchmark import config
from benchmark.records import read_json
from benchmark.store import Store
from benchmark.tasks import Task

if TYPE_CHECKING:
    from benchmark.planning.jobs import TrainJob

SHOWN = 3
"""Most trainings that are named."""

OTHERWISE = (
    "what has the same options is not all of its stages, or of other methods or images, or of "
    "dialbench's code before that changed"
)
"""Why trainings do not count that have the options asked for."""


def trained_with(task: Task, store: Store, wanted: Iterable[TrainJob] = ()) -> str:
    """Returns a sentence on what is trained for a task, for those who asked for something else.

    Args:
        task: The task.
        store: Where to look.
        wanted: The stages asked for; where trainings have their very options, what else may differ
            is said.
    """
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
    same = found.keys() & {_options(dataclasses.asdict(job)) for job in wanted}
    # First, or a message that names what was asked for as what is there would not say why.
    order = sorted(found, key=lambda one: (one not in same, one))
    named, more = order[:SHOWN], len(found) - SHOWN
    others = f", and {more} more" if more > 0 else ""
    why = f" ({OTHERWISE})" if same else ""
    return f"{store.home} has trainings with {', or '.join(named)}{others}{why}"


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
