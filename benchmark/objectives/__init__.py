"""Losses that a level can weigh, and their mixture."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from benchmark.errors import JobError, UserError, unknown
from benchmark.objectives.adversarial import Adversarial
from benchmark.objectives.batch import batch_mean
from benchmark.objectives.perceptual import PerceptualSqueeze, PerceptualVGG19
from benchmark.objectives.pixel import L1, L2, LowFrequencyL1
from benchmark.objectives.targets import TARGETS
from benchmark.tasks.base import Objective
from benchmark.texture import Content, Style

TERMS: dict[str, Callable[..., nn.Module]] = {
    "l1": L1,
    "l2": L2,
    "low_frequency_l1": LowFrequencyL1,
    "adversarial": Adversarial,
    "content": Content,
    "style_brick": lambda: Style("brick"),
    "style_grass": lambda: Style("grass"),
    "style_gravel": lambda: Style("gravel"),
    "perceptual_vgg19": PerceptualVGG19,
    "perceptual_squeeze": PerceptualSqueeze,
}
"""A term maps (output, target), each (B, 3, H, W), to one loss per sample (B,). The adversarial one is
also told how much each sample counts."""


def end_weights(level: Tensor, ends: int) -> Tensor:
    """Returns the weight of each end (B, ends) at ``level`` (B, d).

    One end always weighs 1. With d = ends - 1 axes they are (1 - sum t, t_1, ..., t_d). With 2^d ends
    they are the products over axes of 1 - t_i or t_i, last axis fastest.
    """
    if ends == 1:
        return level.new_ones(level.shape[0], 1)
    if ends > level.shape[1] + 1:
        weights = level.new_ones(level.shape[0], 1)
        for axis in level.split(1, dim=1):
            weights = torch.cat(
                [weights[..., None] * (1 - axis[..., None]), weights[..., None] * axis[..., None]],
                dim=2,
            ).flatten(1)
        return weights
    return torch.cat([1 - level[:, : ends - 1].sum(1, keepdim=True), level[:, : ends - 1]], dim=1)


class MixedObjective(nn.Module):
    """The loss sum_i w_i(t) sum_j lambda_ij L_ij of a task.

    Args:
        objective: The ends and their weighted terms.
        level: If every sample is trained at this one level, terms that weigh nothing there are
            left out altogether, so that a fidelity stage trains no critic.
        critic_width: Channels of an adversarial term's critic.
    """

    def __init__(
        self, objective: Objective, level: tuple[float, ...] | None = None, critic_width: int = 24
    ):
        super().__init__()
        self.ends = objective.ends
        terms = [term for end in self._used_ends(level) for term in end]
        names = {term.name for term in terms}
        for name in sorted(names):
            if name not in TERMS:
                raise UserError(unknown("loss", name, TERMS))
        for term in terms:
            if term.target not in TARGETS:
                raise UserError(unknown("target", term.target, TARGETS))
        self.terms = nn.ModuleDict(
            {
                name: TERMS[name](width=critic_width) if name == "adversarial" else TERMS[name]()
                for name in sorted(names)
            }
        )
        self.trains_critic = "adversarial" in names
        self._seen: tuple[Tensor, Tensor, Tensor] | None = None

    @property
    def critic(self) -> nn.Module | None:
        """The critic to be trained against the network, if the objective has one."""
        return self.terms["adversarial"].critic if self.trains_critic else None

    def _used_ends(self, level: tuple[float, ...] | None):
        if level is None:
            return self.ends
        weights = end_weights(torch.tensor([level]), len(self.ends))[0].tolist()
        return [end for end, weight in zip(self.ends, weights, strict=True) if weight != 0]

    def coefficients(self, level: Tensor) -> dict[tuple[str, str], Tensor]:
        """Returns the weight of each (term, target) per sample (B,)."""
        weights = end_weights(level, len(self.ends))
        total: dict[tuple[str, str], Tensor] = {}
        for index, end in enumerate(self.ends):
            for term in end:
                if term.name in self.terms:
                    key, part = (term.name, term.target), weights[:, index] * term.weight
                    total[key] = total[key] + part if key in total else part
        return total

    def forward(
        self, output: Tensor, clean: Tensor, level: Tensor, given: Tensor | None = None
    ) -> Tensor:
        """Returns the mean loss over a batch.

        Args:
            output: (B, 3, H, W).
            clean: What a network should give back, (B, 3, H, W).
            level: Levels (B, d).
            given: The network's input; only targets other than ``clean`` need it.

        Raises:
            JobError: If the output has another shape than what it should be.
        """
        if output.shape != clean.shape:
            found, wanted = tuple(output.shape), tuple(clean.shape)
            raise JobError(f"the method returns images of shape {found} instead of {wanted}")
        coefficients = self.coefficients(level)
        wanted = {target: TARGETS[target](clean, given, level) for _, target in coefficients}
        shared: dict[str, tuple[Tensor, ...]] = {}
        if self.trains_critic:
            weight = coefficients["adversarial", "clean"]
            share = weight / batch_mean(weight).clamp_min(1e-8)
            self._seen = (output.detach(), clean, share)
            shared["adversarial"] = (share,)
        losses = [
            coefficient * self.terms[name](output, wanted[target], *shared.get(name, ()))
            for (name, target), coefficient in coefficients.items()
        ]
        return torch.stack(losses).sum(0).mean()

    def critic_loss(self) -> Tensor | None:
        """Returns the critic's loss on the last batch, samples weighted as in the network's loss.

        None if no loss was taken since the last time, as with a method that has a loss of its own.
        """
        seen, self._seen = self._seen, None
        return None if seen is None else self.terms["adversarial"].critic_loss(*seen)
