"""Costs."""

import pytest
import torch
from torch import nn

from benchmark import cost
from benchmark.build import build_method
from benchmark.discovery import create_backbone, create_method
from benchmark.tasks import get


def test_multiply_accumulates_of_a_convolution_are_exact():
    conv = nn.Conv2d(3, 8, 3, padding=1)
    assert cost.macs(conv, side=16) == 16 * 16 * 8 * 3 * 9
    assert cost.macs(nn.Conv2d(3, 6, 3, padding=1, groups=3), side=16) == 16 * 16 * 6 * 9


def test_adafm_net_takes_the_published_24_905_gmac():
    assert round(cost.macs(create_backbone("adafm_net", 1)) / 1e9, 3) == 24.905


@pytest.mark.parametrize("name", ["ftn", "cfsnet", "floor", "experts"])
def test_counting_by_shapes_equals_counting_by_running(name):
    method = build_method(create_method(name), "small:width=8:blocks=2", get("sr"), 0)
    tuned = method.tuned((1.0,))
    assert cost.macs(tuned, side=32) == cost.counted(lambda: tuned(torch.zeros(1, 3, 32, 32)))


def test_a_folding_method_costs_the_backbone_and_stores_more():
    backbone = create_backbone("small:width=8:blocks=2", 4)
    method = build_method(create_method("ftn"), "small:width=8:blocks=2", get("sr"), 0)
    found = cost.of_method(method, method.tuned((0.5,)))
    assert found["folds"] is True
    assert found["params_folded"] == sum(p.numel() for p in backbone.parameters())
    assert found["params_stored"] > found["params_folded"]
    assert found["macs"] == cost.macs(backbone)
