"""Clusters for the tests of engines, and the table that all of them must give."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from benchmark import cli
from benchmark.engines import queue

CAMPAIGN = ["run", "sr", "--preset", "smoke", "--methods", "dni,ftn", "--offline"]
"""Two methods that share their start network: two sweeps behind two stages behind one."""


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    """The same sums in the same order, whatever the engine gives a job."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="module")
def local_table(tmp_path_factory, at_home) -> bytes:
    """The table of the campaign as the local engine writes it."""
    home = tmp_path_factory.mktemp("local") / "runs"
    with at_home(home) as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        assert cli.main([*CAMPAIGN, "--jobs", "1"]) == 0
    return table(home)


def table(home: Path) -> bytes:
    """Returns the table of a store."""
    return (home / "report" / "sr" / "table.csv").read_bytes()


@pytest.fixture
def campaign() -> list[str]:
    """The command line of the campaign."""
    return CAMPAIGN


@pytest.fixture
def table_of():
    """Reads the table of a store."""
    return table


@pytest.fixture
def answers(monkeypatch):
    """What SLURM is asked, in order; ``config``, ``queue`` and ``job`` are what it says."""

    class Answers(list):
        config = "ClusterName = blue\nMaxArraySize            = 5\n"
        queue = ""
        job = "JobId=7 JobState=RUNNING PreemptEligibleTime=2026-12-01T03:36:50 PreemptTime=None"

        def __call__(self, *words):
            self.append(words)
            if words[:4] == ("scontrol", "--oneliner", "show", "job"):
                return self.job
            if words[:2] == ("scontrol", "show"):
                return self.config
            return self.queue if words[0] == "squeue" else ""

    one = Answers()
    monkeypatch.setattr(queue, "_run", one)
    return one


@pytest.fixture(scope="session")
def slurm():
    """A SLURM cluster; skips, with the reason, where there is none."""
    if shutil.which("sbatch") is None:
        pytest.skip("SLURM is not installed (packages slurm-wlm and munge)")
    answer = subprocess.run(
        ["sinfo", "--noheader", "--format=%T"], capture_output=True, text=True, check=False
    )
    if answer.returncode or not answer.stdout.strip():
        conf = os.environ.get("SLURM_CONF", "none is set")
        pytest.skip(f"no SLURM cluster answers (SLURM_CONF: {conf}); see slurm_cluster.sh")
