"""What the figures of studies say and where things stand in them."""

import io
import itertools

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchmark import plan, studies, tasks
from benchmark.report import style
from benchmark.store import Store
from benchmark.studies import (
    ablation,
    content,
    cost,
    experts,
    joint,
    kernel_map,
    receptive_field,
    single_layer,
    wrong_level,
)
from tests.studies.conftest import SMOKE, asked


def test_a_figure_that_cannot_be_drawn_loses_no_table_and_leaves_no_older_figure(home, monkeypatch):
    def broken(tables, task):
        raise RuntimeError("no figure")

    study = studies.study.Study(
        *("", "", "denoise", ("dni",)), lambda parts: {"found": pd.DataFrame({"a": [1]})}, broken
    )
    monkeypatch.setattr(studies, "get", lambda name: study)
    made, store = plan.make(asked("denoise", "--methods", "dni", *SMOKE), Store()), Store()
    folder = store.home / "studies" / "mine" / "denoise"
    folder.mkdir(parents=True)
    (folder / "figure.svg").write_text("of other tables")
    with pytest.raises(RuntimeError, match="no figure"):
        studies.perform("mine", [made], store)
    assert sorted(path.name for path in folder.iterdir()) == ["about.json", "found.csv"]


def test_variants_are_drawn_at_the_levels_that_the_first_method_answers_at():
    values = {("experts", "0"): 30, ("experts", "1"): 20, ("ftn", "0"): 29, ("ftn", "0.5"): 25}
    levels = pd.DataFrame(
        [(*key, value) for key, value in values.items()], columns=["method", "level", "value"]
    ).assign(what="transitions", dataset="set", physical="20")
    table = pd.DataFrame({"what": "transitions", "method": ["experts", "ftn"], "parameters": 1})
    table = table.assign(dataset="set", stored=1, mean=1.0)
    figure = ablation.draw({"ablation": table, "levels": levels}, tasks.get("denoise"))
    drawn = [line.get_xydata().tolist() for line in figure.axes[0].lines]
    assert drawn == [[[0, 0], [1, 0]], [[0, -1]]]


@pytest.mark.parametrize("task", ["denoise", "style"])
def test_a_difference_to_experts_is_called_better_or_worse_whichever_way_the_metric_goes(task):
    table = pd.DataFrame({"method": ["dni"], "backbone": "small", "dataset": "set", "mean_abs": 1})
    levels = table.assign(level="1", physical="1", difference=1.0)
    figure = experts.draw({"experts": table, "levels": levels}, tasks.get(task))
    assert figure.axes[0].get_ylabel().startswith("better (+) or worse (−)")
    assert " less " not in figure.get_suptitle()


def test_variants_are_drawn_on_the_first_of_several_data_sets():
    places = [(what, data) for data in ("one", "two") for what in ("transitions", "blocks")]
    table = pd.DataFrame(places, columns=["what", "dataset"]).assign(
        method="ftn", backbone="small:blocks=1", parameters=1500, stored=1, mean=[1.0, 2, 3, 4]
    )
    levels = table.assign(level="1", physical="80", value=20.0)
    figure = ablation.draw({"ablation": table, "levels": levels}, tasks.get("denoise"))
    assert "denoise on one" in figure.get_suptitle()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "ftn\n1.5 k beside the backbone"
    ]
    assert [line.get_xydata().tolist() for line in figure.axes[1].lines] == [[[0.001, 2]]]


def test_bars_of_an_operator_stand_around_its_name_however_many_there_are():
    lines = [("L0", "operators-10", 0.1), ("L0", "operators-6", 0.2), ("SR", "operators-10", 0.3)]
    table = pd.DataFrame(lines, columns=["operator", "task", "drop"])
    axes = joint.draw({"joint": table}, tasks.get("operators-10")).axes[0]
    middles = [bar.get_x() + bar.get_width() / 2 for bar in axes.patches]
    first, lone, second = middles
    assert first + second == pytest.approx(0) and lone == pytest.approx(1)


@pytest.mark.parametrize(("time", "bars"), [(None, 1), (0.5, 2)])
def test_bars_stand_at_their_method_with_and_without_run_times(time, bars):
    methods = ("decouple", "decouple_fast")
    common = {"method": methods, "dataset": "set"}
    table = pd.DataFrame({**common, "macs_again": [1.0, 0.2], "time_again": [time, time]})
    levels = pd.DataFrame({**common, "level": "1", "physical": "80", "value": [20.0, 21.0]})
    figure = single_layer.draw(
        {"single_layer": table.astype({"time_again": float}), "levels": levels},
        tasks.get("denoise"),
    )
    axes = figure.axes[1]
    middles = [bar.get_x() + bar.get_width() / 2 for bar in axes.patches]
    assert len(middles) == 2 * bars
    for at in range(2):
        assert sum(middles[at::2]) / bars == pytest.approx(at)


def test_limits_and_both_axes_of_one_layer_are_named_where_times_are_known():
    layer = [
        {"k": k, "p": p, "batch": batch, "channels": channels, "overhead_time": 0.1}
        for k, p, batch, channels in ((3, 2, 1, 64), (3, 4, 1, 64), (3, 2, 2, 64), (3, 2, 1, 32))
    ]
    ratios = dict.fromkeys(("stored_ratio", "macs_ratio", "image_ratio"), [1.0])
    figure = cost.draw(
        {"cost": pd.DataFrame({"method": ["dni"], **ratios}), "layer": pd.DataFrame(layer)},
        tasks.get("denoise"),
    )
    names = [text.get_text() for text in figure.axes[1].get_legend().get_texts()]
    assert names[-1] == "TC Figure 3: 5 and 20 %"
    assert len({axes.get_ylabel() for axes in figure.axes[1:]}) == 1


def test_costs_of_the_floor_alone_are_drawn_without_bars():
    layer = [
        {"k": 3, "p": 2, "batch": batch, "channels": 64, "overhead_time": 0.1, "overhead_macs": 0.1}
        for batch in (1, 2)
    ]
    layer.append({**layer[0], "channels": 32})
    ratios = dict.fromkeys(("stored_ratio", "macs_ratio", "image_ratio"), [float("nan")])
    methods = pd.DataFrame({"method": ["floor"], **ratios})
    axes = cost.draw({"cost": methods, "layer": pd.DataFrame(layer)}, tasks.get("denoise")).axes[0]
    assert axes.get_xlim()[0] == 0 and axes.get_xlim()[1] > 1


def test_maps_of_methods_are_framed_so_that_they_stay_apart():
    points = pd.DataFrame(
        {"method": ["dni", "ftn"], "group": "L0", "layer": "a", "x": 0.0, "y": 0.0, "level": "0"}
    )
    figure = kernel_map.draw({"points": points}, tasks.get("operators-6"))
    assert all(one.get_visible() for axes in figure.axes for one in axes.spines.values())


def test_maps_of_what_a_pixel_depends_on_have_units_and_a_scale():
    at = {"method": "dni", "level": "1", "physical": "0.2"}
    kinds = ("flat", "moderate edge", "strong edge")
    table = pd.DataFrame([{**at, "point": kind, "pixels": 1} for kind in kinds])
    maps = pd.DataFrame([{**at, "point": kind, "dx": 0, "dy": 0, "share": 1.0} for kind in kinds])
    figure = receptive_field.draw({"receptive_field": table, "maps": maps}, tasks.get("filter-l0"))
    pictures, bar = figure.axes[3:6], figure.axes[-1]
    assert {axes.get_xlabel() for axes in pictures} == {"pixels"}
    assert "root scale" in bar.get_ylabel()


def test_pixels_stand_at_their_level_where_a_method_answers_at_a_few_levels_only():
    at = {"dni": {"0.2": "20", "0.4": "35", "1": "80"}, "experts": {"0.2": "20", "1": "80"}}
    lines = [
        {"method": method, "level": level, "physical": physical, "point": kind, "pixels": 1}
        for method, levels in at.items()
        for level, physical in levels.items()
        for kind in ("flat", "moderate edge", "strong edge")
    ]
    table = pd.DataFrame(lines)
    maps = table.assign(dx=0, dy=0, share=1.0)
    figure = receptive_field.draw({"receptive_field": table, "maps": maps}, tasks.get("denoise"))
    axes = figure.axes[0]
    named = dict(
        zip(axes.get_xticks(), [text.get_text() for text in axes.get_xticklabels()], strict=True)
    )
    drawn = [[named[x] for x in line.get_xdata()] for line in axes.lines]
    assert drawn == [["20", "35", "80"], ["20", "80"]]


def test_levels_of_two_dials_are_named_by_both_and_do_not_run_into_each_other():
    levels = {f"{a}/{b}": f"{4 * a:g}/{50 * b:g}" for a in (0, 0.5, 1) for b in (0, 0.5, 1)}
    table = pd.DataFrame(
        [
            {"method": "dni", "level": level, "physical": physical, "point": kind, "pixels": 1}
            for level, physical in levels.items()
            for kind in ("flat", "moderate edge", "strong edge")
        ]
    )
    tables = {"receptive_field": table, "maps": table.assign(dx=0, dy=0, share=1.0)}
    figure = receptive_field.draw(tables, tasks.get("blur-noise"))
    assert figure.axes[6].get_ylabel() == "dni, blur / sigma 4/50\npixels"
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[0].get_xticklabels()]
    assert not any(one.overlaps(other) for one, other in itertools.pairwise(boxes))


def test_true_levels_run_down_and_dials_to_the_right_as_in_the_matrix_of_a_report():
    crossed = [(level, dial) for level in ("0.2", "1") for dial in ("0.2", "1")]
    table = pd.DataFrame(crossed, columns=["level", "dial"]).assign(
        method="dni", physical="20", loss=0.5, detail=0.9, colour=1.0
    )
    axes = wrong_level.draw({"matrix": table}, tasks.get("denoise")).axes[0]
    assert axes.get_ylim()[0] > axes.get_ylim()[1] and axes.get_xlim()[0] < axes.get_xlim()[1]


@pytest.mark.parametrize("methods", [1, 2, 5])
@pytest.mark.parametrize("study", [wrong_level, content])
def test_nothing_is_cut_at_the_edge_of_a_figure_however_many_methods_it_shows(study, methods):
    names = ("dni", "ftn", "decouple", "hypernet", "adafm")[:methods]
    crossed = list(itertools.product(names, *2 * [("0.2", "0.6", "1")]))
    table = pd.DataFrame(crossed, columns=["method", "level", "dial"]).assign(
        physical="0.002", loss=0.28, detail=23.0, colour=1.2, image="one", off=0.0
    )
    about = pd.DataFrame({"method": names, "dataset": "set5", "with_detail": 0.0})
    tables = {"matrix": table, "images": table, "content": about}
    with style.drawing("study"):
        blob = style.files(study.draw(tables, tasks.get("denoise")))["png"]
    edges = np.asarray(Image.open(io.BytesIO(blob)).convert("L"))[:, [0, 1, -2, -1]]
    assert (edges > 250).all()
