"""Level maps: what conformance does not ask of every method."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from benchmark.build import create_backbone, create_method
from benchmark.conformance.networks import TINY, tiny
from benchmark.control import Axis, ControlSpace
from benchmark.errors import LevelError
from benchmark.method import ControlMethod
from benchmark.tuning.layers import TOKENS, resized, spread
from benchmark.tuning.spatial import refusal

SPATIAL = (
    *("dni", "ftn", "decouple", "hypernet", "tunable_conv"),
    *("adafm", "adafm:k=3", "cfsnet", "dynamic_net", "blend"),
)
SPACE = ControlSpace((Axis("sigma", 5.0, 80.0),), first=(0.2,), last=(1.0,))


def scrambled(method: str, backbone: nn.Module | None = None) -> ControlMethod:
    torch.manual_seed(0)
    network = backbone or create_backbone("small:width=8:blocks=1", 1)
    made = create_method(method).assemble(network, SPACE).double().eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return made.requires_grad_(False)


def ramp(rows: int, columns: int) -> torch.Tensor:
    return torch.linspace(0, 1, columns, dtype=torch.float64).expand(1, 1, rows, columns)


@pytest.mark.parametrize("method", SPATIAL)
def test_a_ramp_leads_away_from_the_start_pixel_by_pixel(method):
    network = scrambled(method)
    # The same at every column but for the borders, so that the level alone makes the difference.
    x = torch.full((1, 3, 4, 200), 0.6, dtype=torch.float64)
    away = (network(x, ramp(4, 200)) - network(x, 0.0)).abs().mean(dim=(0, 1, 2))
    inner = away[:-20].reshape(-1, 12).mean(dim=1)
    assert inner[0] == pytest.approx(0, abs=1e-12)
    # Up to the first anchor, 0.2, methods are clamped.
    assert (inner[4:].diff() > 0).all()


@pytest.mark.parametrize("method", ["decouple_fast", "blend"])
@pytest.mark.parametrize("scale", [1, 3])
@pytest.mark.parametrize(
    "backbone",
    [
        *("small:width=8:blocks=1", "adafm_net:width=8:blocks=1", "cresmd_net:width=8:blocks=1"),
        *("decouple_net:width=8:blocks=2", "transform_net:width=4:blocks=1"),
        "nafnet:width=4:enc=1-1-1-1:mid=1:dec=1-1-1-1",
    ],
)
def test_maps_stay_in_place_on_backbones_that_pad_images(backbone, scale, method):
    network = scrambled(method, create_backbone(backbone, scale))
    x = torch.rand(1, 3, 17, 21, dtype=torch.float64)
    # Alike in pairs, as the last layer of ``small`` works at half of the resolution.
    columns = torch.linspace(0.2, 1, 11, dtype=torch.float64).repeat_interleave(2)[:21]
    found = network(x, columns.expand(1, 1, 17, 21))
    for place in (0, 7, 20):
        alone = network(x, columns[place].item())
        # Whether one layer mixes levels or outputs are mixed, a column has its own level alone
        # where neighbours are not blended in by enlarging the map.
        middle = place * scale + scale // 2
        assert torch.allclose(found[..., middle], alone[..., middle], atol=1e-9)


class Padding(nn.Module):
    """Pads images to multiples of 8, and says so only if it is told to."""

    def __init__(self, says: int | None, small: bool):
        super().__init__()
        self.down, self.up = (
            (nn.PixelUnshuffle(8), nn.PixelShuffle(8)) if small else (nn.Identity(), nn.Identity())
        )
        channels = 3 * 64 if small else 3
        self.head = nn.Conv2d(channels, channels, 3, padding=1)
        if says:
            self.multiple = says

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h, w = x.shape[-2:]
        x = self.down(functional.pad(x, (0, -w % 8, 0, -h % 8)))
        return self.up(self.head(x))[..., :h, :w]


@pytest.mark.parametrize("small", [False, True])
@pytest.mark.parametrize(("says", "fits"), [(8, True), (4, False), (None, False)])
def test_a_backbone_that_does_not_say_how_it_pads_takes_no_map(says, fits, small):
    reason = refusal(create_method("ftn").assemble(Padding(says, small), SPACE))
    assert fits == (reason == "")
    size = "5x5" if small else "40x40"
    assert fits or f"Padding has features of {size} for an image of 33x35" in reason


@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize("name", sorted(TINY))
def test_every_backbone_says_how_it_pads(name, scale):
    reason = refusal(create_method("ftn").assemble(tiny(name, scale).backbone(), SPACE))
    # Attention has no place for maps, and is refused for that before.
    assert reason == (TOKENS if name == "swinir" else "")


@pytest.mark.parametrize("method", ["ftn", "cfsnet"])
def test_every_image_of_a_batch_has_a_map_of_its_own(method):
    network = scrambled(method)
    x = torch.rand(2, 3, 8, 10, dtype=torch.float64)
    maps = torch.cat([ramp(8, 10), 1 - ramp(8, 10)])
    together = network(x, maps)
    for index in range(2):
        one = slice(index, index + 1)
        assert torch.allclose(together[one], network(x[one], maps[one]), atol=1e-12)
    assert torch.allclose(network(x, maps[:1])[0], together[0], atol=1e-12)


def test_a_map_reaches_gradients_of_the_method():
    network = scrambled("ftn").requires_grad_(True)
    network(torch.rand(1, 3, 8, 8, dtype=torch.float64), ramp(8, 8)).sum().backward()
    assert all(one.grad is not None for one in network.transitions.parameters())


def test_reflecting_and_pooled_layers_take_maps():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect")
            self.gate = nn.Linear(4, 4)
            self.tail = nn.Conv2d(4, 3, 1)

        def forward(self, x):
            z = self.head(x)
            return self.tail(z * self.gate(z.mean(dim=(2, 3)))[..., None, None])

    network = scrambled("dni", Net())
    x = torch.rand(2, 3, 8, 10, dtype=torch.float64)
    level_map = torch.full((1, 1, 8, 10), 0.7, dtype=torch.float64)
    assert torch.allclose(network(x, level_map), network(x, 0.7), atol=1e-12)
    # Behind the pooling, the gate has the mean level of the image.
    assert not torch.allclose(network(x, ramp(8, 10)), network(x, 0.6), atol=1e-6)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(4, 4, (3, 5), padding=(1, 2), padding_mode="reflect", groups=2, dilation=1),
        nn.Conv2d(4, 4, 3, stride=2, padding=2, dilation=2),
        nn.Conv2d(4, 4, (2, 5), padding="same"),
        nn.Conv2d(4, 4, (2, 5), padding="same", padding_mode="reflect"),
        nn.ConvTranspose2d(4, 4, 3, stride=2, padding=1, output_padding=1, groups=2),
        nn.ConvTranspose2d(4, 4, 3, stride=2, dilation=2),
        nn.InstanceNorm2d(4, affine=True, eps=0.1),
        nn.GroupNorm(2, 4, eps=0.1),
        nn.BatchNorm2d(4, eps=0.1),
    ],
)
def test_a_map_of_one_level_gives_what_the_level_gives(layer):
    network = scrambled("dni", nn.Sequential(nn.Conv2d(3, 4, 1), layer, nn.Conv2d(4, 3, 1)))
    x = torch.rand(2, 3, 8, 10, dtype=torch.float64)
    level_map = torch.full((1, 1, 8, 10), 0.7, dtype=torch.float64)
    assert torch.allclose(network(x, level_map), network(x, 0.7), atol=1e-12)


@pytest.mark.parametrize("method", ["dni", "dynamic_net"])
def test_backbones_that_work_on_tokens_refuse_maps_in_a_sentence(method):
    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Linear(3, 4)
            self.middle = nn.Linear(4, 4)
            self.tail = nn.Linear(4, 3)

        def forward(self, x):
            tokens = x.flatten(2).transpose(1, 2)
            return self.tail(self.middle(self.head(tokens))).transpose(1, 2).reshape(x.shape)

    network = scrambled(method, Tokens())
    x = torch.rand(1, 3, 4, 6, dtype=torch.float64)
    assert network(x, 0.5).shape == x.shape
    with pytest.raises(LevelError, match="tokens, whose place in the image is not known"):
        network(x, ramp(4, 6))


def test_weights_without_a_place_in_the_image_refuse_maps():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Conv2d(3, 3, 1)
            self.gain = nn.Parameter(torch.ones(1))

        def forward(self, x):
            return self.gain * self.body(x)

    network = scrambled("dni", Scaled())
    with pytest.raises(LevelError, match="'Scaled' of the backbone has weights that a level map"):
        network(torch.rand(1, 3, 4, 6, dtype=torch.float64), ramp(4, 6))


def test_maps_are_averaged_for_coarse_features_and_interpolated_for_fine_ones():
    level_map = ramp(4, 8)
    assert torch.allclose(
        resized(level_map, (2, 4))[0, 0, 0], level_map.reshape(4, 4, 2)[0].mean(1)
    )
    fine = resized(level_map, (8, 16))
    assert fine.shape == (1, 1, 8, 16) and bool((fine[0, 0, 0, 1:-1].diff() > 0).all())
    features = torch.zeros(1, 5, 2, 4, dtype=torch.float64)
    assert torch.equal(spread(level_map[:, 0], features), resized(level_map, (2, 4)))


def test_experts_take_no_map():
    with pytest.raises(LevelError, match="Experts takes no level map"):
        scrambled("experts")(torch.rand(1, 3, 4, 6, dtype=torch.float64), ramp(4, 6))
