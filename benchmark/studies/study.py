"""The form of a study: what must be trained and scored, the tables it gives, and how they are drawn.

A study sees only what is in the store. This module imports no torch before a network is loaded.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmark.errors import JobError
from benchmark.planning.request import Request

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from torch import nn

    from benchmark.data.samples import Samples
    from benchmark.method import ControlMethod
    from benchmark.plan import Plan
    from benchmark.store import Store
    from benchmark.tasks import Task

Tables = dict[str, "pd.DataFrame"]
"""Tables by file stem; the first one is what a reader looks at."""


@dataclass(frozen=True)
class Study:
    """One study, with what it asks for when nothing else is said.

    Args:
        summary: One line for lists.
        source: The paper's table or figure.
        task: Task.
        methods: Methods, best known first.
        tables: Computes the tables from what the requests found.
        draw: Draws them.
        seeds: Seeds, as ``--seeds`` has them.
        requests: Says what has to be trained and scored; by default what the user asked for.
        trains: Whether trained weights are needed.
        scores: Whether scores at every level are needed.
        matrix: Whether every level is also needed with the dial set to every other one.
        one_dial: Whether it can show one dial only.
        named: Whether it shows operators apart, and then any number of dials.
        own_levels: Whether it looks at levels of its own, whatever is asked for.
        refuses: Says why it cannot show a method (untrained, on a task), or nothing if it can.
    """

    summary: str
    source: str
    task: str
    methods: tuple[str, ...]
    tables: Callable[[Sequence[Part]], Tables]
    draw: Callable[[Tables, Task], Figure]
    seeds: str = "0"
    requests: Callable[[Request], Sequence[Request]] = lambda request: [request]
    trains: bool = True
    scores: bool = False
    matrix: bool = False
    one_dial: bool = False
    named: bool = False
    own_levels: bool = False
    refuses: Callable[[ControlMethod, Task], str] | None = None


@dataclass(frozen=True)
class Part:
    """What one request found in the store."""

    plan: Plan
    store: Store

    @property
    def task(self) -> Task:
        """The task."""
        return self.plan.task

    @property
    def timed(self) -> bool:
        """Whether the preset measures run times."""
        return self.plan.request.preset.timing

    @functools.cached_property
    def rows(self) -> pd.DataFrame:
        """All scores, one line per number; see ``benchmark.results``."""
        from benchmark.collect import collect
        from benchmark.plan import stored_cells

        return collect(self.store, stored_cells(self.plan, self.store)).rows

    @functools.cached_property
    def methods(self) -> dict[str, ControlMethod]:
        """The trained methods by specification, each from the first of its seeds that is trained.

        Raises:
            JobError: If none is trained.
        """
        from benchmark.plan import stored_jobs
        from benchmark.trained import loaded

        jobs = stored_jobs(self.plan, self.store)
        if not jobs:
            raise JobError("no method of this study is trained, so there is nothing to look at")
        return {job.method: loaded(job, self.task, self.store) for job in jobs}

    @functools.cached_property
    def untrained(self) -> dict[str, ControlMethod]:
        """The methods on a fresh backbone: enough for what does not depend on weights.

        Raises:
            JobError: If no method takes the task.
        """
        from pathlib import Path

        from benchmark import build

        request, found = self.plan.request, {}
        unfit = {one.method for one in self.plan.unfit}
        for choice in request.methods:
            if choice.method not in unfit:
                file = Path(choice.file) if choice.file else None
                method = build.create_method(choice.method, file)
                built = build.build_method(method, request.backbone, self.task, request.seeds[0])
                found[choice.method] = built.eval().requires_grad_(False)
        if not found:
            raise JobError(
                "no method of this study takes the task, so there is nothing to look at; give others "
                "with --methods"
            )
        return found

    @functools.cached_property
    def samples(self) -> Samples:
        """The first test set."""
        from benchmark.data.samples import Samples

        images = next(iter(self.plan.images.values()))
        return Samples(images, self.task, self.store)

    def facts(self, levels: bool = True) -> dict[str, Any]:
        """Returns what the numbers of a study depend on, as plain data, its levels if it took them."""
        from benchmark.control import level_text
        from benchmark.planning.keys import preset_text

        request = self.plan.request
        return {
            "task": request.task,
            **({"levels": [level_text(one) for one in self.plan.levels]} if levels else {}),
            "methods": [one.method for one in request.methods],
            "preset": preset_text(request.preset),
            "backbone": request.backbone,
            "seeds": list(request.seeds),
            "train": list(request.train),
            "test": {name: len(one.pictures) for name, one in self.plan.images.items()},
        }


def unfolded(method: ControlMethod, task: Task) -> str:
    """Returns why a method has no tuned kernels, or nothing if it has."""
    return "" if method.folds else "it does not fold into its backbone, whose kernels are looked at"


def kernels(network: nn.Module) -> dict[str, Any]:
    """Returns the kernel of every layer as (C_out, n), one filter a row, by the layer's name."""
    from benchmark.tuning.layers import layers, output_rows

    return {
        name: output_rows(layer, layer.weight.detach()) for name, layer in layers(network).items()
    }
