"""Weights as mixtures of stored ones, in few steps of the gradient's engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def mixed(
    alphas: Tensor, rows: Sequence[int], own: Sequence[Tensor], slots: Sequence[Tensor]
) -> tuple[Tensor, ...]:
    """Returns tensors, each a mixture of one of a network's own and what is stored beside it.

    The i-th is ``a_0 own_i + a_1 slots_i[0] + a_2 slots_i[1] ...`` with ``a = alphas[rows[i]]``. It is
    computed, and so are gradients, as torch would by itself. But where layers are small, noting every
    product for the way back takes longer than the products, so all of them are one operation here.

    Args:
        alphas: Weights of the mixtures (N, p).
        rows: For each tensor, its row of ``alphas``.
        own: The tensors, of any shapes.
        slots: For each, what is mixed with it: (p - 1, number of its elements).
    """
    if torch.is_grad_enabled():
        return _Mixed.apply(alphas, rows, *own, *slots)
    return _mixed(alphas, rows, own, slots)


def _mixed(
    alphas: Tensor,
    rows: Sequence[int],
    own: Sequence[Tensor],
    slots: Sequence[Tensor],
    alike: bool = False,
) -> tuple[Tensor, ...]:
    """Returns the mixtures; with ``alike``, laid out in memory as the network's own are."""
    firsts, others = alphas[:, 0].unbind(), alphas[:, None, 1:].unbind()
    mixtures = []
    for row, one, stored in zip(rows, own, slots, strict=True):
        beside = others[row].mm(stored).view(one.shape)
        place = torch.empty_like(one) if alike else None
        mixtures.append(torch.addcmul(beside, firsts[row], one, out=place))
    return tuple(mixtures)


class _Mixed(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, alphas: Tensor, rows: Sequence[int], *tensors: Tensor
    ) -> tuple[Tensor, ...]:
        ctx.save_for_backward(alphas, *tensors)
        ctx.rows = rows
        return _mixed(alphas, rows, tensors[: len(rows)], tensors[len(rows) :], alike=True)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (alphas, *tensors), rows = ctx.saved_tensors, ctx.rows
        own, slots = tensors[: len(rows)], tensors[len(rows) :]
        firsts, others = alphas[:, 0].unbind(), alphas[:, 1:, None].unbind()
        # Starting from zeros would take one more sum for each.
        of_firsts: dict[int, Tensor] = {}
        of_others: dict[int, Tensor] = {}
        of_own = torch._foreach_mul(grads, [firsts[row] for row in rows])
        products = torch._foreach_mul(grads, own)
        of_slots = []
        for row, stored, grad, product in zip(rows, slots, grads, products, strict=True):
            flat = grad.reshape(1, -1)
            of_slots.append(others[row].mm(flat))
            first, other = product.sum(), stored.mm(flat.T)
            of_firsts[row] = of_firsts[row] + first if row in of_firsts else first
            of_others[row] = of_others[row] + other if row in of_others else other
        every = range(len(alphas))
        for row in {*every}.difference(rows):
            # A layer may have no tensors to mix, where its own are made of others.
            of_firsts[row] = torch.zeros_like(firsts[row])
            of_others[row] = torch.zeros_like(others[row])
        of_alphas = torch.cat(
            [
                torch.stack([of_firsts[row] for row in every])[:, None],
                torch.stack([of_others[row] for row in every])[..., 0],
            ],
            dim=1,
        )
        return of_alphas, None, *of_own, *of_slots
