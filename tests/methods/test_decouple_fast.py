"""Real-time decouple learning: re-tuning gives exactly the full computation, for far less."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from benchmark import tasks
from benchmark.build import build_method, create_backbone, create_method
from benchmark.conformance.networks import Chain, Tangle
from benchmark.control import Axis, ControlSpace
from benchmark.errors import LevelError
from benchmark.scoring import cost

SPACE = ControlSpace((Axis("sigma", 20.0, 80.0),))


def scrambled(backbone: nn.Module):
    torch.manual_seed(0)
    method = create_method("decouple_fast").assemble(backbone, SPACE).eval()
    for slope in method.slopes:
        nn.init.normal_(slope, std=0.1)
    return method.requires_grad_(False)


@pytest.mark.parametrize(
    "backbone",
    [
        lambda: create_backbone("small:width=8:blocks=2", 1),
        lambda: create_backbone("small:width=8:blocks=2", 4),
        lambda: create_backbone("adafm_net:width=8:blocks=2", 1),
        lambda: create_backbone("cfsnet_main:width=8:blocks=2", 1),
        lambda: create_backbone("resnet16:width=8:blocks=2", 4),
        Tangle,
        Chain,
    ],
)
def test_retuned_images_are_bit_for_bit_those_of_the_full_computation(backbone):
    method = scrambled(backbone())
    x = torch.rand(2, 3, 14, 16)
    features = method.prepare(x)
    for level in (0.0, 0.3, 1.0):
        assert torch.equal(method.retune(features, level), method(x, level))
    maps = torch.rand(1, 1, 14, 16)
    assert torch.equal(method.retune(features, maps), method(x, maps))
    assert not torch.equal(method.retune(features, 0.3), method.retune(features, 0.6))
    assert not any("forward" in vars(module) for module in method.backbone.modules())


def test_retuning_recalls_what_was_prepared_and_refuses_what_the_method_refuses():
    method = scrambled(create_backbone("small:width=8:blocks=2", 1))
    features = method.prepare(torch.rand(1, 3, 16, 16))
    before = method.retune(features, 0.5)
    nn.init.zeros_(method.backbone.head.weight)
    assert torch.equal(method.retune(features, 0.5), before)
    with pytest.raises(LevelError, match="outside"):
        method.retune(features, 1.5)
    two = method.prepare(torch.rand(2, 3, 16, 16))
    with pytest.raises(LevelError, match="one level"):
        method.retune(two, torch.tensor([[0.1], [0.2]]))


def test_a_module_that_is_also_called_behind_the_last_layer_is_recalled_only_ahead_of_it():
    class Shared(nn.Module):
        def __init__(self):
            super().__init__()
            self.head, self.body, self.tail = (nn.Conv2d(3, 3, 3, padding=1) for _ in range(3))
            self.relu = nn.ReLU()

        def forward(self, x):
            return self.relu(self.tail(self.relu(self.body(self.relu(self.head(x))))))

    method, x = scrambled(Shared()), torch.rand(1, 3, 8, 8)
    features = method.prepare(x)
    for level in (0.2, 0.9):
        assert torch.equal(method.retune(features, level), method(x, level))


class Seen(TorchDispatchMode):
    """Counts the values that convolutions, paddings and sums give."""

    def __init__(self):
        super().__init__()
        self.values = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor):
            name = func.overloadpacket.__name__
            self.values[name] = max(self.values.get(name, 0), result.numel())
        return result


def test_retuning_does_not_pad_the_input_nor_add_features_again():
    method = scrambled(create_backbone("adafm_net:width=32:blocks=2", 1))
    x = torch.rand(1, 3, 33, 48)
    features = method.prepare(x)
    with Seen() as full:
        method(x, 0.5)
    with Seen() as retuned:
        method.retune(features, 0.5)
    assert full.values["replication_pad2d"] and "replication_pad2d" not in retuned.values
    weight = method.backbone.tail.weight.numel()
    assert full.values["add"] == 32 * 17 * 24 > weight == retuned.values["add"]


class Turned(nn.Module):
    """Changes its features in place, and can take another way."""

    def __init__(self):
        super().__init__()
        self.head, self.tail = (nn.Conv2d(3, 3, 3, padding=1) for _ in range(2))
        self.gain, self.other = nn.Parameter(torch.tensor(0.5)), False

    def forward(self, x):
        y = self.head(x)
        if self.other:
            y = y.abs()
        y.mul_(self.gain)
        y += x
        return self.tail(y) + y


def test_what_is_changed_in_place_ahead_of_the_last_layer_is_changed_once():
    method, x = scrambled(Turned()), torch.rand(2, 3, 8, 8)
    features = method.prepare(x)
    for level in (0.2, 0.2, 0.9):
        assert torch.equal(method.retune(features, level), method(x, level))


def test_a_backbone_that_goes_another_way_than_before_is_refused():
    method = scrambled(Turned())
    features = method.prepare(torch.rand(1, 3, 8, 8))
    method.backbone.other = True
    with pytest.raises(RuntimeError, match="another way"):
        method.retune(features, 0.5)
    assert not any("forward" in vars(module) for module in method.backbone.modules())


@pytest.mark.parametrize("backbone", ["small", "adafm_net", "cfsnet_main"])
def test_retuning_takes_no_more_than_three_percent_of_the_multiplications(backbone):
    method = build_method(create_method("decouple_fast"), backbone, tasks.get("denoise"), 0)
    x = torch.rand(1, 3, 32, 48)
    features = method.eval().prepare(x)

    whole = cost.counted(lambda: method(x, 0.5))
    assert 0 < cost.counted(lambda: method.retune(features, 0.5)) <= 0.03 * whole


def test_it_starts_as_the_plain_network_and_only_one_layer_depends_on_the_level():
    network = create_backbone("adafm_net:width=8:blocks=2", 1)
    method = create_method("decouple_fast").assemble(network, SPACE).eval()
    x = torch.rand(1, 3, 8, 8)
    assert torch.allclose(method(x, 0.7), network(x), atol=1e-7)
    assert set(method.weights(torch.tensor([0.7]))) == {"tail.weight", "tail.bias"}
