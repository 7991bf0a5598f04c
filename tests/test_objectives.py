"""The mixture of losses along the dial."""

import pytest
import torch
from torch import nn

from benchmark import tasks
from benchmark.errors import JobError, UserError
from benchmark.objectives import MixedObjective, end_weights
from benchmark.objectives.targets import TARGETS
from benchmark.tasks import Objective, Term

TWO = Objective(((Term("l1"),), (Term("l2", 3.0), Term("l1", 0.5))))


def pair(batch=4):
    generator = torch.Generator().manual_seed(0)
    return [torch.rand(batch, 3, 16, 16, generator=generator) for _ in range(2)]


def test_the_loss_at_a_level_is_the_mix_of_the_losses_of_the_two_ends():
    output, target = pair()
    objective = MixedObjective(TWO)
    ends = [objective(output, target, torch.full((4, 1), t)) for t in (0.0, 1.0)]
    middle = objective(output, target, torch.full((4, 1), 0.3))
    torch.testing.assert_close(middle, 0.7 * ends[0] + 0.3 * ends[1])
    torch.testing.assert_close(ends[0], (output - target).abs().mean())
    torch.testing.assert_close(
        ends[1], 3 * (output - target).square().mean() + 0.5 * (output - target).abs().mean()
    )


def test_samples_of_one_batch_are_weighed_by_their_own_levels():
    output, target = pair(2)
    objective = MixedObjective(TWO)
    mixed = objective(output, target, torch.tensor([[0.0], [1.0]]))
    alone = [
        objective(output[i : i + 1], target[i : i + 1], torch.tensor([[float(i)]])) for i in (0, 1)
    ]
    torch.testing.assert_close(mixed, (alone[0] + alone[1]) / 2)


def test_three_ends_are_weighed_on_the_simplex():
    weights = end_weights(torch.tensor([[0.2, 0.5]]), 3)
    torch.testing.assert_close(weights, torch.tensor([[0.3, 0.2, 0.5]]))


def test_four_ends_stand_at_the_corners_of_two_axes():
    weights = end_weights(torch.tensor([[0.2, 0.5], [0.0, 1.0]]), 4)
    expected = torch.tensor([[0.4, 0.4, 0.1, 0.1], [0.0, 1.0, 0.0, 0.0]])
    torch.testing.assert_close(weights, expected)


def test_a_term_compares_with_its_own_target():
    clean, given = pair()
    objective = MixedObjective(Objective(((Term("l1"),), (Term("l1", target="noise_kept"),))))
    level = torch.full((4, 1), 0.5)
    kept = clean + 0.5 * 0.9 * (given - clean)
    expected = 0.5 * (kept - clean).abs().mean()
    torch.testing.assert_close(objective(kept, clean, level, given), expected)
    torch.testing.assert_close(objective(clean, clean, level, given), expected)


def test_kept_noise_and_added_detail_follow_their_own_axes():
    clean, given = pair(1)
    both = TARGETS["noise_kept_sharpened"]
    assert torch.equal(both(clean, given, torch.tensor([[0.0, 0.0]])), clean)
    kept = TARGETS["noise_kept"](clean, given, torch.tensor([[1.0, 0.0]]))
    torch.testing.assert_close(kept, 0.1 * clean + 0.9 * given)
    torch.testing.assert_close(both(clean, given, torch.tensor([[1.0, 0.0]])), kept)
    sharp = TARGETS["sharpened"](clean, given, torch.tensor([[1.0, 1.0]]))
    torch.testing.assert_close(both(clean, given, torch.tensor([[0.0, 1.0]])), sharp)
    # Detail is what a Gaussian takes away, so a flat image has none.
    flat = torch.full_like(clean, 0.3)
    torch.testing.assert_close(TARGETS["sharpened"](flat, given, torch.ones(1, 2)), flat)
    assert (sharp - clean).abs().mean() > 0.5


def test_an_unknown_target_is_named_with_the_choices():
    with pytest.raises(UserError, match="unknown target 'noisy'; choose from: clean"):
        MixedObjective(Objective(((Term("l1", target="noisy"),),)))


def test_a_fidelity_stage_trains_no_critic_and_a_perception_stage_does():
    objective = tasks.get("sr").objective
    assert MixedObjective(objective, (0.0,)).critic is None
    assert MixedObjective(objective, (1.0,)).critic is not None
    assert MixedObjective(objective).critic is not None


def test_the_network_loss_leaves_the_critic_alone_and_the_critics_leaves_the_network_alone():
    objective = MixedObjective(tasks.get("sr").objective, (1.0,))
    output, target = pair()
    output.requires_grad_(True)
    objective(output, target, torch.ones(4, 1)).backward()
    assert output.grad is not None
    assert all(one.grad is None for one in objective.critic.parameters())
    before = output.grad.clone()
    objective.critic_loss().backward()
    assert torch.equal(output.grad, before)
    assert all(one.grad is not None for one in objective.critic.parameters())


def test_a_critic_learns_once_from_what_it_was_shown():
    objective = MixedObjective(tasks.get("sr").objective, (1.0,))
    assert objective.critic_loss() is None
    objective(*pair(), torch.ones(4, 1))
    assert objective.critic_loss() > 0
    assert objective.critic_loss() is None


def adversarial(levels: list[float], samples: slice) -> MixedObjective:
    """Returns the adversarial end alone after both losses of some samples, each at its level."""
    torch.manual_seed(0)
    objective = MixedObjective(Objective(((Term("l1", 0.0),), (Term("adversarial"),))))
    # Power iterations would tell the two calls apart.
    objective.critic.eval()
    output, target = (one[samples] for one in pair())
    output.requires_grad_(True)
    objective.output = output
    objective.loss = objective(output, target, torch.tensor(levels)[:, None])
    objective.loss.backward()
    objective.critic_loss().backward()
    return objective


def test_a_sample_that_the_adversarial_loss_does_not_weigh_has_no_part_in_it():
    mixed, alone = adversarial([0, 1, 1, 0], slice(4)), adversarial([1, 1], slice(1, 3))
    gradient = mixed.output.grad
    assert not gradient[[0, 3]].any() and gradient[[1, 2]].any()
    torch.testing.assert_close(2 * gradient[1:3], alone.output.grad)
    torch.testing.assert_close(2 * mixed.loss, alone.loss)
    for one, other in zip(mixed.critic.parameters(), alone.critic.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad)


def test_the_adversarial_loss_moves_a_sample_as_much_as_its_level_weighs_it():
    sample = torch.rand(1, 3, 16, 16)
    output, target = sample.repeat(2, 1, 1, 1).requires_grad_(True), torch.rand(1, 3, 16, 16)
    objective = MixedObjective(Objective(((Term("l1", 0.0),), (Term("adversarial"),))))
    objective(output, target.repeat(2, 1, 1, 1), torch.tensor([[0.25], [0.75]])).backward()
    torch.testing.assert_close(3 * output.grad[0], output.grad[1])


class Dropping(nn.Module):
    """Drops features out in training, as the layers of LPIPS do."""

    def forward(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return nn.functional.dropout(output - target, training=self.training).mean((1, 2, 3))


def test_the_perceptual_loss_of_a_network_in_training_is_not_random(monkeypatch):
    monkeypatch.setattr("benchmark.metrics.perceptual.lpips_network", lambda name: Dropping())
    whole = MixedObjective(Objective(((Term("perceptual_squeeze"),),))).train()
    term, (output, target) = whole.terms["perceptual_squeeze"], pair()
    assert torch.equal(term(output, target), term(output, target))


def test_the_critic_cannot_see_brightness():
    critic = MixedObjective(tasks.get("sr").objective, (1.0,)).critic.eval()
    image = pair()[0]
    torch.testing.assert_close(critic(image), critic(image + 0.25), atol=1e-4, rtol=1e-4)


def test_an_unknown_loss_is_named():
    with pytest.raises(UserError, match="unknown loss 'ssim'"):
        MixedObjective(Objective(((Term("ssim"),),)))


@pytest.mark.parametrize("shape", [(1, 3, 16, 16), (4, 1, 16, 16), (4, 3, 15, 16)])
def test_an_output_of_another_shape_is_no_loss(shape):
    with pytest.raises(JobError, match=r"instead of \(4, 3, 16, 16\)"):
        MixedObjective(TWO)(torch.rand(shape), pair()[0], torch.zeros(4, 1))
