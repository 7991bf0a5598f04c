"""The order of jobs."""

import dataclasses
import time

import pytest

from benchmark import plan, studies
from benchmark.config import preset
from benchmark.engines.graph import Graph, label, work
from benchmark.planning.jobs import SweepJob, TrainJob
from benchmark.planning.request import wanted
from benchmark.store import Store
from benchmark.training.stage import Stage, Uniform, start_stage


def train(key: str, start: str | None = None, share: float = 1.0) -> TrainJob:
    stage = dataclasses.replace(start_stage(), share=share)
    return TrainJob(key, "sr", None, None, "small", stage, preset("smoke"), 0, (), start)


def sweep(key: str, **stages: str) -> SweepJob:
    return SweepJob(
        key, "sr", "m", None, "small", preset("smoke"), 0, stages, "x", ((0.0,), (1.0,))
    )


def order(graph: Graph) -> list[str]:
    found = []
    while (job := graph.take()) is not None:
        found.append(job.key)
        graph.close(job.key, None)
    return found


def test_a_job_waits_for_the_stages_it_needs():
    graph = Graph([sweep("s", start="a", tune="b"), train("b", "a"), train("a")])
    assert order(graph) == ["a", "b", "s"]


def test_what_has_the_longest_chain_behind_it_goes_first():
    jobs = [train("alone", share=2.0), train("start"), train("tune", "start", share=3.0)]
    assert Graph(jobs).take().key == "start"


def test_a_stored_dependency_is_no_dependency():
    assert Graph([sweep("s", start="stored")]).take().key == "s"


def test_a_failed_job_takes_with_it_all_that_depends_on_it_and_nothing_else():
    graph = Graph(
        [train("a"), train("b", "a"), sweep("s", start="a", tune="b"), sweep("other"), train("c")]
    )
    first = graph.take()
    assert first.key == "a"
    lost = graph.close("a", "no luck")
    assert [job.key for job in lost] == ["b", "s"]
    assert set(order(graph)) == {"c", "other"}
    assert set(graph.failures) == {"a", "b", "s"}


def test_nothing_is_ready_while_a_dependency_runs():
    graph = Graph([train("a"), train("b", "a")])
    assert graph.take().key == "a"
    assert graph.take() is None
    graph.close("a", None)
    assert graph.take().key == "b"


def test_a_campaign_of_ten_thousand_jobs_is_ordered_at_once():
    jobs = [train("start"), *(train(f"tune{at}", "start") for at in range(5000))]
    jobs += [sweep(f"sweep{at}", start="start", tune=f"tune{at}") for at in range(5000)]
    began = time.monotonic()
    assert len(order(Graph(jobs))) == len(jobs)
    # It takes a tenth of a second; looking at all jobs for each took half a minute.
    assert time.monotonic() - began < 3


def test_a_stage_weighs_its_share_of_the_steps():
    joint = dataclasses.replace(train("a"), stage=Stage("joint", ("",), Uniform(), 1.5))
    assert work(joint) == 1.5 * preset("smoke").steps


def test_a_sweep_weighs_as_much_as_it_has_levels():
    assert work(sweep("s")) == 2 * work(sweep("s").only([((0.0,), (0.0,))])) > 0


@pytest.mark.parametrize("name", ["ablation", "drop-in", "joint"])
def test_no_two_jobs_of_a_study_of_several_backbones_or_tasks_have_one_label(name, tmp_path):
    """Progress tells jobs apart by their labels, and so do people."""
    study, store = studies.get(name), Store(tmp_path)
    methods = list(study.methods)[:1]
    request = wanted(study.task, methods, preset="smoke", seeds=(0, 1), offline=True)
    plans = [plan.make(one, store) for one in study.requests(request)]
    jobs = {job.key: job for one in plans for job in one.jobs(True, True)}
    graph = Graph([*jobs.values()])
    assert len({label(job) for job in jobs.values()}) < len(jobs)
    assert len({graph.label(job) for job in jobs.values()}) == len(jobs)


def test_a_label_says_neither_task_nor_backbone_where_all_jobs_have_the_same():
    graph = Graph([train("a"), sweep("s", start="a")])
    assert [graph.label(job) for job in graph.jobs.values()] == [
        "train network start",
        "sweep m on x",
    ]
