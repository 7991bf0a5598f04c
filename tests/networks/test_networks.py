"""What backbones compute, beyond sizes and costs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from torch import nn

from baselines.networks import decouple_net, swinir
from benchmark.build import create_backbone
from benchmark.conformance.networks import TINY
from benchmark.errors import JobError, UserError
from benchmark.scoring.cost import macs
from benchmark.tuning.layers import parameters_of

PAGE = Path(__file__).parents[2] / "docs" / "networks.md"


def tiny(name: str, scale: int = 1) -> nn.Module:
    torch.manual_seed(0)
    return create_backbone(f"{name}:{TINY[name]}", scale).double().eval()


def test_edge_map_is_the_mean_difference_to_the_four_neighbours():
    x = torch.rand(1, 3, 3, 4, dtype=torch.float64)
    expected = torch.zeros(3, 4, dtype=torch.float64)
    for row in range(3):
        for column in range(4):
            for down, right in ((1, 0), (-1, 0), (0, 1), (0, -1)):
                if 0 <= row + down < 3 and 0 <= column + right < 4:
                    apart = x[0, :, row + down, column + right] - x[0, :, row, column]
                    expected[row, column] += apart.abs().sum() / 3 / 4
    assert torch.allclose(decouple_net.edge_map(x)[0, 0], expected, atol=1e-12)


def test_windows_are_cut_and_joined_again():
    x = torch.rand(2, 8, 12, 3)
    cut = swinir.windows(x, 4)
    assert cut.shape == (2 * 6, 16, 3)
    assert torch.equal(cut[7], x[1, :4, 4:8].flatten(0, 1))
    assert torch.equal(swinir.joined(cut, 4, 8, 12), x)


def test_shifted_windows_do_not_join_opposite_borders():
    h, w, side = 8, 12, 4
    at = torch.stack(torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij"), dim=-1)
    rolled = at[None].roll((-side // 2, -side // 2), dims=(1, 2))
    place = swinir.windows(rolled, side)
    apart = (place[:, :, None] - place[:, None]).abs().amax(-1)
    mask = swinir.shift_mask(h, w, side, torch.device("cpu"))
    assert torch.equal(mask, apart >= side)


def test_swinir_attends_within_its_windows_only():
    # Without shifts and beyond the reach of its four convolutions a pixel sees its window alone.
    torch.manual_seed(0)
    network = create_backbone("swinir:width=8:depths=1:heads=2:window=4", 1).double().eval()
    x = torch.rand(1, 3, 20, 20, dtype=torch.float64, requires_grad=True)
    network(x)[0, 0, 10, 10].backward()
    seen = x.grad.abs().sum((0, 1)) > 0
    rows, columns = seen.nonzero().unbind(1)
    # Windows of rows 4 to 16 hold what convolutions carry to and from row 10 (one ahead, three behind).
    assert rows.min() >= 3 and rows.max() <= 16 and columns.min() >= 3 and columns.max() <= 16
    assert seen[4:16, 4:16].all()


def test_position_table_knows_where_pixels_lie_to_each_other():
    attention = swinir._Attention(8, 2, 4)
    index = attention.index
    assert index.unique().numel() == 49 and index.diagonal().unique().numel() == 1
    assert index[0, 1] == index[5, 6] != index[1, 0]


def test_nafnet_starts_as_the_identity_around_its_blocks():
    network, x = tiny("nafnet"), torch.rand(1, 3, 8, 8, dtype=torch.float64)
    for block in [*network.encoders[0], *network.middle]:
        z = torch.rand(1, block.beta.shape[1], 4, 4, dtype=torch.float64)
        assert torch.equal(block(z), z)
    head = network.head(x)
    expected = x + network.tail(head + network.ups[0](network.downs[0](head)))
    assert torch.allclose(network(x), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("spec", "scale", "part"),
    [
        ("nafnet:enc=1-1:dec=1", 1, "as many levels"),
        ("swinir:width=9:heads=2", 1, "multiple of heads=2"),
        ("swinir:window=7", 1, "window=7"),
        ("decouple_net:blocks=8", 1, "1 to 7 blocks"),
        ("rrdb", 5, "no scale 5"),
        ("swinir", 5, "no scale 5"),
    ],
)
def test_impossible_options_are_refused(spec, scale, part):
    # Options are the user's; the scale is the task's.
    with pytest.raises(UserError if ":" in spec else JobError, match=part):
        create_backbone(spec, scale)


def test_the_page_of_networks_says_what_code_measures():
    rows = re.findall(r"^\| `(.+?)` \| (\d) \| ([\d,]+) \| ([\d.]+) \|", PAGE.read_text(), re.M)
    assert {spec.partition(":")[0] for spec, *_ in rows} == set(TINY)
    for spec, scale, parameters, operations in rows:
        with torch.device("meta"):
            network = create_backbone(spec, int(scale))
        assert f"{parameters_of(network):,}" == parameters, spec
        # The large ones take seconds, and are in test_sizes.
        if parameters_of(network) < 3_000_000:
            assert f"{macs(network, 256) / 1e9:.3f}" == operations, spec
