"""What a campaign costs beside training and scoring: planning, collecting, starting, distributing."""

from __future__ import annotations

import contextlib
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from unittest import mock

import numpy as np

from benchmark import plan
from benchmark.engines import local
from benchmark.errors import JobError
from benchmark.perf.measure import ROUNDS, Figure, rivals, seconds
from benchmark.planning import keys
from benchmark.planning.jobs import Point
from benchmark.planning.request import Request, wanted
from benchmark.store import Cell, Row, Store, now

CELLS = 100_000
SETS, SEEDS = 20, 50
"""Test sets and seeds of the campaign; the rest are levels."""
IMAGES = 2
EMPTY = 16
"""Jobs with nothing to do that show what the engine takes for each."""
COLLECT = """
import json, resource, sys, time
from pathlib import Path
from benchmark.perf.campaign import request
from benchmark.store import Store
from benchmark import collect, plan
store = Store(sys.argv[1])
wanted = request(Path(sys.argv[2]))
began = time.perf_counter()
made = plan.make(wanted, store)
cells = plan.stored_cells(made, store)
results = collect.collect(store, cells)
taken = time.perf_counter() - began
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
print(json.dumps([taken, peak, len(cells), len(results.rows), len(made.jobs())]))
"""


def figures() -> Iterator[Figure]:
    """Yields seconds and memory for a large campaign, and the times that every command takes."""
    yield from _large()
    yield from _commands()
    yield from _workers()


def request(sets: Path) -> Request:
    """Returns a request for ``CELLS`` cells on the test sets in a folder."""
    levels = CELLS // SETS // SEEDS
    return wanted(
        "denoise",
        ["floor"],
        preset="smoke",
        seeds=range(SEEDS),
        levels=[(at / (levels - 1),) for at in range(levels)],
        test=sorted(map(str, sets.iterdir())),
        offline=True,
    )


def _large() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        home, sets = Path(folder, "runs"), Path(folder, "sets")
        _write_sets(sets)
        written = _write_cells(Store(home), request(sets))
        taken, peak = [], []
        for _ in range(ROUNDS):
            told = subprocess.run(
                [sys.executable, "-c", COLLECT, str(home), str(sets)],
                check=True,
                capture_output=True,
                text=True,
            ).stdout
            time, memory, cells, rows, todo = json.loads(told)
            assert (cells, todo) == (written, 0), "the campaign was not found complete"
            taken.append(time)
            peak.append(memory)
    note = f"{cells} cells, {rows} rows"
    yield Figure("plan and collect", statistics.median(taken), "s", limit=8, note=note)
    yield Figure("its memory", statistics.median(peak), "GiB", limit=1.5)


def _write_sets(folder: Path) -> None:
    from PIL import Image

    for number in range(SETS):
        own = folder / f"set{number:02}"
        own.mkdir(parents=True)
        for image in range(IMAGES):
            pixels = np.random.default_rng([number, image]).integers(0, 256, (96, 96, 3), np.uint8)
            Image.fromarray(pixels).save(own / f"{image}.png")


def _write_cells(store: Store, asked: Request) -> int:
    store.prepare()
    made = plan.make(asked, store)
    count = 0
    with mock.patch.object(os, "fsync"):
        for job in made.sweeps.values():
            images = made.images[job.dataset]
            key_of = keys.cell_keys(job, made.task, "", images)
            facts = {
                "schema": 1, "task": made.task.name, "task_digest": keys.scoring_digest(made.task),
                "protocol": made.task.protocol.id, "dataset": images.name, "method": job.method,
                "method_digest": "0" * 20, "backbone": job.backbone, "preset": "smoke",
                "seed": job.seed, "weights_sha256": "", "torch": "", "device": "cpu",
                "harness_version": "", "created_utc": now(), "level_physical": "",
            }  # fmt: skip
            for point in job.points():
                key = key_of(point)
                level = keys.level_text(point[0])
                rows = tuple(
                    Row(picture.name, metric, 30.0 + count / CELLS, "ok", "")
                    for picture in images.pictures
                    for metric in made.task.metrics
                )
                cost = {"folds": True, "params_stored": 0, "params_folded": 0, "macs": 0}
                cost |= {"ms_per_image": None, "train_steps": 0}
                own = {**facts, "level": level, "set_level": level}
                store.write_cell(made.task.name, Cell(key, own, rows, cost, {}))
                count += 1
    return count


def _commands() -> Iterator[Figure]:
    python = [sys.executable, "-m", "benchmark"]
    with tempfile.TemporaryDirectory() as home:
        there = {**os.environ, "DIALBENCH_HOME": home}
        smoke = [*python, "run", "sr", "--preset", "smoke", "--offline"]
        subprocess.run(smoke, check=True, capture_output=True, env=there)
        times = rivals(
            {
                "help": lambda: subprocess.run(
                    [*python, "--help"], check=True, capture_output=True
                ),
                "again": lambda: subprocess.run(smoke, check=True, capture_output=True, env=there),
            }
        )
    yield Figure("--help", times["help"], "s", limit=0.3)
    yield Figure("a run with nothing to do", times["again"], "s", limit=10)


def _workers() -> Iterator[Figure]:
    """Sweeps one after the other in this process, and side by side in two workers.

    A sweep by itself uses every core, so two at once gain what one leaves idle; how far two jobs are
    from disturbing each other shows against sweeps that have a core each. What workers take to start
    is in a long run and in a short one, and so in no difference between them.
    """
    levels = [(0.2 * at,) for at in range(6)]
    short, long = 2, 6

    def run(count: int, workers: int, only: Sequence[Point] | None = None) -> float:
        with tempfile.TemporaryDirectory() as home, contextlib.redirect_stderr(io.StringIO()):
            store = Store(home)
            asked = wanted(
                "denoise", ["floor"], seeds=range(count), levels=levels, test=["builtin"],
                offline=True,
            )  # fmt: skip
            todo = plan.make(asked, store).jobs()
            todo = todo if only is None else [job.only(only) for job in todo]
            failed: dict[str, str] = {}
            taken = seconds(lambda: failed.update(local.run(todo, store, workers)))
        if failed:
            # A job that fails is fast, so no figure may be made of it.
            raise JobError(f"a job to be timed failed: {next(iter(failed.values()))}")
        return taken

    rounds = []
    for _ in range(ROUNDS):
        one, two = (run(long, workers) - run(short, workers) for workers in (1, 2))
        with mock.patch.dict(os.environ, OMP_NUM_THREADS="1"):
            core = run(long, 1) - run(short, 1)
        each = (run(EMPTY, 2, ()) - run(short, 2, ())) / (EMPTY - short)
        rounds.append((one / two, core / two, each))
    speedup, scaling, each = (statistics.median(column) for column in zip(*rounds, strict=True))
    name = "sweeps, --jobs 1 against 2 after the start"
    yield Figure(name, speedup, limit=1.7, at_least=True)
    yield Figure(f"{name}, a core each", scaling)
    yield Figure("engine and look-up, per job", each, "s", limit=0.3)
