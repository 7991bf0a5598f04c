"""FTN computes what its paper says: every kernel moves by a small network of its own."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from benchmark.tuning.layers import layers
from tests.methods.assembled import assembled, images, scramble


@pytest.mark.parametrize("groups", [1, 2, 4, 8])
@pytest.mark.parametrize("level", [0.0, 0.4, 1.0])
def test_ftn_starts_as_the_identity_at_every_level(groups, level):
    method = assembled(f"ftn:groups={groups}").float()
    for name, value in method.tuned((level,)).state_dict().items():
        assert torch.allclose(value, method.backbone.state_dict()[name], rtol=1e-6, atol=0)


@torch.no_grad()
@pytest.mark.parametrize("variant", ["depth=1", "depth=3", "depthwise=true"])
def test_variants_of_ftn_start_as_the_identity_and_fold(variant):
    method, x = assembled(f"ftn:{variant}"), images()
    assert torch.allclose(method(x, 0.7), method.backbone(x), atol=1e-12)
    for parameter in method.transitions.parameters():
        parameter += 0.05 * torch.randn_like(parameter)
    assert (method(x, 0.7) - method.backbone(x)).abs().max() > 1e-3
    assert torch.allclose(method(x, 0.7), method.tuned((0.7,))(x), atol=1e-12)


def test_ftn_falls_back_to_one_group_where_channels_do_not_divide():
    method = assembled("ftn:groups=4", scale=3, backbone="small:width=8:blocks=1")
    groups = [len(transition[0].weight) for transition in method.transitions]
    assert groups == [4, 4, 4, 4, 1]


def moved_by(transition: nn.Sequential, kernel: torch.Tensor) -> torch.Tensor:
    """FTN(f) as grouped 1 x 1 convolutions over the output channels of one kernel."""
    planes = kernel.flatten(2).transpose(0, 1)
    for step in transition:
        if isinstance(step, nn.PReLU):
            planes = F.prelu(planes, step.weight)
        elif isinstance(step, nn.Conv2d):
            planes = F.conv2d(
                planes.unflatten(2, kernel.shape[2:]),
                step.weight,
                step.bias,
                padding=1,
                groups=len(step.weight),
            ).flatten(2)
        else:
            weight, bias = step.weight.flatten(0, 1)[..., None], step.bias.flatten()
            planes = F.conv1d(planes, weight, bias, groups=len(step.weight))
    return planes.transpose(0, 1).reshape(kernel.shape)


@torch.no_grad()
@pytest.mark.parametrize("options", ["groups=1", "groups=4", "depth=3", "depthwise=true"])
@pytest.mark.parametrize("backbone", ["small:width=8:blocks=2", "adafm_net:blocks=1:width=8"])
def test_ftn_moves_every_kernel_by_its_own_transition(options, backbone):
    method = assembled(f"ftn:{options}", backbone=backbone)
    scramble(method)
    found = layers(method.backbone)
    assert len({layer.weight.shape for layer in found.values()}) > 1
    weights = method.weights(torch.tensor([0.3], dtype=torch.float64))
    for (name, layer), transition in zip(found.items(), method.transitions, strict=True):
        expected = 0.7 * layer.weight + 0.3 * moved_by(transition, layer.weight)
        assert torch.allclose(weights[f"{name}.weight"], expected, atol=1e-12)
