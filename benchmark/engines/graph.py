"""The graph of jobs that every engine works through."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from benchmark.engines.perform import fail
from benchmark.engines.progress import Progress
from benchmark.planning.jobs import Job, TrainJob
from benchmark.store import Store
from benchmark.training.stage import Stage

LEVEL_STEPS = 20
"""Training steps that scoring one level takes about as long as; used only to order jobs."""


def label(job: Job, more: Sequence[str] = ()) -> str:
    """Returns a short name of a job for people.

    Args:
        job: The job.
        more: Fields of the job to begin with: those that tell it apart from others of its run.
    """
    first = "".join(f"{getattr(job, name)} " for name in more)
    seed = f" seed {job.seed}" if job.seed else ""
    if isinstance(job, TrainJob):
        return f"{first}train {job.method or 'network'} {job.stage.name}{seed}"
    return f"{first}sweep {job.method} on {job.dataset}{seed}"


class Graph:
    """Jobs with their dependencies, handing out what is ready.

    Args:
        jobs: The jobs, in any order.
    """

    def __init__(self, jobs: Sequence[Job]):
        self.jobs = {job.key: job for job in jobs}
        self.needs = {
            key: {one for one in needed(job) if one in self.jobs} for key, job in self.jobs.items()
        }
        self.after: dict[str, list[str]] = {key: [] for key in self.jobs}
        for key, needs in self.needs.items():
            for one in needs:
                self.after[one].append(key)
        self.behind: dict[str, float] = {}
        for key in self.jobs:
            self._path(key)
        self.waiting = set(self.jobs)
        self.ready = [self._rank(key) for key in self.jobs if not self.needs[key]]
        heapq.heapify(self.ready)
        self.failures: dict[str, str] = {}
        # Studies have jobs of several tasks or backbones that are otherwise of one name.
        self.more = [
            name
            for name in ("task", "backbone")
            if len({getattr(job, name) for job in self.jobs.values()}) > 1
        ]

    def label(self, job: Job) -> str:
        """Returns a short name of a job for people: no other job here has the same."""
        return label(job, self.more)

    def _path(self, key: str) -> float:
        """Returns the work of a job and the longest chain of jobs behind it."""
        if key not in self.behind:
            after = [self._path(other) for other in self.after[key]]
            self.behind[key] = work(self.jobs[key]) + max(after, default=0)
        return self.behind[key]

    def _rank(self, key: str) -> tuple[float, str]:
        """Returns what is least for the job that goes first."""
        return -self.behind[key], key

    def take(self) -> Job | None:
        """Returns the ready job with the longest chain behind it, or None if none is ready."""
        while self.ready:
            _, key = heapq.heappop(self.ready)
            if key in self.waiting:
                return self.start(key)
        return None

    def start(self, key: str) -> Job:
        """Returns a job, which is not waiting any more."""
        self.waiting.discard(key)
        return self.jobs[key]

    def close(self, key: str, failure: str | None) -> list[Job]:
        """Marks a job as done or failed; returns the jobs that can never run because of it."""
        if failure is None:
            for one in self.after[key]:
                self.needs[one].discard(key)
                if not self.needs[one]:
                    heapq.heappush(self.ready, self._rank(one))
            return []
        self.failures[key] = failure
        lost = sorted(one for one in self.after[key] if one in self.waiting)
        self.waiting -= set(lost)
        more = [job for one in lost for job in self.close(one, failure)]
        return [self.jobs[one] for one in lost] + more


def needed(job: Job) -> set[str]:
    """Returns the keys of the stages that a job reads."""
    if isinstance(job, TrainJob):
        return {job.start_key} if job.start_key else set()
    return set(job.stage_keys.values())


def work(job: Job) -> float:
    """Returns roughly how long a job takes, in training steps."""
    if isinstance(job, TrainJob):
        stage: Stage = job.stage
        return stage.share * job.preset.steps
    return LEVEL_STEPS * len(job.points())


def close(graph: Graph, store: Store, progress: Progress, job: Job, failure: str | None) -> None:
    """Marks a job as done or failed, and records what can never run because of it."""
    progress.finished(graph.label(job), failure)
    for lost in graph.close(job.key, failure):
        fail(lost, store, failure or "")
        progress.finished(graph.label(lost), f"needs '{graph.label(job)}'")
