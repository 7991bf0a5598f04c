"""Ground truth of operator tasks: computed once, and what training and tests see of it."""

import numpy as np
import pytest
import torch

from benchmark import config, operators, tasks
from benchmark.data.filtered import Filtered, shared_order
from benchmark.data.patches import Patches, crops
from benchmark.data.samples import Samples
from benchmark.data.sources import open_set
from benchmark.errors import UserError
from benchmark.store import Store
from benchmark.training.stage import Anchors, At, Sparse, Uniform

SMOKE = config.preset("smoke", ["patch=16", "crops=2"])
WMF = tasks.get("filter-wmf")


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (40, 48, 3), dtype=np.uint8)


def test_an_output_is_the_operators_rounded_to_8_bits(pixels):
    exact = operators.get("l0").apply(pixels / 255.0, 0.02)
    output = Filtered("l0", None).output(pixels, (0.02,))
    assert output.dtype == np.uint8
    assert np.abs(output / 255.0 - exact).max() <= 0.5 / 255 + 1e-12


def test_an_output_is_computed_once_and_a_damaged_one_again(pixels, home, monkeypatch):
    filtered = Filtered("wmf", Store())
    first = filtered.output(pixels, (2.0,))
    (file,) = (home / "filtered" / "wmf").iterdir()

    def never(*_):
        pytest.fail("it was computed again")

    with monkeypatch.context() as patch:
        patch.setattr(operators.Operator, "apply", never)
        assert np.array_equal(Filtered("wmf", Store()).output(pixels, (2.0,)), first)
    file.write_bytes(file.read_bytes()[:50])
    assert np.array_equal(filtered.output(pixels, (2.0,)), first)
    filtered.output(pixels, (3.0,))
    filtered.output(pixels[::-1].copy(), (2.0,))
    assert len(list(file.parent.iterdir())) == 3


def test_a_parameter_outside_the_range_raises(pixels):
    with pytest.raises(UserError, match="radius 11"):
        Filtered("wmf", None).output(pixels, (11.0,))


def test_processes_go_through_all_outputs_in_their_own_order():
    assert sorted(shared_order(9)) == list(range(9))


def test_crops_are_the_same_for_every_seed_and_stay_inside_small_images():
    images = [np.arange(60 * 70 * 3, dtype=np.uint32).reshape(60, 70, 3) for _ in range(3)]
    first, second = (crops(images, 4, 64) for _ in range(2))
    assert [one.shape for one in first] == [(60, 64, 3)] * 4
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert len({one[0, 0, 0] for one in first}) > 1


def test_crops_reach_every_border_of_an_image():
    rows = np.arange(66, dtype=np.uint8)[:, None, None].repeat(64, 1).repeat(3, 2)
    assert {one[0, 0, 0] for one in crops([rows], 40, 64)} == {0, 1, 2}


@pytest.mark.parametrize("levels", [At(0.5), Anchors(3), Uniform(), Sparse()])
def test_a_target_patch_is_cut_from_the_operators_output_of_a_crop(photographs, levels):
    patches = Patches(open_set(str(photographs), "train"), WMF, levels, SMOKE, seed=0)
    assert len(patches.clean) == SMOKE.crops
    batch = patches[3]
    assert torch.equal(batch.y, patches[3].y)
    outputs = {
        level: [
            Filtered("wmf", None).output(one, WMF.space.physical(level)) for one in patches.clean
        ]
        for level in {tuple(round(value, 6) for value in one) for one in batch.level.tolist()}
    }
    for x, y, level in zip(batch.x, batch.y, batch.level.tolist(), strict=True):
        known = outputs[tuple(round(value, 6) for value in level)]
        pairs = list(zip(patches.clean, known, strict=True))
        assert any(found(x, y, clean, output) for clean, output in pairs)


def found(x: torch.Tensor, y: torch.Tensor, clean: np.ndarray, output: np.ndarray) -> bool:
    """Whether a pair of patches stands anywhere in a crop and its output, turned or not."""
    both = np.concatenate([clean, output], axis=2)
    pair = torch.cat([x, y]).mul(255).round().byte().permute(1, 2, 0).numpy()
    side = pair.shape[0]
    for turns in range(4):
        for turned in (np.rot90(both, turns), np.rot90(both, turns)[:, ::-1]):
            windows = np.lib.stride_tricks.sliding_window_view(turned, (side, side), (0, 1))
            if (windows.transpose(0, 1, 3, 4, 2) == pair).all(axis=(2, 3, 4)).any():
                return True
    return False


def test_drawn_levels_are_levels_at_which_the_operator_was_computed(photographs):
    patches = Patches(open_set(str(photographs), "train"), WMF, Uniform(), SMOKE, seed=0)
    radii = {WMF.space.physical(level)[0] for level in patches.outputs}
    assert radii == {float(radius) for radius in range(1, 11)}
    drawn = {
        tuple(round(v, 6) for v in level) for at in range(8) for level in patches[at].level.tolist()
    }
    assert drawn <= set(patches.outputs)
    assert len(drawn) > 4


def test_a_test_image_is_compared_with_the_operators_output_at_the_level(photographs, home):
    samples = Samples(open_set(str(photographs), "test"), WMF, Store())
    assert torch.equal(samples.degraded(0, (0.0,)), samples.clean(0))
    assert not torch.equal(samples.reference(0, (0.0,)), samples.reference(0, (1.0,)))
    pixels = (samples.clean(0) * 255).round().byte().permute(1, 2, 0).numpy()
    expected = Filtered("wmf", None).output(pixels, (10.0,))
    given = (samples.reference(0, (1.0,)) * 255).round().byte().permute(1, 2, 0).numpy()
    assert np.array_equal(given, expected)
    assert torch.equal(samples.target(0, (1.0,)), samples.reference(0, (1.0,)))
