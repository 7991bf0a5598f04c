"""A network that uses other weights for a while, and has its own back afterwards."""

import copy

import pytest
import torch
from torch import nn
from torch.func import functional_call

from benchmark.tuning.holding import holding


@pytest.fixture
def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 3, 1)).eval()


def own(network):
    return {**dict(network.named_parameters()), **dict(network.named_buffers())}


def test_outputs_are_those_of_functional_call_and_gradients_reach_the_weights(network):
    x = torch.rand(2, 3, 8, 8)
    names = ("0.weight", "1.running_mean", "2.bias")
    weights = {name: torch.rand_like(own(network)[name]) for name in names}
    for name in ("0.weight", "2.bias"):
        weights[name].requires_grad_()
    before = own(network)
    with holding(network, weights):
        output = network(x)
    assert torch.equal(output, functional_call(network, weights, (x,)))
    output.sum().backward()
    assert all(one.grad.abs().max() > 0 for one in weights.values() if one.requires_grad)
    assert network[0].weight.grad is None
    assert all(own(network)[name] is tensor for name, tensor in before.items())


def test_its_own_come_back_after_an_error(network):
    before, state = own(network), copy.deepcopy(network.state_dict())
    with pytest.raises(ZeroDivisionError), holding(network, {"0.bias": torch.ones(4)}):
        raise ZeroDivisionError
    with pytest.raises(KeyError), holding(network, {"0.bias": torch.ones(4), "9.bias": 0}):
        pass
    assert all(own(network)[name] is tensor for name, tensor in before.items())
    assert all(torch.equal(network.state_dict()[name], value) for name, value in state.items())


def test_what_modules_share_changes_in_all_of_them():
    network = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(3, 3, bias=False))
    network[1].weight = network[0].weight
    kept, other = network[0].weight, torch.rand(3, 3)
    for name in ("0.weight", "1.weight"):
        with holding(network, {name: other}):
            assert network[0].weight is network[1].weight is other
        with holding(network, {"0.weight": other, "1.weight": other}):
            assert network[1].weight is other
        assert network[0].weight is network[1].weight is kept


def test_a_module_that_stands_in_two_places_is_changed_once_and_comes_back():
    layer = nn.Linear(3, 3)
    network, kept = nn.Sequential(layer, layer), layer.weight
    x, other = torch.rand(1, 3), torch.rand(3, 3)
    with holding(network, {"0.weight": other}):
        output = network(x)
    assert layer.weight is kept
    assert torch.equal(output, functional_call(network, {"0.weight": other}, (x,)))
