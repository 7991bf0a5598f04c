"""One stage on several devices: the same weights as on one."""

import dataclasses
import multiprocessing

import pytest
import torch

from benchmark import cli, config, tasks, train
from benchmark.data.patches import Part, Patches
from benchmark.engines import parallel
from benchmark.planning.jobs import TrainJob
from benchmark.store import Store
from benchmark.training.stage import At, Stage, Uniform

SMOKE = config.preset("smoke", ["steps=6", "batch=4"])
END = Stage("end", ("",), At(1.0), network="backbone")
JOINT = Stage("joint", ("",), Uniform())


def job(stage: Stage, method: str | None) -> TrainJob:
    return TrainJob(
        "test", "sr", method, None, SMOKE.backbone, stage, SMOKE, 0, ("builtin",), None, True
    )


@pytest.mark.parametrize(
    ("stage", "method"), [(END, None), (JOINT, "tunable_conv")], ids=["critic", "levels"]
)
def test_two_processes_train_to_the_weights_of_one(home, tmp_path, stage, method):
    one = job(stage, method)
    alone = train.train_stage(one, None, tmp_path / "one", lambda text: None)
    two = dataclasses.replace(one, preset=dataclasses.replace(SMOKE, devices=2))
    torch.set_num_threads(2)
    told: list[str] = []
    both = parallel.train(two, Store(home), tmp_path / "two", told.append)
    assert told[0] == "2 processes start, 0 s", "a time limit counts from the last word"
    assert both.state.keys() == alone.state.keys()
    assert both.facts["steps"] == alone.facts["steps"] == 6
    start = train.train_stage(
        dataclasses.replace(one, preset=dataclasses.replace(SMOKE, lr=0.0)),
        None,
        tmp_path / "start",
        lambda text: None,
    )
    moved = max((alone.state[key] - start.state[key]).abs().max() for key in alone.state)
    apart = max((alone.state[key] - both.state[key]).abs().max() for key in alone.state)
    assert apart < 1e-4 * moved
    assert both.facts["loss"] == pytest.approx(alone.facts["loss"], rel=1e-4)


def test_parts_of_a_batch_are_that_batch():
    images = train.merged(("builtin",), offline=True)
    facts = (images, tasks.get("sr"), Uniform(), SMOKE, 0)
    whole, parts = Patches(*facts), [Patches(*facts, Part(rank, 2)) for rank in range(2)]
    assert whole[3].runs == [run for part in parts for run in part[3].runs]
    for index, together in enumerate(whole[3][:3]):
        assert torch.equal(torch.cat([part[3][index] for part in parts]), together)


def test_a_process_that_fails_fails_the_stage(home, tmp_path, monkeypatch):
    # What others do afterwards takes nothing from a reason that is known.
    monkeypatch.setattr(parallel, "_cause", lambda reason, others: parallel.DIED)
    wild = dataclasses.replace(SMOKE, lr=1e30, devices=2)
    with pytest.raises(parallel.JobError, match="not finite"):
        parallel.train(
            dataclasses.replace(job(END, None), preset=wild),
            Store(home),
            tmp_path / "two",
            lambda text: None,
        )


def test_a_process_that_dies_is_the_reason_and_not_what_others_say_of_it():
    (ours, theirs), (other, silent) = multiprocessing.Pipe(), multiprocessing.Pipe()
    theirs.send(("say", "3/6 steps"))
    theirs.close()
    assert parallel._cause("Connection reset by peer", [other, ours]) == parallel.DIED
    silent.send((parallel.BROKE_OFF, "Connection reset by peer"))
    silent.close()
    assert parallel._cause("the loss is not finite", [other]) == "the loss is not finite"


def test_a_batch_that_cannot_be_split_is_refused(home, capsys):
    words = ["run", "sr", "--preset", "smoke", "--methods", "dni", "--set", "devices=3"]
    assert cli.main(words) == 2
    assert "cannot be split evenly" in capsys.readouterr().err


def test_more_devices_than_there_are_gpus_are_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    preset = dataclasses.replace(SMOKE, devices=2)
    with pytest.raises(parallel.JobError, match="asks for 2 GPUs, and there are 1"):
        train.trainer(preset, part=Part(0, 2))
