"""Studies: what can be known beforehand of their numbers."""

import itertools
import math
import types

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from benchmark import cli, plan, tasks
from benchmark.build import build_method, create_method
from benchmark.method import ControlMethod
from benchmark.store import Store
from benchmark.studies import (
    ablation,
    content,
    cost,
    dial_linearity,
    filter_similarity,
    kernel_map,
    receptive_field,
    single_layer,
    wrong_level,
)
from benchmark.studies.study import Part
from tests.studies.conftest import SMOKE, asked

DENOISE = tasks.get("denoise")


def test_identical_kernels_are_alike_and_turned_ones_are_opposite():
    kernel = torch.randn(4, 18)
    assert filter_similarity.similarity(kernel, kernel) == pytest.approx((0, 1, 4))
    mae, cosine, _ = filter_similarity.similarity(kernel, -kernel)
    assert cosine == pytest.approx(-1)
    assert mae == pytest.approx(2 * kernel.abs().mean().item())


def test_a_filter_of_zeros_has_no_direction():
    kernel = torch.ones(2, 3)
    kernel[1] = 0
    assert filter_similarity.similarity(kernel, kernel) == (0, pytest.approx(1), 1)
    assert math.isnan(filter_similarity.similarity(0 * kernel, kernel)[1])


def test_all_layers_together_count_every_weight_and_every_filter():
    start = {"a": torch.ones(1, 2), "b": torch.ones(3, 2)}
    end = {"a": torch.tensor([[2.0, 0.0]]), "b": torch.ones(3, 2)}
    total = filter_similarity.compare("m", start, end).iloc[-1]
    assert total["mae"] == pytest.approx(2 / 8)
    assert total["cosine"] == pytest.approx((math.sqrt(0.5) + 3) / 4)


def test_of_the_seeds_of_a_method_the_first_that_is_trained_is_looked_at(home, monkeypatch):
    words = ("denoise", "--preset", "smoke", "--methods", "dni", "--seeds", "3,0", "--offline")
    made, store = plan.make(asked(*words), Store()), Store()
    for key, job in made.trains.items():
        if job.seed == 0:
            store.write_stage(key, {"w": torch.ones(1)}, {"steps": 1})
    monkeypatch.setattr("benchmark.trained.loaded", lambda job, task, store: job.seed)
    assert Part(made, store).methods == {"dni": 0}


@pytest.mark.parametrize(("slope", "away"), [(1.0, 0.0), (0.5, 0.25)])
def test_a_straight_dial_of_another_slope_is_off_the_line(plant, slope, away):
    rows = plant({"ftn": lambda level, dial, at: -((dial - slope * level) ** 2)}, matrix=True)
    found = dial_linearity.fits(dial_linearity.matrices(rows, DENOISE), DENOISE)
    (fit,) = found["linearity"].itertuples()
    assert fit.r2 == pytest.approx(1 - 3 * (1 - slope) ** 2)
    assert fit.mean_deviation == pytest.approx(away, abs=1e-9)
    assert fit.max_deviation == pytest.approx(2 * away, abs=1e-9)
    assert found["best_dials"]["best_dial"].tolist() == pytest.approx(
        [slope * level for level in (0, 0.25, 0.5, 0.75, 1)], abs=1e-9
    )


def test_a_dial_without_effect_has_a_reason_instead_of_a_line(plant):
    rows = plant({"ftn": lambda level, dial, at: level}, matrix=True)
    found = dial_linearity.fits(dial_linearity.matrices(rows, DENOISE), DENOISE)
    assert found["linearity"]["reason"].tolist() == ["the dial changes nothing"]
    assert found["best_dials"].empty
    (legend,) = dial_linearity.draw(found, DENOISE).legends
    assert legend.get_texts()[0].get_text() == "ftn\nR² —, mean off —"


class Eight:
    """Eight images of random values."""

    images = types.SimpleNamespace(name="set")

    def __len__(self):
        return 8

    def name(self, at):
        return "abcdefgh"[at]

    def clean(self, at):
        return torch.rand(3, 8, 8)


def test_methods_without_a_whole_matrix_are_told_with_the_reason(plant, monkeypatch):
    """A flat image that is restored without an error has no PSNR."""
    score = dict.fromkeys(("dni", "ftn"), lambda level, dial, at: at - (dial - level) ** 2)
    rows = plant(score, matrix=True)
    lost = (rows["method"] == "ftn") & (rows["image"] == "a") & (rows["level"] == "1")
    rows.loc[lost, ["value", "status", "reason"]] = math.nan, "failed", "PSNR is infinite"
    part = types.SimpleNamespace(task=DENOISE, rows=rows, samples=Eight(), methods={"dni": None})
    nothing = {"detail": 1.0, "colour": 0.0}
    monkeypatch.setattr(
        wrong_level,
        "measured",
        lambda method, samples, levels, images: dict.fromkeys(
            itertools.product(levels, levels), nothing
        ),
    )
    for study in (dial_linearity, wrong_level, content):
        tables = study.tables([part])
        table = next(iter(tables.values())).set_index("method")
        assert table.index.tolist() == ["dni", "ftn"]
        assert table.loc["ftn", "reason"] == "PSNR is infinite"
        assert study.draw(tables, DENOISE).axes


@pytest.mark.parametrize("study", [ablation, single_layer])
def test_variants_that_lack_a_score_are_told_with_the_reason(study, plant):
    rows = plant(dict.fromkeys(("dni", "ftn"), lambda level, dial, at: at + level))
    lost = (rows["method"] == "ftn") & (rows["image"] == "a") & (rows["level"] == "1")
    rows.loc[lost, ["value", "status", "reason"]] = math.nan, "failed", "PSNR is infinite"
    methods = {
        name: build_method(create_method(name), "small:width=4:blocks=1", DENOISE, 0)
        for name in ("dni", "ftn")
    }
    part = types.SimpleNamespace(task=DENOISE, rows=rows, methods=methods, timed=False)
    tables = study.tables([part])
    about = next(iter(tables.values())).set_index("method")
    assert about["reason"].to_dict() == {"dni": "", "ftn": "PSNR is infinite"}
    assert math.isnan(about.loc["ftn", "mean"])
    assert set(tables["levels"]["method"]) == {"dni"}
    assert study.draw(tables, DENOISE).axes


def test_effects_of_nothing_of_a_shift_and_of_smoothing():
    clean = torch.rand(3, 16, 16) * 0.5
    assert wrong_level.effects(clean, clean) == pytest.approx(
        {"detail": 1, "red": 0, "green": 0, "blue": 0, "colour": 0}
    )
    shifted = clean.clone()
    shifted[0] += 10 / 255
    moved = wrong_level.effects(shifted, clean)
    assert moved == pytest.approx(
        {"detail": 1, "red": 10, "green": 0, "blue": 0, "colour": 10 / 3}, abs=1e-3
    )
    flat = clean.mean(dim=(1, 2), keepdim=True).expand_as(clean)
    assert wrong_level.effects(flat, clean)["detail"] < 1e-6


def test_the_farthest_wrong_dials_are_summed_up():
    lines = [
        {"method": "m", "level": level, "dial": dial, "loss": loss, "detail": 1 + loss, "colour": c}
        for level, dial, loss, c in (
            ("0", "0", 0, 1),
            ("0", "1", 3, 9),
            ("1", "0", 5, 4),
            ("1", "1", 0, 2),
        )
    ]
    (line,) = wrong_level.summary(pd.DataFrame(lines)).to_dict("records")
    assert (line["loss_too_strong"], line["detail_too_weak"]) == (3, 6)
    assert (line["colour_right"], line["colour_wrong"]) == (2, 9)


def test_cells_of_wrong_dials_tell_small_losses_apart():
    losses = [wrong_level.cell_text("loss", value) for value in (0.0, 0.04, 0.994, 0.996, 12.34)]
    assert losses == ["0.00", "0.04", "0.99", "1.0", "12.3"]
    assert wrong_level.cell_text("detail", 5.468) == "5.47"


def test_a_chain_of_convolutions_sees_a_square_of_known_side():
    for depth in (0, 1, 3):
        chain = nn.Sequential(*(nn.Conv2d(3, 3, 3, padding=1) for _ in range(depth)))
        for layer in chain:
            nn.init.ones_(layer.weight)
        field = receptive_field.gradient(chain, torch.rand(3, 20, 24), 9, 12)
        assert receptive_field.counted(field, share=0) == (2 * depth + 1) ** 2
        assert (receptive_field.reach(field, 9, 12) == 0) == (depth == 0)


def test_an_enlarged_image_depends_on_the_pixels_below(home):
    words = ["receptive-field", "--task", "sr", "--methods", "dni", "--levels", "0"]
    assert cli.main(["analyze", *words, *SMOKE]) == 0
    folder = Store().home / "studies" / "receptive-field" / "sr"
    # A step of training leaves the network bicubic, which takes the 4 x 4 pixels around.
    maps, table = (pd.read_csv(folder / f"{name}.csv") for name in ("maps", "receptive_field"))
    assert maps[["dy", "dx"]].abs().max(axis=None) <= 2
    assert (table["reach"] < 3).all()


def test_points_lie_where_the_edges_are():
    image = torch.full((3, 128, 160), 0.2)
    image[:, :, 100:] = 1.0
    image[:, 64:, 40:100] = 0.6
    found = receptive_field.points(image)
    assert found["strong edge"][1] in (99, 100)
    assert found["strong edge"][0] < 64
    row, column = found["moderate edge"]
    assert row in (63, 64) or column in (39, 40, 99, 100)
    row, column = found["flat"]
    assert abs(column - 100) > 7


def test_multiply_accumulates_of_a_layer_are_those_that_are_counted():
    from benchmark.scoring.cost import macs

    plain, mixing = cost.layer_macs(k=5, p=3, batch=1, channels=3, side=16)
    assert macs(nn.Conv2d(3, 3, 5, padding=2), 16) == plain
    assert mixing == 3 * (3 * 3 * 25 + 3) + 9
    layer = cost.tunable_layer(k=5, p=3, channels=3)
    stored = sum(tensor.numel() for tensor in layer.weights_to_keep().values())
    assert stored == 3 * (3 * 3 * 25 + 3) + 3 * 3 + 3


def test_all_kernel_sizes_and_numbers_of_objectives_are_in_the_table():
    table = cost.sweep(timed=False)
    base = table[(table["batch"] == 1) & (table["channels"] == 64)]
    assert {(k, p) for k, p in zip(base["k"], base["p"], strict=True)} == {
        (k, p) for k in (3, 5, 7) for p in range(2, 9)
    }
    assert (base["overhead_macs"] < 0.001).all()
    assert table["overhead_time"].isna().all()


class Told(nn.Module):
    """A network of one's own that is told the level."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 3, 1)

    def forward(self, x, level):
        level = level.reshape(-1, 1, 1, 1).expand(len(x), 1, *x.shape[-2:])
        return self.conv(torch.cat([x, level], 1))


class Own(ControlMethod):
    def build(self, backbone, control):
        self.backbone = Told()

    def stages(self, task):
        return []

    def forward(self, x, level):
        return self.backbone(x, level)


def test_what_is_told_the_level_costs_as_much_as_itself():
    method = Own().assemble(nn.Identity(), DENOISE.space).eval()
    (line,) = cost.of_methods({"own": method}, DENOISE, timed=False).to_dict("records")
    assert line["macs"] > 0 and line["macs_ratio"] == line["params_ratio"] == 1


def test_costs_of_networks_without_a_backbone_of_the_run_are_said_too():
    names = ("ffdnet", "cdncnn", "floor")
    methods = {
        name: build_method(create_method(name), "small:width=4:blocks=1", DENOISE, 0).eval()
        for name in names
    }
    table = cost.of_methods(methods, DENOISE, timed=False).set_index("method")
    assert (table.loc[["ffdnet", "cdncnn"], ["stored_ratio", "macs_ratio"]] == 1).all(axis=None)
    assert table.loc["floor", "macs"] == 0 and math.isnan(table.loc["floor", "macs_ratio"])


def test_run_times_are_paired():
    fast, slow, ratio = cost.paired(lambda: None, lambda: sum(range(20000)), rounds=3)
    assert fast < slow
    assert 0 <= ratio < 1


def test_clusters_stay_apart_and_a_map_is_reproducible():
    rng = np.random.default_rng(0)
    vectors = np.concatenate([rng.normal(at, 0.1, (12, 30)) for at in (0, 3)])
    points = kernel_map.embedded(vectors)
    assert np.array_equal(points, kernel_map.embedded(vectors))
    assert kernel_map.neighbours_agree(points, ["a"] * 12 + ["b"] * 12) == 1
    assert kernel_map.neighbours_agree(points, ["a", "b"] * 12) < 1


def test_parameters_are_drawn_for_every_operator():
    task = tasks.get("operators-6")
    every = kernel_map.drawn_levels(task, 5)
    assert [name for name, _ in every[::5]] == ["L0", "WLS", "RTV", "RGF", "WMF", "shock"]
    assert all(task.space.axes[1].text(task.space.physical(at)[1]) == name for name, at in every)
    assert len({at for _, at in every}) == 30


def test_ablation_asks_for_backbones_of_four_sizes():
    request = asked("denoise", "--methods", "ftn", "--backbone", "small:width=8")
    first, *rest = ablation.requests(request)
    assert first == request
    assert [one.backbone for one in rest] == [f"small:blocks={n}:width=8" for n in (1, 2, 4, 16)]
    assert {one.methods[0].method for one in rest} == {"hypernet"}


def test_what_runs_again_is_what_lies_behind_the_first_layer_that_changed():
    one, other = (nn.Sequential(*(nn.Conv2d(3, 3, 3, padding=1) for _ in range(4))) for _ in "ab")
    other.load_state_dict(one.state_dict())
    assert single_layer.changed(one, other) == []
    x = torch.rand(1, 3, 16, 16)
    assert single_layer.again(one, [], x, timed=True) == (0, 0)
    for name, share in (("3", 1 / 4), ("1", 3 / 4)):
        other[int(name)].bias.data += 1
        names = single_layer.changed(one, other)
        assert name in names
        work, spent = single_layer.again(one, names, x, timed=True)
        assert work == pytest.approx(share)
        assert 0 < spent < 1


def test_attention_is_part_of_what_need_not_run_again():
    class Attending(nn.Module):
        def __init__(self):
            super().__init__()
            self.last = nn.Conv2d(3, 3, 1)

        def forward(self, x):
            rows = x.flatten(2).transpose(1, 2)[:, None].contiguous()
            mixed = nn.functional.scaled_dot_product_attention(rows, rows, rows)
            return self.last(mixed[:, 0].transpose(1, 2).unflatten(2, x.shape[2:]))

    share, _ = single_layer.again(Attending().eval(), ["last"], torch.rand(1, 3, 8, 8), False)
    assert share == pytest.approx(64 * 9 / (64 * 9 + 2 * 64 * 64 * 3))


def test_costs_are_taken_where_the_input_is():
    """On a device that is not the processor's, with all that belongs to a method."""
    method = build_method(create_method("decouple"), "small:width=4:blocks=1", DENOISE, 0).eval()
    x = torch.rand(1, 3, 16, 16, device="meta")
    times = cost._times(method, method.backbone, method.tuned((0.5,)), x, [(0.0,), (1.0,)])
    assert all(value > 0 for value in times.values())
    assert next(method.parameters()).device.type == "cpu"
