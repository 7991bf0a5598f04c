"""Running one job: every engine ends here."""

from __future__ import annotations

import dataclasses
import traceback
from collections.abc import Callable

from benchmark import collector
from benchmark.engines.process import sentence
from benchmark.errors import JobError
from benchmark.planning.jobs import Job, SweepJob, TrainJob, failure_of
from benchmark.store import Store
from benchmark.training import scratch, stopping

Say = Callable[[str], None]

CHANGED = "the code or the training images changed after this job was planned; run again, in a new process"


@collector.swept()
def perform(job: Job, store: Store, say: Say) -> str | None:
    """Runs a job whose dependencies are stored; returns None, or one sentence why it failed.

    A failure is recorded in the store, and an earlier one cleared by success. Work that is stored
    already is not done again.

    Raises:
        Stopped: If a signal asked for it; what was done is saved, and goes on when run again.
    """
    try:
        with stopping.one_job():
            if isinstance(job, TrainJob):
                _train(job, store, say)
            else:
                _sweep(job, store, say)
    # Of a method that means to end the process, too: the run would end in success, without a word.
    except (Exception, SystemExit) as error:  # noqa: BLE001 - one failing job must not stop the others
        # A job may fail of the same signal that the run is to obey.
        stopping.check()
        return fail(job, store, sentence(error, store), traceback.format_exc())
    store.clear_failure(job.key)
    return None


def _train(job: TrainJob, store: Store, say: Say) -> None:
    from benchmark.data.sources import open_set
    from benchmark.planning import keys
    from benchmark.train import train_stage

    if store.read_stage(job.key) is not None:
        return
    with scratch.held(store.home, job.key, say) as folder:
        # Another run may have stored it while this one waited for its checkpoint.
        if store.read_stage(job.key) is not None:
            return
        # Only now: waiting may take hours.
        digests = [open_set(one, "train", offline=job.offline).digest for one in job.train_sets]
        if keys.train_key(job, tuple(digests)) != job.key:
            raise JobError(CHANGED)
        if job.preset.devices > 1:
            from benchmark.engines import parallel

            result = parallel.train(job, store, folder, say)
        else:
            start = store.load_stage(job.start_key) if job.start_key else None
            result = train_stage(job, start, folder, say, store=store)
        # Where another run was faster, its weights may be in use, and these can differ in the last digit.
        if store.read_stage(job.key) is None:
            facts = {**result.facts, "job": dataclasses.asdict(job)}
            store.write_stage(job.key, result.state, facts)


def _sweep(job: SweepJob, store: Store, say: Say) -> None:
    from benchmark.planning import keys
    from benchmark.sweep import sweep

    if keys.sweep_key(job) != job.key:
        raise JobError(CHANGED)
    sweep(job, store, say)


def fail(job: Job, store: Store, reason: str, trace: str = "") -> str:
    """Records a failure and returns its reason."""
    store.write_failure(job.key, failure_of(job, reason, trace))
    return reason
