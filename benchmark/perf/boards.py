"""What it costs to build the board of a task with thousands of entries."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmark.leaderboard import synthetic
from benchmark.perf.measure import Figure

ENTRIES, LEVELS, IMAGES, METRICS = 5_000, 11, 100, 6
ROUNDS = 3
BUILD = """
import json, resource, sys, time
from pathlib import Path
began = time.perf_counter()
from benchmark.leaderboard import build
for path in Path(sys.argv[1], "sr").glob("board.*"):
    path.unlink()
written = len(build.write(Path(sys.argv[1])))
taken = time.perf_counter() - began
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
print(json.dumps([taken, peak, written]))
"""


def figures() -> Iterator[Figure]:
    """Yields seconds and memory of ``dialbench board build``."""
    taken, peak = [], []
    with tempfile.TemporaryDirectory() as folder:
        synthetic.many(Path(folder), ENTRIES, LEVELS, IMAGES, METRICS)
        for _ in range(ROUNDS):
            told = subprocess.run(
                [sys.executable, "-c", BUILD, folder], check=True, capture_output=True, text=True
            ).stdout
            time, memory, written = json.loads(told)
            assert written >= 2, "no board was written"
            taken.append(time)
            peak.append(memory)
    note = f"{ENTRIES} entries of {LEVELS} levels x {IMAGES} images, {METRICS} metrics"
    yield Figure("board build", statistics.median(taken), "s", limit=20, note=note)
    yield Figure("its memory", statistics.median(peak), "GiB", limit=2)
