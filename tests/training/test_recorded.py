"""Recorded training steps: they train alike, and nothing is in their way. The GPU is imitated here."""

import contextlib
import weakref
from unittest import mock

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from benchmark import config, tasks, texture, train
from benchmark.build import build_method, create_method
from benchmark.conformance.devices import pretend
from benchmark.conformance.networks import TINY
from benchmark.conformance.recording import batches
from benchmark.conformance.subject import own_stages
from benchmark.objectives import MixedObjective
from benchmark.training import learner
from benchmark.training.batch import Batch
from benchmark.training.learner import Recipe
from benchmark.training.recorded import WARM, Recorder
from benchmark.training.stage import At, Stage, Uniform

METHODS = (
    *("decouple", "decouple_fast", "dni:apart=true", "adafm", "adafm:k=5", "cfsnet", "dynamic_net"),
    *("ftn", "ftn:depthwise=true", "tunable_conv", "tunable_conv:expand=2", "hypernet", "cresmd"),
)
TASKS = ("denoise", "sr", "style", "style-3", "denoise-strength", "denoise-deblur", "operators-10")
"""One for each way to weigh terms and to choose targets."""
JOINT = Stage("joint", ("",), levels=Uniform())
END = Stage("end", ("",), At(1.0), network="backbone")


class Imitated(Recorder):
    """Replays by running the step anew on the buffers, and notes what it was asked for."""

    def __init__(self, step, optimizers):
        super().__init__(step, optimizers)
        self.recorded, self.replayed = [], 0

    def warm(self, batch):
        return self.step(batch)

    def record(self, own):
        loss = torch.empty(())
        self.recorded.append(tuple(own.runs))

        def replay():
            self.replayed += 1
            loss.copy_(self.step(own).detach())

        return replay, loss


@pytest.fixture
def imitated(monkeypatch):
    made = []
    # A GPU that is there would train otherwise than the processor does.
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)

    def recorder_for(device, optimizers, step):
        made.append(Imitated(step, optimizers))
        return made[-1]

    monkeypatch.setattr(learner, "recorder_for", recorder_for)
    return made


@pytest.fixture
def trained(train_job):
    def run(task, stage, method, folder):
        job = train_job(task, stage, config.preset("smoke", ["steps=8", "batch=4"]), method)
        return train.train_stage(job, None, folder, lambda text: None).state

    return run


def require_close(a, b):
    assert a.keys() == b.keys()
    for key, value in a.items():
        # Learning rates are single precision on the GPU.
        assert torch.allclose(value, b[key], rtol=1e-4, atol=1e-6), key


@pytest.mark.parametrize(
    ("task", "stage", "method", "steps"),
    [("denoise", JOINT, "decouple", 12), ("sr", JOINT, "tunable_conv", 8), ("sr", END, None, 8)],
)
def test_recorded_training_is_the_same_training(
    task, stage, method, steps, imitated, tmp_path, trained
):
    replayed = trained(task, stage, method, tmp_path)
    (made,) = imitated
    assert made.replayed == steps - WARM
    assert made.recorded == [(4,) if stage is END else (2, 2)]
    with mock.patch.object(learner, "recorder_for", lambda *_: None):
        require_close(replayed, trained(task, stage, method, tmp_path))


def test_a_killed_stage_goes_on_and_records_anew(imitated, monkeypatch, tmp_path, killed, trained):
    whole = trained("sr", END, None, tmp_path / "whole")
    for name in ("killed", "moved"):
        with killed(6):
            trained("sr", END, None, tmp_path / name)
        if name == "moved":  # what was begun on a GPU is ended without one
            monkeypatch.setattr(learner, "recorder_for", lambda *_: None)
        require_close(whole, trained("sr", END, None, tmp_path / name))


def test_each_pattern_is_recorded_after_a_few_steps_of_its_own():
    total = torch.zeros(())
    optimizer = torch.optim.Adam([nn.Parameter(torch.ones(1))], lr=0.5)

    def step(batch):
        total.add_(batch.level.sum())
        return 2 * batch.level.sum()

    made = Imitated(step, [optimizer])
    image = torch.zeros(4, 3, 2, 2)
    for turn in range(WARM + 2):
        for runs, levels in (([4], [turn] * 4), ([2, 2], [turn, turn, 1, 1])):
            level = torch.tensor(levels, dtype=torch.float32)[:, None]
            loss = made(Batch(image, image, level, runs))
            assert loss == 2 * level.sum()
    assert made.recorded == [(4,), (2, 2)] and made.replayed == 4
    assert total == sum(4 * turn + 2 * turn + 2 for turn in range(WARM + 2))
    assert made(Batch(image, image, level)) == 2 * level.sum() and made.replayed == 4
    (group,) = optimizer.param_groups
    learner.set_rate(group, 0.25)
    assert isinstance(group["lr"], Tensor) and group["lr"] == 0.25


def test_a_step_that_cannot_be_recorded_is_taken_as_usual_and_said(
    imitated, monkeypatch, tmp_path, trained
):
    attempts = []

    class Attempt:
        """What is held by a recording under way."""

    def refused(self, own):
        attempt = Attempt()
        attempts.append(weakref.ref(attempt))
        try:
            raise RuntimeError("operation not permitted\nwhen recording")
        finally:
            # As torch does it where a recording cannot be ended.
            raise RuntimeError("an earlier error")

    taken = Imitated.__call__

    def watched(self, batch):
        loss = taken(self, batch)
        assert all(attempt() is None for attempt in attempts)
        assert not any(group["capturable"] for group in self.groups)
        return loss

    monkeypatch.setattr(Imitated, "record", refused)
    monkeypatch.setattr(Imitated, "__call__", watched)
    said = "launched piece by piece: RuntimeError: operation not permitted when recording$"
    with pytest.warns(UserWarning, match=said):
        usual = trained("denoise", JOINT, "decouple", tmp_path)
    assert len(attempts) == 1
    monkeypatch.setattr(learner, "recorder_for", lambda *_: None)
    require_close(usual, trained("denoise", JOINT, "decouple", tmp_path))


def test_a_method_that_does_not_say_so_is_not_recorded(imitated, monkeypatch, tmp_path, trained):
    from methods.decouple import Decouple

    monkeypatch.setattr(Decouple, "recordable", False)
    trained("denoise", JOINT, "decouple", tmp_path)
    assert not imitated


class Copies(TorchDispatchMode):
    """Notes what goes from one device to another, and what the host would have to wait for."""

    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        leaves = tree_leaves((args, kwargs, out))
        devices = [one.device.type for one in leaves if isinstance(one, Tensor)]
        if "cpu" in devices or "local_scalar" in func.overloadpacket.__name__:
            self.found.append(f"{func} {devices}")
        return out


@pytest.fixture
def nothing_stays():
    """What is kept for a device must not be there for a real one of that name."""
    yield
    texture.bank.cache_clear()
    texture._mixing.cache_clear()


def copies_in_a_step(name, backbone, task):
    method = create_method(name)
    if method.skip(task):
        return
    for at in range(len(own_stages(build_method(method, backbone, task, 0), task))):
        method = build_method(create_method(name), backbone, task, 0)
        stage = own_stages(method, task)[at]
        level = stage.levels.level if isinstance(stage.levels, At) else None
        objective = MixedObjective(task.objective, level, 8)
        method.begin(stage, objective, Recipe(10, 1e-3, "constant"))
        with FakeTensorMode(allow_non_fake_inputs=True):
            pretend(method, "cuda")
            make = batches(stage, task, "cuda")
            # What stays from one step to the next is copied in the first.
            for found in (None, Copies()):
                with found or contextlib.nullcontext():
                    method.loss(make(), stage)
                    if objective.trains_critic:
                        objective.critic_loss()
        yield from found.found


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("task", TASKS)
def test_no_task_copies_from_the_host_in_a_step(task, name, nothing_stays):
    assert not [*copies_in_a_step(name, "small:width=8:blocks=1", tasks.get(task))]


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("backbone", TINY)
def test_no_backbone_copies_from_the_host_in_a_step(backbone, name):
    if name == "adafm" and backbone in ("decouple_net", "transform_net"):
        pytest.skip("instance norms divide out what it scales")
    assert not [*copies_in_a_step(name, f"{backbone}:{TINY[backbone]}", tasks.get("denoise"))]


@pytest.mark.parametrize(
    "step",
    [
        lambda there: there * there.new_tensor([1.0, 2.0, 3.0]),
        lambda there: there[torch.tensor([0, 1])],
        lambda there: there * torch.tensor(2.0),
    ],
)
def test_a_copy_from_the_host_would_be_found(step):
    with FakeTensorMode(allow_non_fake_inputs=True):
        there = torch.empty(3, device="cuda")
        with Copies() as found:
            step(there)
    assert found.found


def test_a_stage_that_fails_lets_go_of_what_was_recorded(imitated, monkeypatch, tmp_path, trained):
    class Killed(Exception):
        pass

    def kill(self, trainer, module, *rest):
        if module.steps_done == 6:
            raise Killed

    kept, begin = [], train.ControlMethod.begin

    def watched(self, *given):
        kept.append(self)
        begin(self, *given)

    monkeypatch.setattr(train.ControlMethod, "begin", watched)
    monkeypatch.setattr(train.Progress, "on_train_batch_start", kill)
    with pytest.raises(Killed):
        trained("denoise", JOINT, "decouple", tmp_path)
    assert imitated[0].recorded and kept[0]._recorder is None
