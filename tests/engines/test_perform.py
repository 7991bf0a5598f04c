"""What every process does before it works."""

import contextlib
import errno
import multiprocessing.queues
import os
import shutil
import signal
import subprocess
import sys

import pytest
import torch
import torch.utils.data

from benchmark import cli, plan, train
from benchmark.engines import perform
from benchmark.engines.process import limited, lose_no_batch, sentence
from benchmark.errors import JobError
from benchmark.planning.request import request_of
from benchmark.store import Store


def test_blas_has_one_thread_also_in_libraries_that_are_loaded_later():
    code = (
        "from benchmark.engines.process import settle; settle(2);"
        "import numpy, scipy.linalg, threadpoolctl, torch;"
        "found = [one for one in threadpoolctl.threadpool_info() if one['user_api'] == 'blas'];"
        "assert found and {one['num_threads'] for one in found} == {1}, found;"
        "assert torch.get_num_threads() == 2;"
        "assert not torch.utils.deterministic.fill_uninitialized_memory"
    )
    plain = {key: value for key, value in os.environ.items() if not key.endswith("NUM_THREADS")}
    done = subprocess.run([sys.executable, "-c", code], env=plain, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("limit", "threads"), [("1", 1), ("8", 2), ("0", 2), ("", 2), ("2,1", 2)])
def test_a_limit_of_threads_only_takes_some_away(monkeypatch, limit, threads):
    monkeypatch.setenv("OMP_NUM_THREADS", limit)
    assert limited(2) == threads


def test_an_error_is_one_sentence_that_says_what_to_do(tmp_path):
    store = Store(tmp_path)
    assert sentence(JobError("no luck"), store) == "no luck"
    assert "use fewer --jobs" in sentence(MemoryError(), store)
    with pytest.raises(RuntimeError) as lacking:
        torch.empty(1 << 50)
    assert "use fewer --jobs" in sentence(lacking.value, store)
    assert "the disk is full" in sentence(OSError(errno.ENOSPC, "no space"), store)
    assert "ValueError" in sentence(ValueError("a\nb"), store)


class _Killing(torch.utils.data.Dataset):
    def __len__(self):
        return 1

    def __getitem__(self, index):
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_loader_process_that_dies_is_told_with_what_to_do(tmp_path):
    with pytest.raises(RuntimeError) as died:
        list(torch.utils.data.DataLoader(_Killing(), num_workers=1))
    assert "use fewer with --set workers=" in sentence(died.value, Store(tmp_path))


def test_loader_processes_that_cannot_be_started_are_told_with_what_is_missing(
    home, monkeypatch, capsys
):
    def missing(*_: object, **__: object) -> None:
        raise FileNotFoundError(errno.ENOENT, "No such file or directory")

    # What a lock does where the system has no /dev/shm.
    monkeypatch.setattr("multiprocessing.synchronize.SemLock.__init__", missing)
    words = ("train", "sr", "--preset", "smoke", "--methods", "blend", "--offline", "--jobs", "1")
    assert cli.main([*words, "--set", "workers=1"]) == 1
    error = capsys.readouterr().err
    assert "could not be started (FileNotFoundError: [Errno 2] No such file" in error
    assert "--set workers=0" in error and "combined_loader" not in error


class _Unsendable(torch.utils.data.Dataset):
    def __len__(self):
        return 1

    def __getitem__(self, index):
        return lambda: index  # which cannot be sent, as no batch can where shared memory is full


def test_a_loader_process_that_cannot_hand_a_batch_over_is_told_and_not_waited_for(
    tmp_path, monkeypatch
):
    hook = "_on_queue_feeder_error"
    monkeypatch.setattr(multiprocessing.queues.Queue, hook, staticmethod(lambda error, lost: None))
    lose_no_batch()
    loader = torch.utils.data.DataLoader(_Unsendable(), None, num_workers=1, timeout=30)
    with pytest.raises(RuntimeError) as died:
        list(loader)
    assert "use fewer with --set workers=" in sentence(died.value, Store(tmp_path))


def test_what_another_run_has_stored_meanwhile_is_kept(home, monkeypatch):
    top, _ = cli.parser()
    words = ["run", "sr", "--preset", "smoke", "--set", "steps=1", "--methods", "dni", "--offline"]
    store = Store()
    store.prepare()
    job = next(iter(plan.make(request_of(top.parse_args(words)), store).trains.values()))
    whole = train.train_stage

    def slower(*args, **named):
        found = whole(*args, **named)
        other = {key: one + 1 for key, one in found.state.items()}
        store.write_stage(job.key, other, found.facts)
        return found

    monkeypatch.setattr(train, "train_stage", slower)
    assert perform.perform(job, store, lambda text: None) is None
    kept = store.read_stage(job.key).weights_sha256
    assert perform.perform(job, store, lambda text: None) is None
    assert "job" not in store.read_stage(job.key).facts
    assert store.read_stage(job.key).weights_sha256 == kept


def test_training_images_that_change_while_a_job_waits_are_not_trained_on(
    home, monkeypatch, photographs
):
    top, _ = cli.parser()
    words = ["run", "sr", "--preset", "smoke", "--methods", "dni", "--train", str(photographs)]
    store = Store()
    store.prepare()
    job = next(iter(plan.make(request_of(top.parse_args(words)), store).trains.values()))
    held = perform.scratch.held

    @contextlib.contextmanager
    def waiting(*args):
        with held(*args) as folder:
            shutil.copy(photographs / "p0.png", photographs / "p1.png")
            yield folder

    monkeypatch.setattr(perform.scratch, "held", waiting)
    assert perform.perform(job, store, lambda text: None) == perform.CHANGED
    assert store.read_stage(job.key) is None
