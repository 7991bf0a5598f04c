"""What every process does that runs jobs: it settles, says what went wrong, ends with its parent."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import multiprocessing.queues
import os
import signal
import sys
import threading
import warnings

from benchmark import collector
from benchmark.errors import JobError, UserError, one_line
from benchmark.records import disk_trouble
from benchmark.store import Store
from benchmark.training import stopping

FAREWELL = 30
"""Seconds that jobs get to save their work when the run is ended."""

STARTING = 120
"""Seconds that a worker process may take to start before it counts as hanging, at the least."""

M_TRIM_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -4, -8

PR_SET_PDEATHSIG = 1

TELLS_OF_LOSS = multiprocessing.queues.Queue._on_queue_feeder_error  # type: ignore[attr-defined]
"""What Python does where a queue cannot send something: it prints why."""


def limited(threads: int) -> int:
    """Returns how many threads a process takes of those it may have; OMP_NUM_THREADS is a limit."""
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return min(threads, int(limit)) if limit.isdigit() and int(limit) > 0 else threads


@collector.paused()
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
    lose_no_batch()


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


def lose_no_batch() -> None:
    """Lets processes that load training images, forked from this one, end where a batch is lost.

    Batches go through shared memory, of which containers have little. Where that is full, Python drops a
    batch and says so, and training would wait for it without end.
    """
    from torch.utils.data import get_worker_info

    def failed(error: Exception, lost: object) -> None:
        if get_worker_info() is not None:
            os._exit(1)
        TELLS_OF_LOSS(error, lost)

    multiprocessing.queues.Queue._on_queue_feeder_error = staticmethod(failed)  # type: ignore[attr-defined]


def quiet() -> None:
    """Silences notices of libraries that tell a user of this program nothing."""
    import lightning.pytorch  # noqa: F401 - its import sets the levels that are changed here

    for name in ("lightning.pytorch", "lightning.fabric", "pytorch_lightning"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"(lightning|pytorch_lightning|lpips|torchmetrics)\.")
    warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
    warnings.filterwarnings("ignore", category=FutureWarning)


def sentence(error: BaseException, store: Store) -> str:
    """Returns one sentence about an error."""
    if isinstance(error, JobError | UserError):
        return str(error)
    if isinstance(error, OSError) and error.errno is not None:
        return disk_trouble(error, error.filename or store.home)
    # Of memory that is not on a GPU torch has no error of its own.
    lacking = isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    if lacking or isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return "out of memory; use fewer --jobs, or a smaller --set batch=..."
    if isinstance(error, RuntimeError) and "iter(combined_loader)" in str(error):
        # Lightning says so as it cleans up, over the error that it cleans up after.
        why = one_line(error.__context__) if error.__context__ else "nobody says why"
        return (
            f"processes that load training images could not be started ({why}); see that /dev/shm is "
            "there and can be written to, or run again with --set workers=0"
        )
    if isinstance(error, RuntimeError) and str(error).startswith("DataLoader worker"):
        return (
            "a process that loads training images died (out of memory, or of shared memory?); use "
            "fewer with --set workers=..., and run again"
        )
    return one_line(error)


def become_worker() -> None:
    """Makes a process that was spawned for jobs one of its parent's: it comes first in it."""
    # What a terminal sends, and SLURM ahead of a time limit, the parent has too, and says SIGTERM.
    for number in (signal.SIGINT, *stopping.HANGUP, *stopping.AHEAD):
        signal.signal(number, signal.SIG_IGN)
    # It would spawn what loads its training data too (where the custom is to fork): each would load
    # torch anew and be sent a copy of all images, at every stage.
    if sys.platform == "linux":
        multiprocessing.set_start_method("fork", force=True)
        # No thread gets its turn here while a call hangs that holds Python's lock, or the process is
        # stopped; the system ends it all the same.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Ends this process when its parent is gone, however that ended."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
