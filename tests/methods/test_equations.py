"""Each method computes what its paper says, beyond what the contract asks of all."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from benchmark import tasks
from benchmark.build import build_method, create_backbone, create_method
from benchmark.control import Axis, ControlSpace
from benchmark.errors import LevelError, UserError
from benchmark.method import Anchors, At, Sparse, Uniform
from benchmark.tuning.layers import (
    free_parameters,
    layers,
    trunk_convolutions,
)
from tests.methods.assembled import BLUR, SIGMA, assembled, images, scramble

BODY = ["body.weight", "body.bias"]


@pytest.mark.parametrize(
    "method",
    [
        *("adafm:k=1", "adafm:k=5", "decouple", "tunable_conv", "tunable_conv:expand=3", "dni"),
        "cresmd",
    ],
)
def test_method_starts_as_the_plain_network_at_every_level(method):
    method, x = assembled(method), images()
    plain = method.backbone(x)
    if getattr(method, "expand", 1) > 1:
        assert (method(x, 0.5) - plain).abs().max() < 0.1
    else:
        assert torch.allclose(method(x, 0.5), plain, atol=1e-12)


def test_adafm_scales_and_shifts_features_of_every_trunk_convolution():
    method, x = assembled("adafm:k=3"), images()
    scramble(method.filters)
    conv, own = method.backbone.body, method.filters[-1]
    seen = {}
    conv.register_forward_hook(lambda module, inputs, y: seen.update(y=y))
    handle = method.backbone.tail.register_forward_pre_hook(
        lambda module, inputs: seen.update(z=inputs[0])
    )
    method(x, 0.3)
    handle.remove()
    y = seen["y"]
    expected = y + 0.3 * F.conv2d(y, own.weight, own.bias, padding=1, groups=8)
    head_to_body = seen["z"] - expected
    assert torch.allclose(
        head_to_body, method.backbone.head(method.backbone.unshuffle(x)), atol=1e-12
    )


def test_adafm_modulates_nothing_behind_the_upsampling():
    network = create_backbone("adafm_net", 1)
    names = list(trunk_convolutions(network))
    assert len(names) == 33
    assert "fine" not in names and names[-1] == "body"


def test_cfsnet_couplings_are_linear_in_the_level():
    method = assembled("cfsnet")
    scramble(method)
    ones = torch.ones(512, dtype=torch.float64)
    v = method.heads[0](method.chain(ones))
    assert torch.allclose(method.heads[0](method.chain(0.3 * ones)), 0.3 * v, atol=1e-12)


def test_cfsnet_mixes_the_main_and_the_tuning_branch_of_a_block():
    method, x = assembled("cfsnet", backbone="small:width=8:blocks=1"), images()
    scramble(method)
    net = method.backbone
    head = net.head(net.unshuffle(x))
    a = 0.7 * method.heads[0](method.chain(head.new_ones(512))).reshape(8, 1, 1)
    mixed = (1 - a) * net.blocks[0](head) + a * method.tuning[0](head)
    expected = x + net.shuffle(net.tail(head + net.body(mixed)))
    assert torch.allclose(method(x, 0.7), expected, atol=1e-12)


def test_cfsnet_couples_the_upsampler_of_its_own_network_only():
    official = assembled("cfsnet", backbone="cfsnet_main:width=8:blocks=2", scale=4)
    other = assembled("cfsnet", scale=4)
    assert official.names == ["blocks.0", "blocks.1", "up"]
    assert other.names == ["blocks.0", "blocks.1", "blocks.2"]
    assert all(layer.bias is None for layer in layers(official.tuning).values())


def test_dynamic_net_adds_level_times_block_to_the_features():
    method, x = assembled("dynamic_net"), images()
    scramble(method)
    assert method.names == ["blocks.1", "body", "tail"]
    net, psi = method.backbone, method.tuning
    head = net.head(net.unshuffle(x))
    z = net.blocks[0](head)
    z = net.blocks[2](net.blocks[1](z + 0.6 * psi[0](z)))
    z = head + net.body(z + 0.6 * psi[1](z))
    expected = x + net.shuffle(net.tail(z + 0.6 * psi[2](z)))
    assert torch.allclose(method(x, 0.6), expected, atol=1e-12)


def test_dynamic_net_counts_coinciding_places_once():
    assert len(assembled("dynamic_net", backbone="resnet16:width=8:blocks=2").names) == 2


def test_one_hot_objectives_give_one_slot_of_tunable_convolutions():
    method = assembled("tunable_conv")
    for slots in method.slots:
        nn.init.normal_(slots)
    first, last = method.tuned((0.0,)), method.tuned((1.0,))
    assert torch.equal(first.head.weight, method.backbone.head.weight)
    assert torch.equal(last.head.weight.flatten(), method.slots[0][0])
    assert torch.equal(last.head.bias.flatten(), method.slots[1][0])


def test_tunable_convolutions_learn_beside_a_layer_without_parameters_of_its_own():
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        # Its kernel is made of a length and a direction, which are parameters of a part of it.
        weight_norm(nn.Conv2d(4, 4, 3, padding=1, bias=False)),
        nn.Conv2d(4, 3, 3, padding=1),
    )
    method = create_method("tunable_conv").assemble(network, ControlSpace((SIGMA,))).double()
    assert [] in method.tuned_together
    method(images(), 0.3).sum().backward()
    assert all(one.grad is not None for one in method.parameters())


def test_more_slots_of_tunable_convolutions_start_a_tenth_of_a_deviation_apart():
    method = assembled("tunable_conv:expand=3")
    own, slots = method.backbone.body.weight, method.slots[method.tuned_together.index(BODY) * 2]
    apart = (slots - own.flatten()).std(dim=1, correction=0) / own.std(correction=0)
    # The first two are those of the start and the end.
    assert apart.tolist() == pytest.approx([0.0, *[0.1] * 4], abs=0.02)


def test_decouple_shares_biases_and_norms_between_levels():
    method = assembled("decouple")
    scramble(method)
    first, last = (method.tuned((level,)).state_dict() for level in (0.0, 1.0))
    moving = {name for name in first if not torch.equal(first[name], last[name])}
    assert moving == {f"{name}.weight" for name in layers(method.backbone)}


def test_hypernet_moves_kernels_and_biases_of_residual_blocks_only():
    method = assembled("hypernet")
    scramble(method)
    first, last = (method.tuned((level,)).state_dict() for level in (0.0, 1.0))
    moving = {name for name in first if not torch.equal(first[name], last[name])}
    assert moving == {name for name in first if name.startswith("blocks.")}


@pytest.mark.parametrize(
    ("axis", "ends"),
    [
        (SIGMA, (0.25, 1.0)),
        (Axis("quality", 40.0, 10.0), (1.0, 0.25)),
        (Axis("perception weight", 0.0, 1.0), (0.0, 1.0)),
    ],
)
def test_hypernet_sees_the_physical_value_over_its_largest(axis, ends):
    assert assembled("hypernet", axis).ends == ends


def test_blend_mixes_pictures_and_dni_mixes_weights():
    blend, dni, x = assembled("blend"), assembled("dni"), images()
    for method in (blend, dni):
        scramble(method)
    mean = (blend.backbone(x) + blend.ends[0](x)) / 2
    assert torch.allclose(blend(x, 0.5), mean, atol=1e-12)
    middle = (dni.backbone.head.weight + dni.ends[0].head.weight) / 2
    assert torch.allclose(dni.tuned((0.5,)).head.weight, middle, atol=1e-12)


@pytest.mark.parametrize("task", ["denoise", "blur-noise", "blur-noise-jpeg"])
def test_blend_and_dni_ask_for_the_same_trainings(task):
    task = tasks.get(task)
    assert create_method("blend").stages(task) == create_method("dni").stages(task)


def test_dni_interpolates_running_statistics_and_counts_as_the_start_does():
    network = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3))
    method = create_method("dni").assemble(network, ControlSpace((SIGMA,))).eval()
    method.ends[0][1].running_mean.fill_(2.0)
    method.ends[0][1].num_batches_tracked.fill_(9)
    tuned = method.tuned((0.25,))[1]
    assert tuned.running_mean.tolist() == [0.5] * 3 and tuned.num_batches_tracked == 0


@pytest.mark.parametrize(
    ("method", "levels", "rate"),
    [
        *((name, At(1.0), 3.0) for name in ("adafm", "cfsnet", "dynamic_net")),
        *((name, At(1.0), 1.0) for name in ("ftn", "dni")),
        *((name, Uniform(), 1.0) for name in ("decouple", "decouple_fast", "tunable_conv")),
        ("hypernet", Anchors(4), 1.0),
    ],
)
def test_every_method_sees_two_shares_of_the_steps(method, levels, rate):
    stages = create_method(method).stages(tasks.get("denoise"))
    assert sum(stage.share for stage in stages) == 2
    assert (stages[-1].levels, stages[-1].optimizer.lr_scale) == (levels, rate)


def test_two_dials_interpolate_between_the_corners_of_a_square():
    dni, blend, x = assembled("dni", BLUR, SIGMA), assembled("blend", BLUR, SIGMA), images()
    stages = dni.stages(tasks.get("blur-noise"))
    corners = [stage.levels.level for stage in stages]
    assert corners == [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)]
    assert [stage.starts_from for stage in stages] == [None, "start", "start", "start"]
    for method in (dni, blend):
        scramble(method)
    for corner, stage in zip(corners, stages, strict=True):
        network, tuned = dni.get_submodule(stage.network), dni.tuned(corner)
        assert torch.equal(tuned.head.weight, network.head.weight)
        network = blend.get_submodule(stage.network)
        assert torch.equal(blend(x, torch.tensor([corner])), network(x))
    start, right, left, last = (dni.get_submodule(stage.network).tail.bias for stage in stages)
    expected = 0.75 * (0.4 * start + 0.6 * right) + 0.25 * (0.4 * left + 0.6 * last)
    assert torch.allclose(dni.tuned((0.25, 0.6)).tail.bias, expected, atol=1e-12)


def test_on_a_simplex_the_end_of_each_axis_has_a_network():
    task = tasks.get("style-3")
    dni, blend, x = create_method("dni"), create_method("blend"), images()
    for method in (dni, blend):
        method.assemble(create_backbone("small:width=8:blocks=1", 1), task.space).double().eval()
        scramble(method)
    stages = dni.stages(task)
    assert stages == blend.stages(task)
    assert [stage.levels.level for stage in stages] == [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)]
    for stage in stages:
        network = dni.get_submodule(stage.network)
        assert torch.equal(dni.tuned(stage.levels.level).tail.weight, network.tail.weight)
        network = blend.get_submodule(stage.network)
        assert torch.equal(blend(x, stage.levels.level), network(x))
    start, one, other = (dni.get_submodule(stage.network).tail.bias for stage in stages)
    expected = 0.5 * start + 0.2 * one + 0.3 * other
    assert torch.allclose(dni.tuned((0.2, 0.3)).tail.bias, expected, atol=1e-12)


def test_cresmd_scales_the_residual_branches_and_the_global_residual():
    method = assembled("cresmd", BLUR, SIGMA, backbone="cresmd_net:width=8:blocks=2")
    scramble(method)
    net, x, t = method.backbone, images(), torch.tensor([0.3, 0.8], dtype=torch.float64)
    assert method.names == ["blocks.0.second", "blocks.1.second", "tail"]
    *blocks, last = (scale(t).reshape(-1, 1, 1) for scale in method.scales)
    z = net.head(x)
    for block, s in zip(net.blocks, blocks, strict=True):
        z = z + s * (block(z) - z)
    z = net.fine(net.up(z).relu()).relu()
    assert torch.allclose(method(x, t), x + last * net.tail(z), atol=1e-12)


def test_cresmd_without_its_biases_is_the_identity_at_the_start():
    method, x = assembled("cresmd", backbone="cresmd_net:width=8:blocks=2"), images()
    scramble(method)
    for scale in method.scales:
        nn.init.zeros_(scale.bias)
    assert torch.equal(method(x, 0.0), x)
    assert not torch.allclose(method(x, 0.1), x)


def test_cresmd_scales_the_norm_that_closes_a_branch():
    # The scale of the convolution before it would be divided out again.
    method = assembled("cresmd", backbone="decouple_net:width=8:blocks=2")
    assert method.names[:2] == ["steps.9.steps.4", "steps.10.steps.4"]
    block = method.backbone.steps[9]
    with torch.no_grad():
        method.scales[0].bias.fill_(0.5)
    tuned = method.tuned((0.3,)).steps[9]
    z = torch.rand(1, 8, 6, 5, dtype=torch.float64)
    assert torch.allclose(tuned(z), (z + 0.5 * block.steps(z)).relu(), atol=1e-12)


def test_cresmd_refuses_branches_that_cannot_be_scaled():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            convs = [nn.Conv2d(4, 4, 3, padding=1) for _ in range(2)]
            self.steps = nn.Sequential(*convs, nn.InstanceNorm2d(4))

    network = nn.Sequential(nn.Conv2d(3, 4, 3), Block(), nn.Conv2d(4, 3, 3))
    with pytest.raises(UserError, match="block '1' of the backbone ends with a norm"):
        create_method("cresmd").assemble(network, ControlSpace((SIGMA,)))


@pytest.mark.parametrize(
    ("task", "levels"), [("blur-noise", Sparse()), ("denoise-deblur", Uniform())]
)
def test_cresmd_draws_sparse_levels_where_they_say_how_bad_the_input_is(task, levels):
    (stage,) = create_method("cresmd").stages(tasks.get(task))
    assert stage.levels == levels


@pytest.mark.parametrize(
    ("backbone", "free"),
    [
        ("nafnet:width=4:enc=1:mid=1:dec=1", {"beta", "gamma"}),
        ("swinir:width=8:depths=2:heads=2:window=4", {"positions"}),
    ],
)
def test_tunable_convolutions_tune_all_but_norms(backbone, free):
    method = assembled("tunable_conv", backbone=backbone)
    assert {name.rpartition(".")[2] for name in free_parameters(method.backbone)} == free
    scramble(method)
    first, last = (method.tuned((level,)).state_dict() for level in (0.0, 1.0))
    still = {name for name in first if torch.equal(first[name], last[name])}
    assert still and all("norm" in name for name in still)
    assert still == {name for name in first if "norm" in name}


def test_floor_is_the_identity_or_the_bicubic_of_the_published_tables():
    x = torch.zeros(1, 3, 8, 8)
    x[..., 3] = 1
    assert torch.equal(assembled("floor").float()(x, 0.3), x)
    enlarged = assembled("floor", scale=2).float()(x, 0.3)[0, 0, 8]
    # The cubic kernel with a = -0.5 at distances 1.75, 1.25, 0.75 and 0.25.
    expected = [-0.0234375, -0.0703125, 0.2265625, 0.8671875]
    assert enlarged[3:7].tolist() == pytest.approx(expected)


@pytest.mark.parametrize(
    "options",
    ["adafm:k=2", "adafm:k=0", "tunable_conv:expand=0", "experts:count=1", "experts:at=a"],
)
def test_impossible_options_are_refused(options):
    with pytest.raises(Exception, match="k=2|k=0|expand=0|count=1|at=a"):
        create_method(options)


def test_networks_of_dni_that_stay_apart_all_start_from_scratch():
    usual, apart = (
        create_method(name).stages(tasks.get("denoise")) for name in ("dni", "dni:apart=true")
    )
    assert [one.starts_from for one in usual] == [None, "start"]
    assert [one.starts_from for one in apart] == [None, None]
    assert {one.share for one in apart} == {sum(one.share for one in usual)}
    assert {one.levels for one in apart} == {one.levels for one in usual}


@pytest.mark.parametrize("task", ["denoise", "denoise-deblur"])
def test_networks_of_dni_that_stay_apart_start_from_other_weights_and_train_alone(task):
    task = tasks.get(task)
    method = build_method(create_method("dni:apart=true"), "small:width=8:blocks=1", task, 0)
    for end in method.ends:
        for own, other in zip(method.backbone.parameters(), end.parameters(), strict=True):
            assert torch.equal(own.flatten().sort().values, other.flatten().sort().values)
        assert not torch.equal(method.backbone.head.weight, end.head.weight)
    *stages, start = method.stages(task)
    assert start.network == "backbone" and len(stages) == len(method.ends)
    for index, stage in enumerate(stages):
        method.begin(stage, nn.Identity(), None)
        moving = {name for name, own in method.named_parameters() if own.requires_grad}
        assert moving and all(name.startswith(f"ends.{index}.") for name in moving)
        x = torch.rand(1, 3, 16, 16)
        there = method(x, torch.tensor([stage.levels.level]))
        torch.testing.assert_close(there, method.ends[index](x))


def test_an_axis_of_one_value_beside_one_with_anchors_is_finite():
    steps = Axis("steps", 10.0, 10.0, integer=True)
    space = ControlSpace((steps, Axis("sigma", 5.0, 80.0)), first=(0.0, 0.2), last=(0.0, 1.0))
    backbone = create_backbone("small:width=8:blocks=1", 1)
    method = create_method("decouple").assemble(backbone, space)
    assert torch.isfinite(method(torch.rand(1, 3, 16, 16), (0.0, 0.6))).all()


@pytest.mark.parametrize("method", ["adafm", "dni", "adafm:k=3"])
@pytest.mark.parametrize("level", [0.3, torch.tensor(0.3), torch.tensor([0.3])])
def test_a_number_gives_the_network_that_a_tuple_gives(method, level):
    method, x = assembled(method), images()
    scramble(method)
    network = method.tuned(level)
    assert type(network) is type(method.tuned((0.3,)))
    assert torch.equal(network(x), method.tuned((0.3,))(x))
    method.switch(network, 0.7)
    assert torch.equal(network(x), method.tuned((0.7,))(x))


def test_a_device_that_takes_no_numbers_is_not_laid_at_the_level():
    # As a GPU that records a step does: what follows must see that it is no wrong level.
    there = SimpleNamespace(dtype=torch.float32, device=torch.device("xla"), shape=(1, 3, 8, 8))
    with pytest.raises(RuntimeError, match="xla"):
        assembled("decouple")._checked(0.3, there)
    for level in (None, "low", [None], [[0.1], [0.2, 0.3]], 1j):
        with pytest.raises(LevelError, match="is no level; give numbers from 0 to 1"):
            assembled("decouple")(images(), level)
