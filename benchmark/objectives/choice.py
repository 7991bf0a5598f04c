"""Which perceptual term an objective gets; decided when planning, so that it is in the digest."""

from __future__ import annotations

from benchmark.tasks.base import Objective, Term

PERCEPTUAL = {
    "vgg19": Term("perceptual_vgg19", 1.0),
    "squeezenet1_1": Term("perceptual_squeeze", 1.0),
}
"""Terms by the asset they need, in order of preference."""


def resolved(objective: Objective, perceptual: bool, offline: bool) -> Objective:
    """Adds a perceptual term to every adversarial end, if asked for and if weights can be had.

    VGG-19 conv5_4 where its weights can be had, LPIPS-squeeze else; without either, the objective
    stays as it is.
    """
    term = _available(offline) if perceptual else None
    if term is None:
        return objective
    ends = tuple(
        (*end, term) if any(one.name == "adversarial" for one in end) else end
        for end in objective.ends
    )
    return Objective(ends)


def _available(offline: bool) -> Term | None:
    from benchmark import assets

    for name, term in PERCEPTUAL.items():
        if assets.can_load(name, offline):
            return term
    return None
