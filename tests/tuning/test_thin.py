"""A convolution to few channels gives what the plain one gives, by another way."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from benchmark.tuning.thin import ThinConv2d
from tests.methods.test_decouple_fast import Seen


def both(**options) -> tuple[nn.Conv2d, nn.Conv2d]:
    torch.manual_seed(0)
    plain = nn.Conv2d(8, 3, **options).requires_grad_(False)
    thin = copy.deepcopy(plain)
    ThinConv2d.replace(thin)
    return plain, thin


def convolved(layer: nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, bool]:
    with Seen() as seen:
        y = layer(x)
    return y, "convolution" in seen.values


@pytest.mark.parametrize("options", [{"padding": 1}, {"padding": 1, "bias": False}])
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (2, 2), (17, 24)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_it_equals_the_plain_convolution(options, size, layout):
    plain, thin = both(kernel_size=3, **options)
    x = torch.randn(2, 8, *size).contiguous(memory_format=layout)
    (found, by_convolution), wanted = convolved(thin, x), plain(x)
    assert not by_convolution and found.shape == wanted.shape
    assert torch.allclose(found, wanted, atol=1e-6)


@pytest.mark.parametrize("kernel", [1, (1, 3), (5, 3), 9])
def test_kernels_of_any_odd_size(kernel):
    high, wide = kernel if isinstance(kernel, tuple) else (kernel, kernel)
    plain, thin = both(kernel_size=kernel, padding=(high // 2, wide // 2))
    x = torch.randn(1, 8, 6, 5)
    (found, by_convolution), wanted = convolved(thin, x), plain(x)
    assert not by_convolution and torch.allclose(found, wanted, atol=1e-6)


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 3},
        {"kernel_size": 3, "padding": 1, "stride": 2},
        {"kernel_size": 3, "padding": 2, "dilation": 2},
        {"kernel_size": 3, "padding": "same"},
        {"kernel_size": 3, "padding": 1, "padding_mode": "reflect"},
        {"kernel_size": 4, "padding": 1},
    ],
)
def test_other_shapes_are_left_to_the_plain_convolution(options):
    plain, thin = both(**options)
    x = torch.randn(1, 8, 9, 9)
    found, by_convolution = convolved(thin, x)
    assert by_convolution and torch.equal(found, plain(x))


def test_training_half_precision_and_single_images_are_left_to_the_plain_convolution():
    _, thin = both(kernel_size=3, padding=1)
    x = torch.randn(1, 8, 9, 9)
    assert convolved(thin.bfloat16(), x.bfloat16())[1]
    with torch.autocast("cpu", torch.bfloat16):
        assert convolved(thin.float(), x)[1]
    assert convolved(thin, x[0])[1]
    learning = thin.requires_grad_()
    assert convolved(learning, x)[1]
    learning(x).sum().backward()
    assert learning.weight.grad is not None


def test_layers_with_many_outputs_and_other_layers_stay_what_they_are():
    for layer in (nn.Conv2d(8, 16, 3), nn.Linear(3, 3), nn.ConvTranspose2d(3, 3, 3)):
        kind = type(layer)
        ThinConv2d.replace(layer)
        assert type(layer) is kind
