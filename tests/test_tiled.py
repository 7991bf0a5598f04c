"""Images in tiles: as of one pass, or in one pass."""

import pytest
import torch
from torch import nn

from benchmark import tasks, tiled
from benchmark.build import build_backbone


class Seen(nn.Module):
    """A network that notes the pixels of what it is given."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network, self.pixels = network, []

    def forward(self, x):
        self.pixels.append(x.shape[-2] * x.shape[-1])
        return self.network(x)


class Brightness(nn.Module):
    """Looks at the whole image, and hides what is not a number."""

    def forward(self, x):
        return x - x.nan_to_num(0.5).mean()


class Position(nn.Module):
    """Does something else at every place."""

    def forward(self, x):
        return x + torch.linspace(0, 1, x.shape[-1])


class Brighter(nn.Module):
    """Does something else at every place, but where it is dark."""

    def forward(self, x):
        return x * (1 + torch.linspace(0, 1, x.shape[-1]))


class Blocks(nn.Module):
    """Looks at means of three by three pixels, and far around."""

    def __init__(self, radius: int):
        super().__init__()
        self.far = nn.Conv2d(3, 3, 3, padding=radius, dilation=radius)

    def forward(self, x):
        height, width = x.shape[-2:]
        x = nn.functional.pad(x, (0, -width % 3, 0, -height % 3), mode="replicate")
        x = nn.functional.interpolate(nn.functional.avg_pool2d(x, 3), scale_factor=3.0)
        return self.far(x[..., :height, :width])


class Particular(nn.Module):
    """Takes images of some sizes alone."""

    def forward(self, x):
        return nn.functional.pixel_shuffle(nn.functional.pixel_unshuffle(x, 3), 3)


class Larger(nn.Module):
    """Makes images half as large again."""

    def forward(self, x):
        return nn.functional.interpolate(x, scale_factor=1.5)


@pytest.fixture
def image():
    return torch.rand(1, 3, 301, 387, generator=torch.Generator().manual_seed(1))


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch):
    monkeypatch.setattr(tiled, "AT_ONCE", 320 * 320)


def disturb(network):
    """Moves weights, some of which start at zero, and would hide what they do."""
    random = torch.Generator().manual_seed(2)
    for parameter in network.parameters():
        parameter.data.add_(0.02 * torch.randn(parameter.shape, generator=random))


def both(network, image):
    """Returns the tiled output, that of one pass, and the pixels of the largest tile."""
    seen = Seen(network.eval())
    with torch.inference_mode():
        whole = network(image)[0]
        found = tiled.restored(seen, image)
    # Those of the probes come first, and the last ones are what was put together.
    return found, whole, seen.pixels


@pytest.mark.parametrize(
    ("task", "backbone"),
    [
        ("denoise", "small"),
        ("sr", "small:width=8"),
        ("denoise", "adafm_net:width=8"),
        ("sr-scale", "small"),
        ("denoise", "transform_net"),
    ],
)
def test_tiles_agree_with_one_pass(image, task, backbone):
    network = build_backbone(backbone, tasks.get(task), 0)
    disturb(network)
    found, whole, pixels = both(network, image)
    assert found.shape == whole.shape
    assert (found - whole).abs().max() < 1e-5
    if backbone != "transform_net":
        assert pixels[-1] < image[0, 0].numel()


@pytest.mark.parametrize("radius", [1, 16, 33, 200])
def test_the_margin_covers_what_an_output_depends_on(image, radius):
    network = nn.Conv2d(3, 3, 3, padding=radius, dilation=radius)
    with torch.inference_mode():
        assert tiled.margin_of(network, image) == -(-radius // tiled.PERIOD) * tiled.PERIOD


def test_a_stride_is_met_where_it_is_in_the_whole_image(image):
    network = nn.Sequential(nn.PixelUnshuffle(8), nn.Conv2d(192, 192, 1), nn.PixelShuffle(8))
    found, whole, pixels = both(network, image[..., :296, :384])
    assert (found - whole).abs().max() < 1e-5 and pixels[-1] < 296 * 384


@pytest.mark.parametrize("network", [Brightness(), Position(), Larger()])
def test_what_tiles_would_change_is_done_in_one_pass(image, network):
    found, whole, pixels = both(network, image)
    assert torch.equal(found, whole) and pixels[-1] == image[0, 0].numel()


@pytest.mark.parametrize("radius", [1, 70])
def test_a_period_that_no_tile_keeps_is_found_whatever_the_margin(radius):
    generator = torch.Generator().manual_seed(1)
    image = torch.rand(1, 3, 500, 640, generator=generator)
    found, whole, pixels = both(Blocks(radius), image)
    assert torch.equal(found, whole) and pixels[-1] == 500 * 640


@pytest.mark.parametrize("network", [Brightness(), Brighter(), Blocks(1)])
def test_a_dark_corner_hides_nothing(image, network):
    image[..., :250, :250] = 0
    found, whole, pixels = both(network, image)
    assert torch.equal(found, whole) and pixels[-1] == image[0, 0].numel()


def test_what_takes_some_sizes_alone_gets_the_image_whole(image):
    found, whole, pixels = both(Particular(), image[..., :300, :387])
    assert torch.equal(found, whole) and pixels[-1] == 300 * 387


@pytest.mark.parametrize("backbone", ["nafnet:width=8:enc=1-1:mid=1:dec=1-1"])
def test_attention_over_channels_sees_the_whole_image(image, backbone):
    network = build_backbone(backbone, tasks.get("denoise"), 0)
    disturb(network)
    found, whole, pixels = both(network, image)
    assert torch.equal(found, whole) and pixels[-1] == image[0, 0].numel()


def test_small_images_are_not_probed(image):
    found, whole, pixels = both(nn.Conv2d(3, 3, 3, padding=1), image[..., :300, :300])
    assert torch.equal(found, whole) and pixels == [300 * 300]
