"""Tasks that set the dial by a map or by an estimate, and metrics that compare dials."""

from __future__ import annotations

import pandas as pd
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from baselines.level_estimator import cosines
from benchmark import cli, config, tasks
from benchmark.build import create_method
from benchmark.control import Axis, ControlSpace
from benchmark.data.patches import Patches
from benchmark.data.samples import Samples
from benchmark.data.sources import open_set
from benchmark.degradations import degrade, generator
from benchmark.degradations.noise import gaussian_noise
from benchmark.degradations.patterns import WEAKEST, pattern
from benchmark.errors import LevelError, UserError
from benchmark.method import Batch
from benchmark.scoring import dialling

SMALL = ("--preset", "smoke", "--offline", "--jobs", "1", "--set", "steps=1", "--set", "patch=16")


class Ruler:
    """Restores by adding the dial to the clean image: the best dial is known."""

    def __init__(self, samples: Samples):
        self.samples = samples

    def __call__(self, dial, image):
        clean = self.samples.clean(0)
        if isinstance(dial, torch.Tensor):
            return clean + 0.1 * dial[0].mean(dim=0, keepdim=True), 1.0
        return clean + 0.1 * (dial[0] - 0.4), 1.0


def test_patterns_run_from_nothing_to_all_of_the_noise():
    ramp, disc = pattern(1, 30, 40), pattern(2, 30, 40)
    assert ramp[:, 0].max() == 0 and ramp[:, -1].min() == 1 and bool((ramp.diff() > 0).all())
    assert disc[15].sum() == 22 and disc[:, 20].sum() == 22, "three quarters of the shorter side"
    assert disc[15, 20] == 1 and disc[0, 0] == 0 and set(disc.unique().tolist()) == {0.0, 1.0}
    with pytest.raises(UserError, match="there is no pattern 3"):
        pattern(3, 4, 4)


def test_noise_follows_the_pattern_and_keeps_its_realisation():
    clean = torch.full((3, 200, 300), 0.5)
    noisy = degrade("patterned_noise", clean, (80.0, 2.0), generator("a")) - clean
    inside = pattern(2, 200, 300) == 1
    assert 255 * noisy[:, inside].std() == pytest.approx(80, rel=0.02)
    assert 255 * noisy[:, ~inside].std() == pytest.approx(WEAKEST, rel=0.02)
    even = degrade("patterned_noise", clean, (WEAKEST, 1.0), generator("a"))
    assert torch.allclose(even, gaussian_noise(clean, WEAKEST, generator("a")), atol=1e-7)


def test_the_level_map_is_the_level_of_the_noise_at_every_pixel(photographs):
    task = tasks.get("pixel-adaptive")
    samples = Samples(open_set(str(photographs), "test"), task)
    level = task.space.level_of((65.0,))
    found = samples.level_map(0, level)
    assert found.shape == (1, *samples.clean(0).shape[1:])
    assert task.space.physical((float(found[0, 0, 0]),))[0] == pytest.approx(WEAKEST)
    assert task.space.physical((float(found[0, 0, -1]),))[0] == pytest.approx(65)
    assert samples.name(1).endswith("pattern=disc")


def test_the_best_single_level_is_looked_for_on_the_grid(photographs):
    task = tasks.get("pixel-adaptive")
    samples = Samples(open_set(str(photographs), "test"), task)
    dial = dialling.ByMap(task, samples, Ruler(samples), True)
    _, output, _, scores = next(dial.scored((0.6,), ("psnr-rgb", "psnr-rgb-single")))
    # 0.4 is on the grid and restores without error, which has no finite PSNR; then comes 0.2 or 0.6.
    near = [
        dial.judged(dial.at((at,), 0, (0.6,)), 0, (0.6,), ("psnr-rgb",))["psnr-rgb"].value
        for at in (0.2, 0.6)
    ]
    assert scores["psnr-rgb-single"].value == max(near)
    assert scores["psnr-rgb"].value < scores["psnr-rgb-single"].value
    assert set(dial.pictures) == {"map", "single"}
    assert dial.pictures["map"].shape == output.shape


def test_the_dial_follows_the_estimate_and_errors_are_physical(photographs):
    task = tasks.get("blind")
    samples = Samples(open_set(str(photographs), "test"), task)
    dial = dialling.ByEstimate(
        *(task, samples, Ruler(samples), True), estimators={"": lambda image: (0.6,)}
    )
    metrics = ("psnr-rgb", "psnr-rgb-told", "level-error", "level-error-hyperres")
    _, output, _, scores = next(dial.scored((0.8,), metrics))
    assert torch.allclose(output, dial.at((0.6,), 0, (0.8,)))
    assert scores["level-error"].value == pytest.approx(15.0)
    assert scores["psnr-rgb-told"].value < scores["psnr-rgb"].value
    assert scores["level-error-hyperres"].status == "unavailable"
    assert "dialbench import hyperres-estimator" in scores["level-error-hyperres"].reason


def test_steps_are_taken_along_every_axis_of_the_grid():
    grid = ControlSpace((Axis("a", 0, 1), Axis("b", 0, 1)), simplex=True).lattice(3)
    assert dialling.neighbours((0.0, 0.0), grid) == []
    assert dialling.neighbours((1.0, 0.0), grid) == [(0.5, 0.0)]
    assert dialling.neighbours((0.5, 0.5), grid) == [(0.0, 0.5), (0.5, 0.0)]


def test_a_step_from_a_level_that_a_method_does_not_have_is_a_null_with_the_reason(
    photographs, monkeypatch
):
    task = tasks.get("style")
    samples = Samples(open_set(str(photographs), "test"), task)

    def restore(dial, image):
        raise LevelError("there is no expert at level 0.25; ask for one of: 0, 0.5, 1")

    dial = dialling.AtLevel(task, samples, restore, True)
    dial.scorer = lambda ids: None
    (metric,) = (one for one in task.metrics if one.startswith("step-"))
    monkeypatch.setattr(dialling, "availability", lambda *asked: {metric: ""})
    score = dial.compared(metric, 0, (0.5,), samples.clean(0))
    assert (score.value, score.status) == (None, "failed")
    assert "no expert at level 0.25" in score.reason


def test_the_estimator_learns_levels_and_stays_inside_the_anchors():
    torch.manual_seed(0)
    task = tasks.get("denoise")
    method = create_method("level_estimator").assemble(nn.Conv2d(3, 3, 1), task.space)
    (stage,) = method.stages(task)
    optimiser = torch.optim.Adam(method.parameters(), lr=3e-3)
    clean = torch.full((16, 3, 24, 24), 0.5)
    for _ in range(60):
        level = 0.2 + 0.8 * torch.rand(16, 1)
        sigma = (5 + 75 * level)[:, :, None, None] / 255
        noisy = clean + sigma * torch.randn_like(clean)
        loss = method.loss(Batch(noisy, clean, level), stage)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    quiet, loud = (
        dialling.level_of(method, clean[0] + s * torch.randn(3, 24, 24), torch.device("cpu"))
        for s in (1 / 255, 75 / 255)
    )
    assert quiet[0] < 0.5 < loud[0]
    assert min(quiet + loud) >= 0.2


def test_the_estimator_learns_the_quality_of_jpeg():
    torch.manual_seed(0)
    task, preset = tasks.get("blind-dejpeg"), config.preset("laptop")
    method = create_method("level_estimator").assemble(nn.Conv2d(3, 3, 1), task.space)
    (stage,) = method.stages(task)
    patches = Patches(open_set("builtin", "train"), task, stage.levels, preset, seed=0)
    optimiser = torch.optim.Adam(method.parameters(), lr=3e-3)
    for step in range(300):
        loss = method.loss(Batch(*patches[step]), stage)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    samples = Samples(open_set("builtin", "test", crop=288), task)
    with torch.no_grad():
        good, bad = (
            sum(float(method.estimate(samples.degraded(i, level)[None])) for i in range(3)) / 3
            for level in (task.space.first, task.space.last)
        )
    (first,), (last,) = task.space.first, task.space.last
    assert good < first + 0.4 * (last - first) and bad > first + 0.5 * (last - first)


def test_the_cosine_transform_of_blocks_is_orthonormal_and_of_luma():
    planes = cosines().sum(1).flatten(1)
    torch.testing.assert_close(planes @ planes.T, torch.eye(64), atol=1e-6, rtol=0)
    gray = torch.full((1, 3, 8, 8), 0.25)
    sizes = F.conv2d(gray, cosines()).flatten()
    assert sizes[0] == pytest.approx(8 * 0.25) and sizes[1:].abs().max() < 1e-6


def test_blind_and_pixel_adaptive_judge_the_networks_of_denoise(home, photographs, capsys):
    words = [*SMALL, "--methods", "dni,floor", "--test", str(photographs), "--levels", "0.2,1"]
    assert cli.main(["run", "denoise", *words]) == 0
    assert cli.main(["run", "pixel-adaptive", *words]) == 0
    capsys.readouterr()
    assert cli.main(["run", "blind", *words, "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert "level_estimator" in told and told.count("to train") == 1
    assert cli.main(["run", "blind", *words]) == 0
    rows = {
        name: pd.read_csv(home / "report" / name / "rows.csv", dtype={"level": str})
        for name in ("denoise", "blind", "pixel-adaptive")
    }

    def values(task: str, metric: str) -> list[float]:
        found = rows[task]
        one = found[(found["method"] == "dni") & (found["metric"] == metric)]
        return one.sort_values(["level", "image"])["value"].tolist()

    assert values("blind", "psnr-rgb-told") == pytest.approx(
        values("denoise", "psnr-rgb"), abs=1e-3
    )
    assert (rows["blind"].query("metric == 'level-error'")["value"] >= 0).all()
    at_start = rows["pixel-adaptive"].query("level == '0.2' and method == 'dni'")
    assert set(at_start["status"]) <= {"ok", "unavailable"}
    assert len(values("pixel-adaptive", "psnr-rgb-single")) == 2 * 2 * 2


def test_a_task_that_sets_its_own_dial_has_no_matrix(home, capsys):
    assert cli.main(["run", "blind", "--matrix", "--dry-run"]) == 2
    assert "blind sets its own" in capsys.readouterr().err


def test_what_cannot_follow_says_so(home, photographs, capsys):
    words = [*SMALL, "--methods", "experts,floor,level_estimator", "--test", str(photographs)]
    assert cli.main(["run", "pixel-adaptive", *words, "--levels", "0.2"]) == 0
    assert "experts: skipped: takes no level map" in capsys.readouterr().err
    assert cli.main(["run", "blind", *words, "--levels", "0.2"]) == 0
    error = capsys.readouterr().err
    assert "experts: skipped: answers at a few levels only" in error
    assert "level_estimator: skipped: it restores nothing" in error
