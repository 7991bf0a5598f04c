"""The Ray engine, on clusters that are started here."""

import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

from benchmark import cli

pytest.importorskip("ray")

from benchmark.engines import ray

SMALL = ["run", "sr", "--preset", "smoke", "--set", "steps=1", "--levels", "0", "--offline"]
DYING = (
    "import os\nfrom pathlib import Path\n"
    "from benchmark.method import ControlMethod, Stage, Uniform\n"
    "class {name}(ControlMethod):\n"
    "    def build(self, backbone, control): pass\n"
    "    def stages(self, task): return [Stage('joint', ('',), Uniform())]\n"
    "    def forward(self, x, level):\n"
    "        log = Path({log!r})\n"
    "        with log.open('a') as file: file.write('x')\n"
    "        if len(log.read_text()) <= {deaths}: os._exit(9)\n"
    "        return self.backbone(x)\n"
)


def test_notes_of_runs_that_were_killed_are_removed_and_those_of_others_kept(tmp_path):
    old, alive = tmp_path / "old", tmp_path / "alive"
    for folder in (old, alive):
        folder.mkdir()
        (folder / "a.json").touch()
    os.utime(old, (time.time() - 2 * ray.OLD,) * 2)
    ray._sweep(tmp_path)
    assert list(tmp_path.iterdir()) == [alive]


def test_a_task_that_is_ended_while_it_loads_torch_is_left_to_be_tried_again(tmp_path, monkeypatch):
    run, codes = [], []

    def leave(code: int) -> None:
        codes.append(code)
        raise SystemExit(code)

    monkeypatch.setenv("DIALBENCH_HOME", str(tmp_path))
    monkeypatch.setattr(ray, "settle", lambda cpus: os.kill(os.getpid(), signal.SIGTERM))
    monkeypatch.setattr(ray, "from_json", lambda text: text)
    monkeypatch.setattr(ray, "perform_noted", lambda job, store, notes: run.append(job))
    monkeypatch.setattr(os, "_exit", leave)
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with pytest.raises(SystemExit):
            ray._work("a", str(tmp_path), str(tmp_path / "notes"), 1)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert (run, codes) == ([], [1])


@pytest.fixture
def two_nodes(monkeypatch):
    """A cluster of two nodes with a core each, which RAY_ADDRESS names."""
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": 100 << 20}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    cluster.add_node(**node)
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    yield cluster
    cluster.shutdown()


@pytest.mark.cluster
def test_a_cluster_of_two_nodes_gives_the_table_of_the_local_engine(
    home, local_table, campaign, table_of, two_nodes, capsys
):
    assert cli.main([*campaign, "--engine", "ray"]) == 0
    assert table_of(home) == local_table
    assert "[5/5]" in capsys.readouterr().err
    assert not list((home / "notes").glob("*/*")), "notes of a finished run are removed"


@pytest.mark.cluster
def test_a_dying_worker_is_replaced_and_one_that_always_dies_fails_alone(
    home, tmp_path, capsys, monkeypatch
):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    words = [*SMALL, "--methods", "floor", "--engine", "ray:retries=1", "--jobs", "2"]
    for name, deaths in (("once", 1), ("always", 99)):
        log = tmp_path / f"{name}.log"
        file = tmp_path / f"{name}_method.py"
        file.write_text(DYING.format(name=name.title(), log=str(log), deaths=deaths))
        words += ["--method", str(file)]
    assert cli.main(words) == 1
    error = capsys.readouterr().err
    _, _, failed = error.partition("shows where):\n")
    assert "always_method: the worker process died" in failed
    assert failed.count("\n") == 1
    assert len((tmp_path / "always.log").read_text()) == 2, "one try and one retry"
    table = pd.read_csv(home / "report" / "sr" / "table.csv")
    assert set(table["method"]) == {"floor", "once_method"}


def test_a_job_that_fits_no_machine_is_told_with_what_it_asks_for():
    machines = [{"CPU": 4.0}, {"CPU": 2.0, "GPU": 1.0}, {"memory": 1.0}]
    assert ray._lacking(machines, 4, 0) == ray._lacking(machines, 2, 0.5) == ""
    assert ray._lacking(machines, 8, 0) == "no machine of the cluster has 8 cores"
    assert ray._lacking(machines, 4, 1) == "no machine of the cluster has 4 cores and 1 GPU"


@pytest.mark.cluster
def test_more_than_this_machine_has_is_refused_where_no_other_can_join(home, capsys, monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    words = [*SMALL, "--methods", "floor", "--engine", "ray:gpus=99", "--jobs", "1"]
    assert cli.main(words) == 2
    error = capsys.readouterr().err
    assert "no machine of the cluster has 1 core and 99 GPUs; ask for fewer" in error


@pytest.mark.cluster
def test_a_signal_ends_a_run_in_its_own_words_and_its_stage_is_saved(home, monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    words = ["run", "denoise", "--preset", "smoke", "--set", "steps=1000000", "--methods", "dni"]
    run = subprocess.Popen(
        [sys.executable, "-m", "benchmark", *words, "--offline", "--engine", "ray", "--jobs", "1"],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        end = time.monotonic() + 180
        while not list(home.glob("scratch/*/*")) and time.monotonic() < end:
            time.sleep(0.1)
        run.send_signal(signal.SIGTERM)
        error = run.communicate(timeout=120)[1]
    finally:
        run.kill()
    assert run.returncode == 128 + signal.SIGTERM, error
    assert "stopped by SIGTERM; what is done is saved" in error
    assert list(home.glob("scratch/*/left-*/last.ckpt"))


def test_an_address_where_no_cluster_is_is_one_sentence(home, capsys, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    assert cli.main([*SMALL, "--methods", "floor", "--engine", "ray"]) == 2
    error = capsys.readouterr().err
    assert "cannot use the Ray cluster '127.0.0.1:1'" in error


def test_a_cluster_of_other_versions_is_told_with_them(home, capsys, monkeypatch):
    from ray._private import utils

    def init(**_: object) -> None:
        utils.check_version_info({"ray_version": "1.2.3", "python_version": "2.7.1"}, "this node")

    monkeypatch.setattr("ray.init", init)
    monkeypatch.setattr(ray, "_knock", lambda address: None)
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:6379")
    assert cli.main([*SMALL, "--methods", "floor", "--engine", "ray"]) == 2
    error = capsys.readouterr().err
    assert "Ray: 1.2.3 Python: 2.7.1" in error and error.count("\n") == 1
