"""What the harness adds to a network that learns."""

import pytest
import torch
from torch import nn

from benchmark.control import Axis, ControlSpace
from benchmark.errors import JobError
from benchmark.method import Adam, At, Batch, ControlMethod, Stage, Uniform
from benchmark.training.learner import CRITIC_LR, Recipe

SPACE = ControlSpace((Axis("a", 0, 1),))
X = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
LEVELS = torch.tensor([[0.2], [0.2], [0.7], [0.7]])


class Mine(ControlMethod):
    """Adds to a backbone with dropout."""

    def build(self, backbone, control):
        self.s = nn.Parameter(torch.zeros(3, 1, 1))
        self.scale = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Dropout(0.5))

    def stages(self, task):
        return []

    def forward(self, x, level):
        self.seen = self._runs
        return self.backbone(x) + self.scale(x) * self.s


def begun(trains, kind=Mine, levels=None):
    backbone = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Dropout(0.5), nn.BatchNorm2d(3))
    method = kind().assemble(backbone, SPACE)
    method.begin(Stage("joint", trains, levels or Uniform()), nn.MSELoss(), Recipe(1, 1e-3, ""))
    return method


def moving(method):
    return {name for name, one in method.named_parameters() if one.requires_grad}


def test_a_stage_trains_what_it_names_whole():
    assert moving(begun(("s",))) == {"s"}
    assert moving(begun(("s.",))) == {"s"}
    both = {"scale.0.weight", "scale.0.bias"}
    assert moving(begun(("scale",))) == moving(begun(("scale.",))) == both
    assert moving(begun(("scale.0.bias",))) == {"scale.0.bias"}
    assert moving(begun(("",))) == {*dict(begun(("",)).named_parameters())}
    with pytest.raises(JobError, match="nothing is named sca; there is s, backbone, scale"):
        begun(("sca",))


def test_shared_weights_are_trained_under_any_of_their_names():
    class Tied(Mine):
        def build(self, backbone, control):
            super().build(backbone, control)
            self.twin = nn.Conv2d(3, 3, 1)
            self.twin.weight = self.scale[0].weight

    assert moving(begun(("twin",), Tied)) == {"scale.0.weight", "twin.bias"}
    assert moving(begun(("scale",), Tied)) == {"scale.0.weight", "scale.0.bias"}


def test_what_shared_weights_lie_in_is_in_training_mode_wherever_it_lies():
    class Tied(Mine):
        def build(self, backbone, control):
            super().build(backbone, control)
            self.twin = nn.Sequential(nn.Conv2d(3, 3, 1, bias=False), nn.Dropout())
            self.twin[0].weight = self.scale[0].weight

    method = begun(("twin.0",), Tied)
    assert method.twin.training and method.twin[0].training and not method.twin[1].training


def test_what_is_frozen_is_still_and_what_is_trained_is_not():
    method = begun(("scale",))
    assert method.training and method.scale.training and method.scale[1].training
    assert not method.backbone[1].training and not method.backbone[2].training
    assert begun(("",)).backbone[1].training


def test_what_only_begins_with_the_name_of_the_objective_is_still_too():
    class Gated(Mine):
        def build(self, backbone, control):
            super().build(backbone, control)
            self.objective_gate = nn.Sequential(nn.Dropout(0.5), nn.BatchNorm2d(3))

    method = begun(("scale",), Gated)
    assert method.objective.training and not any(
        one.training for one in method.objective_gate.modules()
    )


def test_of_levels_of_the_batch_nothing_is_asked_and_of_others_it_is():
    class Own(Mine):
        def loss(self, batch, stage):
            seen = []
            for level in (batch.level, batch.level.flip(0), batch.level[:1]):
                output = self(batch.x[: len(level)], level)
                seen.append(self.seen)
            self.found = seen
            return output.mean()

    method = begun(("",), Own)
    method.measure(Batch(X, X, LEVELS, [2, 2]))
    assert method.found == [[2, 2], None, None]
    method(X, LEVELS)
    assert method.seen is None


@pytest.mark.parametrize(
    ("answer", "words"),
    [(None, "NoneType"), (0.5, "float"), (torch.zeros(2, 3), r"shape \(2, 3\)")],
)
def test_a_loss_that_is_no_number_is_named(answer, words):
    class Own(Mine):
        def loss(self, batch, stage):
            return answer

    with pytest.raises(JobError, match=f"the loss of stage 'joint' is of {words}; loss\\(\\) must"):
        begun(("",), Own).measure(Batch(X, X, LEVELS))


def test_a_forward_that_returns_nothing_is_named():
    class Own(Mine):
        def forward(self, x, level):
            self.backbone(x)

    with pytest.raises(JobError, match="forward\\(\\) returns NoneType"):
        begun(("",), Own, At(1.0)).measure(Batch(X, X, LEVELS))


def test_the_rate_warms_up_and_falls_to_nothing_unless_it_is_constant():
    method = begun(("",))
    found = {}
    for schedule in ("one-cycle", "constant"):
        method.recipe = Recipe(100, 1e-3, schedule)
        found[schedule] = []
        for method.steps_done in (0, 5, 10, 55, 100):
            found[schedule].append(method._lr())
    assert found["one-cycle"] == pytest.approx([1e-4, 5.5e-4, 1e-3, 5e-4, 0.0])
    assert found["constant"] == [1e-3] * 5
    method.stage = Stage("tune", ("",), Uniform(), optimizer=Adam(3.0))
    assert method._lr() == pytest.approx(3e-3)


def test_a_critic_learns_slower_by_the_cube_of_the_share():
    method = begun(("scale",))
    method.objective.critic = nn.Conv2d(3, 1, 1)
    method.stage = Stage("joint", ("scale",), Uniform(), share=2.0)
    own, critic = (one.param_groups[0] for one in method.configure_optimizers())
    assert len(own["params"]) == len(critic["params"]) == 2
    assert critic["lr"] == pytest.approx(CRITIC_LR * 1e-3 / 8)


@pytest.mark.skipif(torch.cuda.device_count() > 0, reason="there is a driver to ask")
def test_without_a_gpu_no_step_looks_for_the_drivers_library(monkeypatch):
    looked = []
    monkeypatch.setattr(torch.cuda, "_device_count_nvml", lambda: looked.append(1) or 0)
    assert torch.cuda.device_count() == 0 and looked
    looked.clear()
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.Adam([weight], fused=True)
    weight.sum().backward()
    optimizer.step()
    assert not looked
