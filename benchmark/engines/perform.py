"""Running one job: every engine ends here."""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import logging
import os
import traceback
import warnings
from collections.abc import Callable

from benchmark.errors import Failure, JobError, UserError, one_line
from benchmark.planning.jobs import Job, SweepJob, TrainJob
from benchmark.store import Store, disk_trouble
from benchmark.training import scratch, stopping

Say = Callable[[str], None]

CHANGED = "the code or the training images changed after this job was planned; run again"

M_TRIM_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -4, -8


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
    except Exception as error:  # noqa: BLE001 - one failing job must not stop the others
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
    digests = [open_set(one, "train", offline=job.offline).digest for one in job.train_sets]
    if keys.train_key(job, tuple(digests)) != job.key:
        raise JobError(CHANGED)
    folder = scratch.folder(store.home, job.key)
    try:
        if job.preset.devices > 1:
            from benchmark.engines import parallel

            result = parallel.train(job, store, folder, say)
        else:
            start = store.load_stage(job.start_key) if job.start_key else None
            result = train_stage(job, start, folder, say, store=store)
    except stopping.Stopped:
        scratch.leave(store.home, job.key)
        raise
    # Where another run was faster, its weights may be in use, and these can differ in the last digit.
    if store.read_stage(job.key) is None:
        store.write_stage(job.key, result.state, {**result.facts, "job": dataclasses.asdict(job)})
    scratch.clear(store.home, job.key)


def _sweep(job: SweepJob, store: Store, say: Say) -> None:
    from benchmark.planning import keys
    from benchmark.sweep import sweep

    if keys.sweep_key(job) != job.key:
        raise JobError(CHANGED)
    sweep(job, store, say)


def fail(job: Job, store: Store, reason: str, trace: str = "") -> str:
    """Records a failure and returns its reason."""
    plain = isinstance(job, TrainJob) and job.method is None
    name = f"{job.stage.name} network" if plain else job.method
    store.write_failure(job.key, Failure(name, job.backbone, job.seed, reason, trace))
    return reason


def sentence(error: BaseException, store: Store) -> str:
    """Returns one sentence about an error."""
    if isinstance(error, JobError | UserError):
        return str(error)
    if isinstance(error, OSError) and error.errno is not None:
        return disk_trouble(error, error.filename or store.home)
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return "out of memory; use fewer --jobs, or a smaller --set batch=..."
    return one_line(error)


def settle(threads: int) -> None:
    """Prepares this process for training: threads, memory allocator, and quiet libraries."""
    import torch
    import torch.utils.deterministic

    torch.set_num_threads(threads)
    # Where results are to be the same every time, torch also fills each new tensor, in case somebody
    # reads what nobody wrote. That takes time in every step and changes no result.
    torch.utils.deterministic.fill_uninitialized_memory = False
    # Operators and NIQE multiply many small matrices: threads of BLAS only wait there, for each other
    # and for those of other processes. The variable is for libraries that are yet to be loaded.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    with contextlib.suppress(ImportError):  # a machine with torch and Lightning alone trains too
        from threadpoolctl import threadpool_limits

        threadpool_limits(1, user_api="blas")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    quiet()
    keep_memory()


def keep_memory() -> None:
    """Tells glibc that freed buffers stay in the process (other C libraries are left alone).

    Otherwise every large activation is mapped anew and paged in at every step, which takes up to
    half of the time. A threshold would not do: glibc caps it at 32 MiB, less than an activation. All
    threads share one arena, since others give back what they free in any case.
    """
    try:
        libc = ctypes.CDLL(None)
        for parameter, value in ((M_TRIM_THRESHOLD, 1 << 30), (M_MMAP_MAX, 0), (M_ARENA_MAX, 1)):
            libc.mallopt(parameter, value)
    except (OSError, AttributeError):
        return


def quiet() -> None:
    """Silences notices of libraries that tell a user of this program nothing."""
    import lightning.pytorch  # noqa: F401 - its import sets the levels that are changed here

    for name in ("lightning.pytorch", "lightning.fabric", "pytorch_lightning"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"(lightning|pytorch_lightning|lpips|torchmetrics)\.")
    warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
    warnings.filterwarnings("ignore", category=FutureWarning)
