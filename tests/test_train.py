"""Training of one stage: determinism, resuming, freezing, bad losses."""

import copy
import dataclasses
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.utils.deterministic

from benchmark import config, degradations, tasks, train
from benchmark.build import build_backbone
from benchmark.control import Axis, ControlSpace
from benchmark.data.patches import Patches, draw_levels
from benchmark.errors import JobError, UserError
from benchmark.planning.jobs import TrainJob
from benchmark.training import learner
from benchmark.training.stage import Anchors, At, Sparse, Stage, Uniform, start_stage
from benchmark.tuning.layers import layers

SMOKE = config.preset("smoke", ["steps=6"])


def job(task="denoise", stage=None, method=None, preset=SMOKE, seed=0, start_key=None):
    return TrainJob(
        key="test",
        task=task,
        method=method,
        method_file=None,
        backbone=preset.backbone,
        stage=stage or start_stage(),
        preset=preset,
        seed=seed,
        train_sets=("builtin",),
        start_key=start_key,
        offline=True,
    )


def silent(text):
    del text


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(tmp_path):
    runs = [train.train_stage(job(seed=seed), None, tmp_path, silent) for seed in (0, 0, 1)]
    assert same(runs[0].state, runs[1].state)
    assert not same(runs[0].state, runs[2].state)
    assert runs[0].facts["steps"] == 9  # 6, times the effort of the task


@pytest.mark.parametrize("task", ["denoise", "sr"])
def test_nothing_is_read_that_nobody_wrote(tmp_path, monkeypatch, task):
    # Where torch fills new tensors, it does so with values that are not numbers.
    runs = []
    for filled in (True, False):
        monkeypatch.setattr(torch.utils.deterministic, "fill_uninitialized_memory", filled)
        runs.append(train.train_stage(job(task), None, tmp_path / str(filled), silent).state)
    assert same(*runs)


def test_about_as_many_losses_are_kept_as_can_be_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr(learner, "NAN_CHECK_EVERY", 1)
    monkeypatch.setattr(learner, "LOSSES", 3)
    kept = train.train_stage(job(), None, tmp_path, silent).facts
    assert [step for step, _ in kept["losses"]] == [3, 6, 9]
    assert kept["losses"][-1][1] == kept["loss"] > 0


@pytest.mark.parametrize("task", ["denoise", "sr"])
def test_a_killed_stage_resumes_to_the_same_weights_bit_for_bit(
    tmp_path, killed, task, monkeypatch
):
    monkeypatch.setattr(learner, "NAN_CHECK_EVERY", 1)
    stage = Stage("end", ("",), At(1.0), network="backbone")  # with a critic on sr
    whole = train.train_stage(job(task, stage), None, tmp_path / "whole", silent)
    with killed(3):
        train.train_stage(job(task, stage), None, tmp_path / "killed", silent)
    resumed = train.train_stage(job(task, stage), None, tmp_path / "killed", silent)
    assert (whole.facts["first"], resumed.facts["first"]) == (0, 3)
    assert same(whole.state, resumed.state)
    assert [*map(tuple, whole.facts["losses"])] == [*map(tuple, resumed.facts["losses"])]
    assert len(whole.facts["losses"]) == whole.facts["steps"]


def test_what_a_network_draws_goes_on_too_where_a_stage_was_killed(tmp_path, killed):
    file = tmp_path / "dropping.py"
    file.write_text(
        "from torch import nn\n"
        "from benchmark.method import ControlMethod, Stage, Uniform\n"
        "class Dropping(ControlMethod):\n"
        "    paper = ''\n"
        "    def build(self, backbone, control):\n"
        "        self.drop = nn.Dropout(0.5)\n"
        "    def stages(self, task):\n"
        "        return [Stage('joint', ('',), Uniform())]\n"
        "    def forward(self, x, level):\n"
        "        return self.backbone(self.drop(x))\n"
    )
    stage = Stage("joint", ("",), Uniform())
    own = dataclasses.replace(job(stage=stage, method="dropping"), method_file=str(file))
    whole = train.train_stage(own, None, tmp_path / "whole", silent)
    with killed(3):
        train.train_stage(own, None, tmp_path / "killed", silent)
    resumed = train.train_stage(own, None, tmp_path / "killed", silent)
    assert resumed.facts["first"] == 3 and same(whole.state, resumed.state)


def test_a_loss_that_takes_the_place_of_the_tasks_trains_no_critic(tmp_path):
    file = tmp_path / "squares.py"
    file.write_text(
        "from benchmark.method import ControlMethod, Stage, Uniform\n"
        "class Squares(ControlMethod):\n"
        "    paper = ''\n"
        "    def build(self, backbone, control):\n"
        "        pass\n"
        "    def stages(self, task):\n"
        "        return [Stage('joint', ('',), Uniform())]\n"
        "    def loss(self, batch, stage):\n"
        "        return (self(batch.x, batch.level) - batch.y).square().mean()\n"
        "    def forward(self, x, level):\n"
        "        return self.backbone(x)\n"
    )
    own = dataclasses.replace(
        job("sr", Stage("joint", ("",), Uniform()), method="squares"), method_file=str(file)
    )
    assert train.train_stage(own, None, tmp_path, silent).facts["loss"] > 0


def test_what_was_saved_on_the_way_is_where_training_goes_on(tmp_path):
    every = dataclasses.replace(SMOKE, checkpoint_every=0)
    whole = train.train_stage(job(preset=every), None, tmp_path, silent)
    (saved,) = tmp_path.iterdir()
    assert saved.name == train.CHECKPOINT and train._steps_in(saved) == 8
    resumed = train.train_stage(job(preset=every), None, tmp_path, silent)
    assert resumed.facts["first"] == 8 and same(whole.state, resumed.state)


def test_an_average_that_the_method_keeps_goes_on_too(tmp_path):
    file = tmp_path / "averaged.py"
    file.write_text(
        "import copy\n"
        "import torch\n"
        "from benchmark.method import ControlMethod, Stage, Uniform\n\n\n"
        "class Averaged(ControlMethod):\n"
        "    def build(self, backbone, control):\n"
        "        self.average = copy.deepcopy(backbone)\n"
        "        self.register_buffer('count', torch.zeros(()))\n"
        "    def stages(self, task):\n"
        "        return [Stage('joint', ('backbone', 'average', 'count'), Uniform())]\n"
        "    def forward(self, x, level):\n"
        "        return (self.backbone if self.training else self.average)(x)\n"
        "    @torch.no_grad()\n"
        "    def on_train_batch_end(self, *_):\n"
        "        self.count += 1\n"
        "        for mean, own in zip(self.average.parameters(), self.backbone.parameters()):\n"
        "            mean.lerp_(own, 0.5)\n"
    )
    every = dataclasses.replace(SMOKE, checkpoint_every=0)
    stage = Stage("joint", ("backbone", "average", "count"), Uniform())
    own = dataclasses.replace(
        job(stage=stage, method="averaged", preset=every), method_file=str(file)
    )
    whole = train.train_stage(own, None, tmp_path, silent)
    assert whole.state["count"] == whole.facts["steps"] == 9
    resumed = train.train_stage(own, None, tmp_path, silent)
    assert resumed.facts["first"] == 8 and same(whole.state, resumed.state)


def test_a_checkpoint_that_is_cut_short_leaves_the_one_before(tmp_path, monkeypatch):
    def cut(self, path, *_, **__):
        Path(path).write_bytes(b"half")
        raise OSError("killed")

    every = dataclasses.replace(SMOKE, checkpoint_every=0)
    (tmp_path / train.CHECKPOINT).write_bytes(b"before")
    monkeypatch.setattr(train.L.Trainer, "save_checkpoint", cut)
    monkeypatch.setattr(train, "_steps_in", lambda path: 0)
    with pytest.raises(OSError, match="killed"):
        train.train_stage(job(preset=every), None, tmp_path, silent)
    assert (tmp_path / train.CHECKPOINT).read_bytes() == b"before"


def test_a_checkpoint_is_saved_though_there_is_no_room_for_temporary_files(tmp_path, monkeypatch):
    every = dataclasses.replace(SMOKE, checkpoint_every=0)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    train.train_stage(job(preset=every), None, tmp_path, silent)
    assert train._steps_in(tmp_path / train.CHECKPOINT) == 8


def test_a_damaged_checkpoint_is_dropped_and_the_stage_starts_over(tmp_path):
    whole = train.train_stage(job(), None, tmp_path / "whole", silent)
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / train.CHECKPOINT).write_bytes(b"PK\x03\x04 half a file")
    torn = train.train_stage(job(), None, tmp_path / "torn", silent)
    assert same(whole.state, torn.state)


def test_a_tuning_stage_moves_only_what_it_declares(tmp_path):
    task = tasks.get("denoise")
    start = build_backbone(SMOKE.backbone, task, 0).state_dict()
    stage = Stage("tune", ("transitions.",), At(1.0), starts_from="start")
    result = train.train_stage(job(stage=stage, method="ftn"), start, tmp_path, silent)
    kept = {
        key.removeprefix("backbone."): v for key, v in result.state.items() if "backbone" in key
    }
    assert same(kept, dict(start))
    assert any(key.startswith("transitions.") for key in result.state)


def test_a_critic_is_of_the_presets_width_and_of_the_seed(tmp_path, monkeypatch):
    seen, begin = [], train.Plain.begin

    def begun(self, stage, objective, recipe):
        seen.append(copy.deepcopy(objective.critic))
        begin(self, stage, objective, recipe)

    monkeypatch.setattr(train.Plain, "begin", begun)
    end = Stage("end", ("",), At(1.0), network="backbone")
    preset = dataclasses.replace(SMOKE, critic_width=7, steps=1)
    for seed in (0, 1, 0):
        train.train_stage(job("sr", end, preset=preset, seed=seed), None, tmp_path, silent)
    assert {layer.out_channels for layer in layers(seen[0]).values()} == {7, 1}
    first, other, again = (critic.state_dict() for critic in seen)
    assert same(first, again) and not same(first, other)


def test_a_loss_that_depends_on_nothing_that_is_trained_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(train.Plain, "forward", lambda self, x, level: x)
    with pytest.raises(JobError, match="stage 'start' does not depend on what the stage trains"):
        train.train_stage(job(), None, tmp_path, silent)


def test_a_loss_that_is_not_finite_fails_the_job_with_advice(tmp_path):
    wild = dataclasses.replace(SMOKE, lr=1e30)
    with pytest.raises(JobError, match="not finite.*--set lr"):
        train.train_stage(job(preset=wild), None, tmp_path, silent)


def test_longer_gradients_are_cut_to_the_largest_norm(tmp_path, monkeypatch):
    norms, step = [], torch.optim.Adam.step

    def watched(self):
        gradients = [p.grad for group in self.param_groups for p in group["params"]]
        norms.append(torch.nn.utils.get_total_norm(gradients).item())
        return step(self)

    monkeypatch.setattr(torch.optim.Adam, "step", watched)
    monkeypatch.setattr("benchmark.training.learner.LARGEST_GRADIENT", 1e-3)
    train.train_stage(job(), None, tmp_path, silent)
    assert len(norms) == 9 and max(norms) == pytest.approx(1e-3, rel=1e-3)


def test_a_patch_larger_than_an_image_is_refused_and_the_image_named():
    images = train.merged(("builtin",), offline=True)
    with pytest.raises(UserError, match=r"coffee.*smaller than a training patch"):
        Patches(images, tasks.get("denoise"), Uniform(), config.preset("smoke", ["patch=404"]), 0)


def test_batches_depend_on_seed_and_step_alone():
    images = train.merged(("builtin",), offline=True)
    first, second = (Patches(images, tasks.get("sr"), Uniform(), SMOKE, 0) for _ in range(2))
    second[4]
    for ours, theirs in zip(first[3][:3], second[3][:3], strict=True):
        assert torch.equal(ours, theirs)
    assert first[3].runs == second[3].runs == [1, 1]
    assert not torch.equal(first[3].y, first[4].y)


def drawn_patch(images, side, rng):
    pixels = [picture.read() for picture in images.pictures]
    area = np.array([one.shape[0] * one.shape[1] for one in pixels])
    image = pixels[rng.choice(len(pixels), p=area / area.sum())]
    top, left = (rng.integers(length - side + 1) for length in image.shape[:2])
    patch = np.rot90(image[top:, left:][:side, :side], rng.integers(4))
    patch = patch[:, ::-1] if rng.integers(2) else patch
    return torch.tensor(patch.copy()).permute(2, 0, 1).float() / 255


def test_a_batch_is_drawn_as_numpy_would():
    images = train.merged(("builtin",), offline=True)
    preset = config.preset("smoke", ["batch=12"])
    batch = Patches(images, tasks.get("denoise"), At(1.0), preset, 5)[3]
    assert batch.x.is_contiguous(memory_format=torch.channels_last)
    rng = degradations.generator("train", 5, 3)
    for x, y in zip(batch.x, batch.y, strict=True):
        clean = drawn_patch(images, preset.patch, rng)
        assert torch.equal(y, clean)
        assert torch.equal(x, degradations.degrade("gaussian_noise", clean, (80.0,), rng))


def test_what_no_dial_sets_is_drawn_for_every_sample_and_blur_is_spared():
    images, task = train.merged(("builtin",), offline=True), tasks.get("denoise-deblur")
    preset = config.preset("smoke", ["batch=4"])
    batch = Patches(images, task, At(0.0, 0.0), preset, 5)[3]
    rng = degradations.generator("train", 5, 3)
    for x, y in zip(batch.x, batch.y, strict=True):
        clean = drawn_patch(images, preset.patch, rng)
        case = (4 * rng.random(), 5 + 25 * rng.random())
        given = degradations.degrade("blur_noise", clean, case, rng)
        torch.testing.assert_close(x, given, rtol=0, atol=1e-4)
        spared = degradations.degrade("blur", clean, case, rng)
        torch.testing.assert_close(y, spared, rtol=0, atol=1e-4)


def test_super_resolution_inputs_are_the_shrunken_targets():
    images = train.merged(("builtin",), offline=True)
    batch = Patches(images, tasks.get("sr"), Uniform(), SMOKE, 0)[0]
    assert batch.x.shape == (2, 3, 12, 12)
    assert batch.y.shape == (2, 3, 48, 48)
    small = torch.nn.functional.interpolate(batch.y, (12, 12), mode="bicubic", antialias=True)
    inner = (slice(None), slice(None), slice(2, -2), slice(2, -2))
    assert (batch.x - small)[inner].abs().max() < 2.01 / 255


def test_drawn_levels_cover_the_space_and_stand_next_to_their_equals():
    space = tasks.get("denoise").space
    generator = np.random.default_rng(0)
    drawn = [draw_levels(Uniform(), space, 8, generator) for _ in range(200)]
    assert all(len(set(levels)) == 2 for levels in drawn)
    assert all(len(set(levels[:4])) == 1 for levels in drawn)
    low = [min(levels)[0] for levels in drawn]
    high = [max(levels)[0] for levels in drawn]
    assert max(low) <= 0.6 <= min(high)
    assert min(low) >= 0.2
    assert draw_levels(Anchors(3), space, 3, generator) == [(0.2,), (0.6,), (1.0,)]
    few = [draw_levels(Anchors(3), space, 2, generator) for _ in range(50)]
    assert {level for levels in few for level in levels} == {(0.2,), (0.6,), (1.0,)}
    assert all(first < second for first, second in few)
    assert draw_levels(At(1.0), space, 2, generator) == [(1.0,), (1.0,)]


def test_sparse_levels_are_often_weak_and_often_few():
    generator = degradations.generator("sparse")
    sigma, kind = Axis("sigma", 0.0, 1.0), Axis("kind", 1.0, 4.0, integer=True, names=tuple("abcd"))
    space = ControlSpace((sigma, kind, sigma))
    drawn = np.concatenate([draw_levels(Sparse(), space, 2, generator) for _ in range(2000)])
    on = drawn[:, [0, 2]] > 0
    assert on.any(1).all()
    assert on.all(1).mean() == pytest.approx(0.5, abs=0.03)
    assert on[~on.all(1), 0].mean() == pytest.approx(0.5, abs=0.05)
    amounts = drawn[:, [0, 2]][on]
    # Beta(0.5, 1): mean 1/3, median 1/4.
    assert amounts.mean() == pytest.approx(1 / 3, abs=0.02)
    assert np.median(amounts) == pytest.approx(1 / 4, abs=0.02)
    kinds = np.bincount((drawn[:, 1] * 3).round().astype(int)) / len(drawn)
    assert kinds.tolist() == pytest.approx([0.25] * 4, abs=0.03)
