"""Engines: ways to run the jobs of a plan. This module imports no torch."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmark.registry.spec import Spec

if TYPE_CHECKING:
    from benchmark.planning.jobs import Job
    from benchmark.store import Store


def run(chosen: Spec, jobs: Sequence[Job], store: Store, workers: int | None) -> dict[str, str]:
    """Runs jobs with an engine; returns why jobs failed, by key.

    Args:
        chosen: The engine and its options.
        jobs: The jobs; a dependency that is not among them must be stored.
        store: Where everything is kept.
        workers: How many jobs (of SLURM: array elements) run at once; None lets the engine choose.
    """
    module = importlib.import_module(f"benchmark.engines.{chosen.name}")
    return module.run(jobs, store, workers, **chosen.options) if jobs else {}
