"""Costs."""

import itertools

import pytest
import torch
from torch import nn

from benchmark.build import build_method, create_backbone, create_method
from benchmark.scoring import cost
from benchmark.tasks import get


def test_multiply_accumulates_of_a_convolution_are_exact():
    conv = nn.Conv2d(3, 8, 3, padding=1)
    assert cost.macs(conv, side=16) == 16 * 16 * 8 * 3 * 9
    assert cost.macs(nn.Conv2d(3, 6, 3, padding=1, groups=3), side=16) == 16 * 16 * 6 * 9


@pytest.mark.parametrize("name", ["ftn", "cfsnet", "floor", "experts"])
def test_counting_by_shapes_equals_counting_by_running(name):
    method = build_method(create_method(name), "small:width=8:blocks=2", get("sr"), 0)
    tuned = method.tuned((1.0,))
    assert cost.macs(tuned, side=32) == cost.counted(lambda: tuned(torch.zeros(1, 3, 32, 32)))


def test_attention_is_counted_where_a_network_looks_at_values():
    class Looking(nn.Module):
        def __init__(self, looks):
            super().__init__()
            self.looks, self.layer = looks, nn.TransformerEncoderLayer(3, 1, 6, batch_first=True)

        def forward(self, x):
            assert not self.looks or float(x.sum()) == 0
            return self.layer(x.flatten(2).transpose(1, 2))

    found = {cost.macs(Looking(looks).eval().requires_grad_(False), side=4) for looks in (0, 1)}
    assert found == {16 * (4 * 3 * 3 + 2 * 3 * 6) + 2 * 16 * 16 * 3}


def test_shared_weights_are_stored_once():
    method = build_method(create_method("decouple"), "small:width=8:blocks=2", get("denoise"), 0)
    before = cost.of_method(method, method.tuned((1.0,)))["params_stored"]
    method.twin = nn.Conv2d(3, 8, 3, bias=False)
    own = [one for one in method.parameters() if one.shape == (8, 8, 3, 3)][0]
    method.twin.weight = own
    assert cost.of_method(method, method.tuned((1.0,)))["params_stored"] == before


def test_a_folding_method_costs_the_backbone_and_stores_more():
    backbone = create_backbone("small:width=8:blocks=2", 4)
    method = build_method(create_method("ftn"), "small:width=8:blocks=2", get("sr"), 0)
    found = cost.of_method(method, method.tuned((0.5,)))
    assert found["folds"] is True
    assert found["params_folded"] == sum(p.numel() for p in backbone.parameters())
    assert found["params_stored"] > found["params_folded"]
    assert found["macs"] == cost.macs(backbone)


CPU = torch.device("cpu")


@pytest.mark.parametrize("name", ["dni", "cfsnet"])
def test_a_switch_is_timed_by_setting_the_network_to_the_levels(name, monkeypatch):
    method = moved(build_method(create_method(name), "small:width=8:blocks=2", get("denoise"), 0))
    network, levels, seen = method.tuned((1.0,)), [(0.0,), (0.5,), (1.0,)], []
    own = method.switch
    monkeypatch.setattr(method, "switch", lambda *given: (seen.append(given), own(*given)))
    clock = iter(range(1000))
    monkeypatch.setattr(cost.time, "perf_counter", lambda: next(clock) / 1000)

    # By this clock one reading comes a millisecond after the other.
    assert cost.of_switch(method, network, levels, CPU) == pytest.approx(1)
    assert len(seen) == 2 + cost.SWITCHES
    assert all(one[0] is network for one in seen) and {one[1] for one in seen} == set(levels)
    assert all(before[1] != after[1] for before, after in itertools.pairwise(seen))


def test_what_a_method_costs_is_that_at_the_last_of_its_levels():
    experts = build_method(create_method("experts"), "small:width=8:blocks=2", get("denoise"), 0)
    assert cost.last_level(create_method("dni"), get("denoise")) == get("denoise").space.end
    assert cost.last_level(experts, get("denoise")) == experts.only_levels(get("denoise"))[-1]
    assert len(experts.only_levels(get("denoise"))) > 1


def test_without_a_dial_there_is_no_time_of_a_switch():
    floor = build_method(create_method("floor"), "small:width=8:blocks=2", get("denoise"), 0)
    assert cost.of_switch(floor, floor.tuned((1.0,)), [(0.0,), (1.0,)], CPU) is None
    dni = moved(build_method(create_method("dni"), "small:width=8:blocks=2", get("denoise"), 0))
    assert cost.of_switch(dni, dni.tuned((1.0,)), [(1.0,)], CPU) is None


def moved(method):
    """Returns a method whose levels differ, as after training."""
    for parameter in method.parameters():
        nn.init.normal_(parameter, std=0.1)
    return method.eval().requires_grad_(False)
