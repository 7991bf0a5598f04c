"""Layers by what they do, whatever their names and kinds."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from benchmark.build import create_backbone
from benchmark.tuning.layers import (
    after_blocks,
    divided_out,
    from_output_rows,
    output_rows,
    residual_blocks,
)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(4, 6, 3, groups=2),
        nn.ConvTranspose2d(4, 6, (4, 3), groups=2),
        nn.ConvTranspose2d(4, 6, 2),
        nn.Linear(4, 6),
    ],
)
def test_output_rows_hold_one_output_channel_each(layer):
    rows = output_rows(layer, layer.weight)
    assert rows.shape[0] == 6
    assert torch.equal(from_output_rows(layer, rows), layer.weight)
    with torch.no_grad():
        rows = rows.clone()
        rows[4] = 0
        layer.weight.copy_(from_output_rows(layer, rows))
        layer.bias.zero_()
    x = torch.rand(2, 4) if isinstance(layer, nn.Linear) else torch.rand(2, 4, 5, 5)
    silent = layer(x).abs().amax(dim=[axis for axis in range(x.ndim) if axis != 1]) == 0
    assert silent.tolist() == [False, False, False, False, True, False]


def test_residual_blocks_are_found_without_their_names():
    network = create_backbone("cfsnet_main:width=8:blocks=3", 4)
    assert list(residual_blocks(network)) == ["blocks.0", "blocks.1", "blocks.2"]
    assert after_blocks(network)[0] == "up.0"


def test_only_a_norm_right_behind_a_convolution_divides_out_what_it_scales():
    network = nn.Sequential(
        *(nn.Conv2d(3, 4, 3), nn.InstanceNorm2d(4)),
        *(nn.Conv2d(4, 4, 3), nn.ReLU(), nn.InstanceNorm2d(4)),
        *(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4)),
    )
    assert divided_out(network) == {"0"}
