"""Parameters and multiply-accumulates are the papers', to the last one."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from baselines.external.srvgg import SRVGG
from benchmark.build import create_backbone, create_method
from benchmark.conformance.networks import TINY
from benchmark.control import Axis, ControlSpace
from benchmark.method import ControlMethod
from benchmark.scoring.cost import macs
from benchmark.tuning.layers import layers, parameters_of

SIGMA = Axis("sigma", 20.0, 80.0)


def on_meta(spec: str, scale: int) -> nn.Module:
    """Returns a backbone that has shapes but no values: large ones are made at once."""
    with torch.device("meta"):
        return create_backbone(spec, scale)


def assembled(method: str, backbone: nn.Module, *axes: Axis) -> ControlMethod:
    with torch.device(next(backbone.parameters()).device):
        return create_method(method).assemble(backbone, ControlSpace(axes or (SIGMA,)))


@pytest.mark.parametrize(
    ("spec", "scale", "parameters", "operations"),
    [
        ("small", 1, 127_180, 2_076_180_480),
        ("small", 4, 134_992, 8_814_329_856),
        ("adafm_net", 1, 1_406_787, 24_904_728_576),
        ("adafm_net:blocks=1", 1, 298_947, 6_785_335_296),
        ("cfsnet_main", 1, 742_016, 48_544_874_496),
        ("cfsnet_main", 2, 2_272_384, 149_011_038_208),
        ("cfsnet_main", 3, 2_292_864, 150_919_446_528),
        ("cfsnet_main", 4, 2_288_768, 154_664_960_000),
        ("cfsnet_main:as_ftn=True", 2, 2_366_592, 155_185_053_696),
        ("resnet16", 1, 1_185_219, 77_535_903_744),
        ("resnet16", 4, 1_480_643, 127_552_978_944),
        ("cresmd_net", 1, 2_551_555, 43_628_101_632),
        ("decouple_net", 1, 698_688, 15_229_517_824),
        ("transform_net", 1, 1_679_235, 10_078_912_512),
        ("rrdb", 4, 16_697_987, 1_174_853_910_528),
        ("nafnet", 1, 29_159_715, 16_045_035_520),
        ("nafnet:width=64", 1, 115_982_915, 63_236_423_680),
        ("nafnet:enc=1-1-1-28:mid=1:dec=1-1-1-1", 1, 17_111_907, 15_956_027_392),
        ("swinir", 1, 11_504_163, 800_296_796_160),
        ("swinir", 4, 11_900_199, 856_903_385_088),
    ],
)
def test_backbone_has_the_published_size_and_cost(spec, scale, parameters, operations):
    network = on_meta(spec, scale)
    assert parameters_of(network) == parameters
    assert macs(network, 256) == operations


@pytest.mark.parametrize(
    ("method", "backbone", "scale", "stored"),
    [
        ("adafm:k=1", "adafm_net", 1, 1_411_011),
        ("adafm:k=3", "adafm_net", 1, 1_427_907),
        ("adafm:k=5", "adafm_net", 1, 1_461_699),
        ("adafm:k=7", "adafm_net", 1, 1_512_387),
        ("adafm:k=5", "cfsnet_main:as_ftn=True", 2, 2_466_432),
        ("cfsnet", "cfsnet_main", 1, 1_733_248),
        ("cfsnet", "cfsnet_main", 2, 4_963_456),
        ("cfsnet", "cfsnet_main", 3, 5_004_416),
        ("cfsnet", "cfsnet_main", 4, 4_996_224),
        ("ftn", "adafm_net", 1, 1_829_632),
        ("ftn:groups=16", "adafm_net", 1, 1_437_952),
        ("hypernet", "adafm_net:blocks=1", 1, 372_803),
        ("hypernet", "adafm_net:blocks=2", 1, 520_515),
        ("hypernet", "adafm_net:blocks=4", 1, 815_939),
        ("hypernet", "adafm_net", 1, 2_588_483),
        ("tunable_conv", "resnet16", 1, 2_370_642),
        ("dni", "adafm_net", 1, 2 * 1_406_787),
        ("blend", "adafm_net", 1, 2 * 1_406_787),
        ("experts", "adafm_net", 1, 3 * 1_406_787),
        ("floor", "small", 4, 0),
        ("decouple", "decouple_net", 1, 1_394_944),
        ("dynamic_net", "transform_net", 1, 2_592_483),
        ("tunable_conv", "nafnet", 1, 58_281_794),
    ],
)
def test_method_stores_the_published_number_of_parameters(method, backbone, scale, stored):
    assert parameters_of(assembled(method, on_meta(backbone, scale))) == stored


@pytest.mark.parametrize(
    ("method", "backbone", "axes", "stored"),
    [
        ("decouple", "decouple_net", 2, 2_091_200),
        ("tunable_conv", "resnet16", 2, 3_556_065),
        ("cresmd", "cresmd_net", 2, 2_557_708),
        ("cresmd", "cresmd_net", 3, 2_559_759),
        ("dni", "adafm_net", 2, 4 * 1_406_787),
    ],
)
def test_method_with_more_dials_stores_the_published_number(method, backbone, axes, stored):
    method = assembled(
        method, on_meta(backbone, 1), *(Axis(f"axis {i}", 0.0, 1.0) for i in range(axes))
    )
    assert parameters_of(method) == stored


@pytest.mark.parametrize(
    ("method", "low", "high"),
    [("ftn", 3_005_696, 3_006_169), ("ftn:groups=16", 2_414_336, 2_414_809)],
)
def test_ftn_on_cfsnet_lies_in_the_range_that_the_paper_allows(method, low, high):
    backbone = create_backbone("cfsnet_main:as_ftn=True", 2)
    assert low <= parameters_of(assembled(method, backbone)) <= high


def test_the_imported_pair_has_the_published_size():
    assert parameters_of(SRVGG()) == 1_213_296


def test_dynamic_net_finds_the_published_places_on_its_own_network():
    method = assembled("dynamic_net", on_meta("transform_net", 1))
    assert method.names == ["steps.11", "steps.14", "steps.22"]


@pytest.mark.parametrize(
    ("backbone", "scale", "added"),
    [("adafm_net", 1, 0.900), ("cfsnet_main:as_ftn=True", 2, 6.543)],
)
def test_adafm_adds_the_operations_that_ftn_counts(backbone, scale, added):
    network = create_backbone(backbone, scale)
    extra = macs(assembled("adafm:k=5", network).tuned((1.0,))) - macs(network)
    # FTN counts the bias as one operation beside the 25 of a 5 x 5 filter.
    assert extra * 26 / 25 / 1e9 == pytest.approx(added, abs=0.001)


@pytest.mark.parametrize(
    ("backbone", "scale", "positions", "blocks", "added"),
    [("adafm_net", 1, 128**2, 16, 21.85), ("cfsnet_main:as_ftn=True", 2, 256**2, 30, 155.40)],
)
def test_cfsnet_adds_the_operations_that_ftn_counts(backbone, scale, positions, blocks, added):
    network = create_backbone(backbone, scale)
    extra = macs(assembled("cfsnet", network).tuned((1.0,))) - macs(network)
    # Two layers a block and four in the upsampler; FTN also counts a bias each, and in every block
    # a ReLU and three operations for the coupling.
    convolutions = 2 * blocks + 4
    # The chain behind the level adds under 0.01 %.
    assert extra == pytest.approx(convolutions * 64 * 64 * 9 * positions, rel=1e-4)
    counted = extra + (convolutions + 4 * blocks) * 64 * positions
    assert counted / 1e9 == pytest.approx(added, abs=0.01)


@pytest.mark.parametrize(
    ("method", "backbone", "scale", "added"),
    [
        ("ftn", "adafm_net", 1, 0.25),
        ("ftn:groups=16", "adafm_net", 1, 0.02),
        ("ftn", "cfsnet_main:as_ftn=True", 2, 0.38),
        ("ftn:groups=16", "cfsnet_main:as_ftn=True", 2, 0.04),
    ],
)
def test_ftn_adds_the_operations_that_its_paper_counts(method, backbone, scale, added):
    network = create_backbone(backbone, scale)
    transitions = assembled(method, network).transitions
    extra = 0
    for layer, transition in zip(layers(network).values(), transitions, strict=True):
        # Of every number in a kernel: two transforms with a bias each, a PReLU, and the mix.
        taken = sum(mixer.weight.shape[-1] for mixer in transition[::2])
        extra += layer.weight.numel() * (taken + 2 + 1 + 3)
    assert extra / 1e9 == pytest.approx(added, abs=0.01)


@pytest.mark.parametrize("backbone", TINY)
@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_backbone_takes_odd_sizes(backbone, scale):
    network = create_backbone(f"{backbone}:{TINY[backbone]}", scale)
    assert network(torch.rand(1, 3, 11, 9)).shape == (1, 3, 11 * scale, 9 * scale)


def test_an_untrained_small_network_is_close_to_its_skip():
    x = torch.rand(1, 3, 16, 16)
    assert (create_backbone("small", 1)(x) - x).abs().mean() < 0.05
