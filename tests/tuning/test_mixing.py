"""Mixtures of weights: values and gradients are those that torch finds by itself."""

import pytest
import torch

from benchmark.tuning.mixing import mixed

SHAPES = ((4, 3, 3, 3), (4,), (2, 5), ())
ROWS = (0, 0, 1, 2)


def given(p, dtype=torch.float64):
    torch.manual_seed(0)
    own = [torch.randn(shape, dtype=dtype) for shape in SHAPES]
    own[0] = own[0].contiguous(memory_format=torch.channels_last)
    slots = [torch.randn(p - 1, one.numel(), dtype=dtype) for one in own]
    tensors = [torch.randn(3, p, dtype=dtype), *own, *slots]
    return [one.requires_grad_() for one in tensors]


def plain(alphas, own, slots):
    """The sum as one writes it first."""
    return [
        alphas[row, 0] * one
        + sum(a * b for a, b in zip(alphas[row, 1:], stored, strict=True)).view(one.shape)
        for row, one, stored in zip(ROWS, own, slots, strict=True)
    ]


def split(tensors):
    alphas, *others = tensors
    return alphas, others[: len(ROWS)], others[len(ROWS) :]


@pytest.mark.parametrize("p", [2, 3, 5])
def test_values_and_gradients_are_those_of_the_sum(p):
    tensors = given(p)
    alphas, own, slots = split(tensors)
    ours, theirs = mixed(alphas, ROWS, own, slots), plain(alphas, own, slots)
    for one, other in zip(ours, theirs, strict=True):
        assert one.shape == other.shape
        assert torch.allclose(one, other)
    down = [torch.randn_like(one) for one in ours]
    found = torch.autograd.grad(ours, tensors, down)
    wanted = torch.autograd.grad(theirs, tensors, down)
    for tensor, one, other in zip(tensors, found, wanted, strict=True):
        assert one.shape == tensor.shape
        assert torch.allclose(one, other)


def test_gradients_are_those_of_small_steps():
    def run(*tensors):
        alphas, own, slots = split(tensors)
        return mixed(alphas, ROWS, own, slots)

    assert torch.autograd.gradcheck(run, given(3))


def test_mixtures_that_are_trained_lie_in_memory_as_the_networks_own_do():
    alphas, own, slots = split(given(2))
    kernel = mixed(alphas, ROWS, own, slots)[0]
    assert kernel.is_contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        still = mixed(alphas, ROWS, own, slots)[0]
    assert torch.equal(kernel, still)
    assert kernel.requires_grad
    assert not still.requires_grad


def test_what_is_frozen_gets_no_gradient():
    alphas, own, slots = split(given(2))
    for one in own:
        one.requires_grad_(False)
    sum(one.sum() for one in mixed(alphas, ROWS, own, slots)).backward()
    assert all(one.grad is None for one in own)
    assert all(one.grad is not None for one in (alphas, *slots))


def test_a_mixture_that_nobody_uses_gets_zeros():
    alphas, own, slots = split(given(2))
    mixed(alphas, ROWS, own, slots)[0].sum().backward()
    assert slots[0].grad.abs().min() > 0
    assert slots[2].grad.abs().max() == 0
    assert alphas.grad[1:].abs().max() == 0


def test_a_row_that_mixes_nothing_gets_zeros():
    alphas, own, slots = split(given(2))
    mixed(alphas, (1,), own[:1], slots[:1])[0].sum().backward()
    assert alphas.grad[1].abs().min() > 0
    assert alphas.grad[[0, 2]].abs().max() == 0
