"""Style and content losses, and the simplex of three styles."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmark import tasks
from benchmark.control import Axis, ControlSpace
from benchmark.data.patches import draw_levels
from benchmark.errors import LevelError
from benchmark.metrics.protocol import PROTOCOLS
from benchmark.metrics.scorer import Scorer
from benchmark.texture import STYLES, Content, Style, bank, features, style_image
from benchmark.training.stage import Uniform

SPACE = ControlSpace((Axis("a", 0.0, 1.0), Axis("b", 0.0, 1.0)), simplex=True)


def crops(name: str) -> torch.Tensor:
    image = style_image(name)
    return torch.cat([image[..., y : y + 128, x : x + 128] for y in (0, 300) for x in (0, 300)])


@pytest.mark.parametrize("name", STYLES)
def test_crops_of_a_style_are_nearer_to_it_than_those_of_the_others(name):
    style = Style(name)
    own = style(crops(name), crops(name))
    assert style(style_image(name), style_image(name)).item() == pytest.approx(0, abs=1e-6)
    for other in set(STYLES) - {name}:
        assert style(crops(other), crops(other)).min() > 3 * own.max()


def test_style_does_not_ask_where_things_are_but_content_does():
    image = crops("brick")
    moved = image.roll((16, 16), dims=(2, 3))
    style, content = Style("grass"), Content()
    # Where it is joined there is a seam.
    assert torch.allclose(style(image, image), style(moved, moved), rtol=0.3)
    assert torch.equal(content(image, image), torch.zeros(4))
    assert content(moved, image).min() > 100 * content(image + 0.1, image).max()


def test_filters_are_blind_to_flat_parts_and_features_to_nothing_else():
    assert bank().sum(dim=(1, 2, 3)).abs().max() < 1e-6
    assert torch.allclose(bank().flatten(1).norm(dim=1), torch.ones(10))
    shapes = [tuple(one.shape) for one in features(torch.rand(2, 3, 32, 48))]
    assert shapes == [(2, 63, 32, 48), (2, 63, 16, 24), (2, 63, 8, 12)]


def test_losses_have_gradients_per_sample():
    images = torch.rand(2, 3, 32, 32, requires_grad=True)
    (
        Style("gravel")(images, images)[0] + Content()(images, torch.zeros(2, 3, 32, 32))[0]
    ).backward()
    assert images.grad[0].isfinite().all() and images.grad[0].any()
    assert not images.grad[1].any()


def test_metrics_of_style_are_the_losses():
    restored, clean = crops("grass")[0], crops("brick")[0]
    scorer = Scorer(("content", "style-brick", "style-grass"), PROTOCOLS["float"], offline=True)
    found = {name: score.value for name, score in scorer.score(restored, clean).items()}
    assert found["style-grass"] == pytest.approx(Style("grass")(restored[None], clean[None]).item())
    assert found["content"] == pytest.approx(Content()(restored[None], clean[None]).item())
    assert found["style-grass"] < found["style-brick"]


def test_levels_of_a_simplex_add_up_to_one_at_most():
    assert len(SPACE.lattice(3)) == 6 and SPACE.end == (1.0, 0.0)
    assert SPACE.check((0.3, 0.7)) == (0.3, 0.7)
    with pytest.raises(LevelError, match="adds up to more than 1"):
        SPACE.check((0.6, 0.5))
    rng = np.random.default_rng(0)
    drawn = [level for _ in range(200) for level in draw_levels(Uniform(), SPACE, 4, rng)]
    assert max(sum(level) for level in drawn) <= 1 + 1e-5
    # Uniform on the triangle: every corner gets a third of the weight.
    assert np.mean(drawn, axis=0) == pytest.approx([1 / 3, 1 / 3], abs=0.03)
    assert tasks.get("style-3").space.simplex and not tasks.get("style").space.simplex


def test_networks_of_the_corners_are_mixed_convexly():
    from benchmark.build import create_backbone, create_method

    assert SPACE.corners == ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0))
    assert ControlSpace(SPACE.axes).corners[-1] == (1.0, 1.0)
    torch.manual_seed(0)
    method = create_method("dni").assemble(create_backbone("small:width=8:blocks=1", 1), SPACE)
    for end in method.ends:
        for parameter in end.parameters():
            parameter.data += torch.randn_like(parameter)
    assert method.spatial
    name = "body.weight"
    networks = [one.state_dict()[name] for one in (method.backbone, *method.ends)]
    for corner, own in zip(SPACE.corners, networks, strict=True):
        assert torch.equal(method.tuned(corner).state_dict()[name], own)
    mixed = 0.5 * networks[0] + 0.2 * networks[1] + 0.3 * networks[2]
    assert torch.allclose(method.tuned((0.2, 0.3)).state_dict()[name], mixed, atol=1e-6)
    stages = method.stages(tasks.get("style-3"))
    assert [stage.levels.level for stage in stages] == [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)]


def test_methods_refuse_levels_outside_the_simplex():
    from benchmark.build import create_backbone, create_method

    network = create_backbone("small:width=8:blocks=1", 1)
    method = create_method("decouple").assemble(network, SPACE)
    x = torch.rand(1, 3, 8, 8)
    assert method(x, torch.tensor([[0.5, 0.5]])).shape == x.shape
    for ask in (lambda: method(x, torch.tensor([[0.7, 0.5]])), lambda: method.tuned((0.7, 0.5))):
        with pytest.raises(LevelError, match="more than 1"):
            ask()
