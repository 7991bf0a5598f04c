"""Methods with their trained weights, as the store keeps them."""

from __future__ import annotations

from pathlib import Path

from benchmark.build import build_method, create_method, load_states
from benchmark.errors import JobError
from benchmark.method import ControlMethod
from benchmark.planning.jobs import SweepJob
from benchmark.registry.digest import weights_digest
from benchmark.store import Store
from benchmark.tasks import Task


def training_of(job: SweepJob, store: Store) -> tuple[str, int]:
    """Returns the hash of a method's weights and the training steps behind them.

    Raises:
        JobError: If a stage is missing or damaged.
    """
    hashes, steps = {}, 0
    for name, key in job.stage_keys.items():
        stage = store.read_stage(key)
        if stage is None:
            raise JobError(f"stage '{name}' is missing or damaged; train it first")
        hashes[name] = stage.weights_sha256
        steps += int(stage.facts["steps"])
    return weights_digest(hashes), steps


def loaded(job: SweepJob, task: Task, store: Store) -> ControlMethod:
    """Returns a method with its trained weights, in evaluation mode."""
    file = Path(job.method_file) if job.method_file else None
    method = build_method(create_method(job.method, file), job.backbone, task, job.seed)
    states = {name: store.load_stage(key) for name, key in job.stage_keys.items()}
    load_states(method, task, states)
    return method.eval().requires_grad_(False)
