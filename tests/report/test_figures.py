"""The curves."""

import itertools
import math
import re

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from skimage.color import deltaE_cie76, rgb2lab

from benchmark.report import curves, marks
from benchmark.report.averages import means
from benchmark.report.panels import PANEL
from benchmark.report.series import Series
from benchmark.report.style import (
    COLORS,
    IMPORTED,
    REFERENCES,
    SHIPPED,
    STARS,
    drawing,
    styles,
)
from benchmark.results import Results

PSNR, SSIM, LPIPS, NIQE = "psnr-y601", "ssim-y601", "lpips-alex@lpips-0.1.4", "niqe@pyiqa-0.1.16"
BSDS = "niqe@dialbench-bsds"


def drawn(figure):
    """Lays a figure out; returns it with its renderer."""
    with drawing("test"):
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
    return figure, canvas.get_renderer()


def labels_of(figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_files_of_curves_are_called_after_the_whole_metric_whatever_else_has_values(make):
    assert curves.file_name(LPIPS) == "levels_lpips-alex-lpips-0.1.4"
    results, task = make(methods=("dni",), levels=("0", "1"), null=("lpips", NIQE))
    levels = {name for name in curves.curves(means(results), task) if name.endswith(".svg")}
    metrics = ("psnr-y601", "ssim-y601", "niqe-dialbench-bsds", "colour-drift")
    assert levels == {"pd_curve.svg", *(f"levels_{name}.svg" for name in metrics)}


@pytest.mark.parametrize(
    ("scored", "pair"),
    [
        ([PSNR, SSIM, LPIPS, NIQE], (PSNR, LPIPS)),
        ([PSNR, SSIM, NIQE], (PSNR, NIQE)),
        ([PSNR, SSIM], (PSNR, SSIM)),
        ([PSNR], None),
        ([LPIPS, NIQE], None),
        ([], None),
    ],
)
def test_perception_is_lpips_then_niqe_then_honestly_something_else(scored, pair):
    assert curves.pair(scored) == pair


def test_without_a_perception_metric_the_title_says_so(make):
    results, task = make(methods=("dni",), null=("lpips", "niqe"))
    figure = curves.pd_curve(means(results), task)
    title = " ".join(figure.get_suptitle().split())
    assert title == "sr: SSIM-Y against PSNR-Y (no perception metric has values)"


def test_eleven_series_have_distinct_colours_or_markers_and_keep_them_in_any_company():
    methods = "decouple dni adafm cfsnet dynamic_net ftn tunable_conv hypernet blend experts floor"
    every = [Series(method, "small", "laptop") for method in methods.split()]
    looks = styles(every)
    assert len({look.color for look in looks.values()}) == 11
    assert len({look.marker for one, look in looks.items() if not one.baseline}) == 8
    assert styles(every[5:])[every[5]] == looks[every[5]]


def test_methods_that_do_not_run_by_default_keep_their_looks_in_any_company():
    def look(*methods):
        return styles(Series(method, "small", "") for method in methods)

    def last(*methods):
        return look(*methods)[Series(methods[-1], "small", "")]

    for name in ("cresmd", "decouple_fast", "mine", "a_method", "zoom"):
        assert last(name) == last("cresmd", "decouple_fast", "dni", name)
        assert last(name) == last("another", name)  # none of these wants the place of another
    crowd = [f"own{number}" for number in range(5)]
    for company in ((*SHIPPED, "mine"), (*SHIPPED[:6], *crowd), (*SHIPPED[:2], *crowd, "a", "b")):
        looks = look(*company)
        assert len({one.color for one in looks.values()}) == len(company)
        assert looks == look(*reversed(company))
    assert len(look(*SHIPPED, *map(str, range(12)))) == len(SHIPPED) + 12


def test_colours_and_markers_for_methods_of_ones_own_are_far_from_all_that_are_taken():
    taken = [*COLORS[: len(SHIPPED)], IMPORTED, *(one.color for one in REFERENCES.values())]
    own = COLORS[len(SHIPPED) :]

    def lab(colours):
        return rgb2lab([[int(one[at : at + 2], 16) / 255 for at in (1, 3, 5)] for one in colours])

    for at, one in enumerate(lab(own)):
        others = lab([*taken, *own[:at], *own[at + 1 :]])
        assert min(deltaE_cie76(one, other) for other in others) > 30
    looks = styles(Series(name, "", "") for name in (*SHIPPED, *map(str, range(len(own)))))
    assert len({look.color for look in looks.values()}) == len(COLORS)
    assert len({look.marker for look in looks.values()}) == len(COLORS)
    assert all(marks.marker(one) for one in STARS)


SEEN = {
    "normal": np.eye(3),
    "protan": ((0.152, 1.053, -0.205), (0.115, 0.786, 0.099), (-0.004, -0.048, 1.052)),
    "deutan": ((0.367, 0.861, -0.228), (0.280, 0.673, 0.047), (-0.012, 0.043, 0.969)),
}
"""What becomes of linear red, green and blue (Machado and others, 2009)."""


def differences(colours: list[str], kind: str) -> list[float]:
    """How far apart two colours are, for every pair."""
    rgb = np.array([[int(one[at : at + 2], 16) / 255 for at in (1, 3, 5)] for one in colours])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = (linear @ np.transpose(SEEN[kind])).clip(0, 1)
    lab = rgb2lab(np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055))
    return [float(deltaE_cie76(one, other)) for one, other in itertools.combinations(lab, 2)]


@pytest.mark.parametrize(("kind", "least"), [("normal", 20), ("protan", 15), ("deutan", 15)])
def test_colours_of_the_dark_page_stay_apart_for_colour_blind_readers_too(kind, least):
    light = [*COLORS[: len(SHIPPED)], *(one.color for one in REFERENCES.values())]
    assert min(differences([marks.on_dark(one) for one in light], kind)) > least


def test_a_method_of_ones_own_is_told_from_all_others_on_the_dark_page():
    every = [*COLORS, IMPORTED, *(one.color for one in REFERENCES.values())]
    assert min(differences([marks.on_dark(one) for one in every], "normal")) > 20


def test_variants_of_a_method_share_its_colour_but_no_marker():
    every = [Series(f"ftn{variant}", "small", "") for variant in ("", ":groups=16", ":groups=4")]
    looks = list(styles(every).values())
    assert len({look.color for look in looks}) == 1
    assert len({look.marker for look in looks}) == 3


@pytest.mark.parametrize("task", ["sr", "denoise"])
@pytest.mark.parametrize("datasets", [("set5",), ("cbsd68", "kodak24")])
def test_no_label_is_cut_and_the_legend_covers_no_panel(make, task, datasets):
    levels = ("0", "0.166667", "0.333333", "0.5", "0.666667", "0.833333", "1")
    results, task = make(task, datasets=datasets, levels=levels, seeds=(0, 1), pictures=False)
    long = means(results)
    with drawing("test"):
        figures = [
            curves.pd_curve(long, task),
            curves.levels(long, task, task.headline),
        ]
    for figure in figures:
        figure, renderer = drawn(figure)
        page = figure.bbox
        assert figure.legends[0].get_texts()
        for axes in figure.axes:
            box = axes.get_tightbbox(renderer)
            assert box.x0 >= page.x0 - 1 and box.x1 <= page.x1 + 1
            assert box.y0 >= page.y0 - 1 and box.y1 <= page.y1 + 1
            ticks = [tick.get_window_extent(renderer) for tick in axes.get_xticklabels()]
            ticks = [tick for tick in ticks if tick.width > 0]
            assert all(a.x1 < b.x0 for a, b in zip(ticks, ticks[1:], strict=False))
        legend = figure.legends[0].get_window_extent(renderer)
        assert legend.x1 <= page.x1 + 1 and legend.y0 >= page.y0 - 1
        title = figure._suptitle.get_window_extent(renderer)
        assert not any(
            legend.overlaps(box)
            for box in [title, *(axes.get_tightbbox(renderer) for axes in figure.axes)]
        )


def test_the_curve_marks_start_and_end_and_names_every_series(make):
    results, task = make(methods=("dni", "experts", "floor", "blend"))
    figure = curves.pd_curve(means(results), task)
    ends = ["start of the dial", "end of the dial"]
    assert labels_of(figure) == ["dni", "blend", "experts", "floor", *ends]
    hollow = [line for line in figure.axes[0].lines if line.get_markerfacecolor() == "none"]
    (first,) = [line for line in hollow if line.get_marker() == "s"]
    rows = means(results).set_index(["method", "level", "metric"])["mean"]
    assert first.get_xdata()[0] == rows["dni", "0", PSNR]
    assert first.get_ydata()[0] == rows["dni", "0", LPIPS]
    assert any(line.get_linestyle() == "--" for line in figure.axes[0].lines)


@pytest.mark.parametrize(
    ("name", "levels", "plane", "along"),
    [
        ("sr", ("0", "1"), True, True),
        ("blur-noise", ("0/0", "0/1", "1/0", "1/1"), False, True),
        ("operators-4", ("0", "0.333333", "0.666667", "1"), False, False),
    ],
)
def test_the_legend_shows_lines_only_where_some_are_drawn(make, name, levels, plane, along):
    results, task = make(name, methods=("dni",), levels=levels, pictures=False)
    long = means(results)
    figures = curves.pd_curve(long, task), curves.levels(long, task, task.headline)
    for figure, wanted in zip(figures, (plane, along), strict=True):
        lines = figure.axes[0].lines
        drawn = any(one.get_linestyle() == "-" and len(one.get_xdata()) > 1 for one in lines)
        sample = figure.legends[0].get_lines()[0]
        assert drawn == (sample.get_linestyle() == "-") == wanted


def test_a_series_without_values_is_named_as_such(make):
    results, task = make(methods=("dni", "ftn"))
    rows = results.rows
    lost = (rows["method"] == "ftn") & (rows["metric"] == LPIPS)
    rows.loc[lost, ["value", "status"]] = [math.nan, "failed"]
    assert "ftn (no value)" in labels_of(curves.pd_curve(means(results), task))


def test_a_set_without_values_has_no_panel(make):
    results, task = make(methods=("dni", "ftn"), datasets=("set14", "set5"))
    rows = results.rows
    lost = (rows["dataset"] == "set14") & (rows["metric"] == LPIPS)
    rows.loc[lost, ["value", "status"]] = [math.nan, "failed"]
    long = means(results)
    for figure, sets in (
        (curves.levels(long, task, LPIPS), ["set5"]),
        (curves.levels(long, task, PSNR), ["set14", "set5"]),
        (curves.pd_curve(long, task), ["set5"]),
    ):
        assert [one.get_title() for one in figure.axes if one.get_title()] == sets


def test_a_far_away_floor_does_not_squeeze_the_methods(make):
    results, task = make("denoise", levels=("0", "0.5", "1"))
    rows = results.rows
    floor = (rows["method"] == "floor") & (rows["metric"] == "psnr-rgb")
    rows.loc[floor, "value"] = -50.0
    figure = curves.pd_curve(means(results), task)
    assert figure.axes[0].get_xlim()[0] > 0
    assert "floor (off the scale)" in labels_of(figure)


def test_a_degradation_also_shows_the_distance_to_the_best_method(make):
    results, task = make("denoise", methods=("dni", "ftn", "floor"), levels=("0", "1"))
    figure = curves.levels(means(results), task, "psnr-rgb")
    gaps = [line.get_ydata() for line in figure.axes[1].lines]
    assert len(gaps) == 2
    assert np.max(gaps, axis=0) == pytest.approx([0.0, 0.0])
    assert np.min(gaps) < 0


def test_a_band_is_drawn_only_over_several_seeds(make):
    one, task = make(methods=("dni",))
    two, _ = make(methods=("dni",), seeds=(0, 1))
    assert not curves.levels(means(one), task, PSNR).axes[0].collections
    assert curves.levels(means(two), task, PSNR).axes[0].collections


def test_bands_are_explained_where_there_are_any(make):
    one, task = make("denoise", methods=("dni", "experts"))
    more, _ = make("denoise", methods=("dni", "experts"), seeds=(0, 1, 2))
    both = Results.of(
        [
            *one.rows.to_dict("records"),
            *make("denoise", methods=("ftn",), seeds=(0, 1))[0].rows.to_dict("records"),
            *more.rows[more.rows["method"] == "experts"].to_dict("records"),
        ],
        one.costs.to_dict("records"),
        [],
    )
    words = [
        [text for text in labels_of(curves.levels(means(own), task, "psnr-rgb")) if "bands" in text]
        for own in (one, more, both)
    ]
    said = "bands, whiskers:\n± deviation\nover {} seeds"
    assert words == [[], [said.format("3")], [said.format("2 to 3")]]
    assert not any("bands" in text for text in labels_of(curves.pd_curve(means(more), task)))


def test_one_method_alone_has_no_row_of_differences(make):
    results, task = make("denoise", methods=("dni", "experts", "blend", "floor"))
    long = means(results)
    for figure in (curves.pd_curve(long, task), curves.levels(long, task, "psnr-rgb")):
        assert len(figure.axes) == 1


def test_differences_say_which_way_is_better(make):
    results, task = make("denoise", methods=("dni", "ftn"), levels=("0", "1"))
    below = curves.pd_curve(means(results), task).axes[1]
    assert below.get_xlabel() == "PSNR-RGB, dB: difference to the best →"
    assert below.get_ylabel() == "LPIPS:\ndifference to the best ↓"


def test_differences_to_the_best_have_no_bands(make):
    results, task = make("denoise", methods=("dni", "ftn", "experts"), seeds=(0, 1))
    above, below = curves.levels(means(results), task, "psnr-rgb").axes
    assert above.collections and below.lines and not below.collections


def test_a_figure_is_as_high_as_its_legend(make):
    methods = (*SHIPPED, "mine", "blend", "experts", "floor")
    results, task = make(methods=methods, levels=("0", "1"), pictures=False)
    with drawing("test"):
        figure, renderer = drawn(curves.pd_curve(means(results), task))
    entries = figure.legends[0].get_window_extent(renderer)
    assert entries.y0 >= figure.bbox.y0 + 3 and entries.y1 <= figure.bbox.y1 - 3
    assert len(labels_of(figure)) == 16
    few, _ = make(methods=("dni",), levels=("0", "1"), pictures=False)
    assert curves.pd_curve(means(few), task).get_figheight() == PANEL[1]


@pytest.mark.parametrize("letters", [36, 69])
def test_long_names_leave_the_panels_their_width(make, letters):
    results, task = make("denoise", methods=("dni", "x" * letters), levels=("0", "1"))
    with drawing("test"):
        figure, renderer = drawn(curves.levels(means(results), task, "psnr-rgb"))
    for axes in figure.axes:
        assert axes.get_position().width * figure.get_figwidth() > 0.7 * PANEL[0]
        assert axes.get_tightbbox(renderer).x1 < figure.legends[0].get_window_extent(renderer).x0


def test_a_long_name_has_its_backbone_in_a_line_of_its_own(make):
    both = ("small:blocks=2:width=8", "nafnet:dec=1-1:enc=1-1")
    results, task = make(methods=("dni",), levels=("0", "1"), backbones=both, pictures=False)
    names = labels_of(curves.pd_curve(means(results), task))
    assert "dni · " + both[0] in names and "dni ·\n" + both[1] not in names
    longer, _ = make(methods=("tunable_conv",), levels=("0", "1"), backbones=both, pictures=False)
    assert "tunable_conv ·\n" + both[0] in labels_of(curves.pd_curve(means(longer), task))


@pytest.mark.parametrize(
    ("name", "levels"),
    [("blur-noise", ("0/0", "0/1", "1/1")), ("operators-4", ("0", "0.333333", "1"))],
)
def test_where_no_line_joins_levels_the_last_is_not_called_an_end(make, name, levels):
    results, task = make(name, methods=("dni",), levels=levels)
    assert labels_of(curves.pd_curve(means(results), task)) == ["dni", "first level"]


def test_baselines_lie_below_methods_in_the_plane(make):
    results, task = make(methods=("dni", "experts", "blend", "floor"))
    heights = {True: [], False: []}
    looks = {look.marker: one for one, look in styles(curves.series_of(means(results))).items()}
    for line in curves.pd_curve(means(results), task).axes[0].lines:
        if line.get_marker() in looks:
            heights[looks[line.get_marker()].baseline].append(line.get_zorder())
    assert max(heights[True]) < min(heights[False])


def test_svg_text_stays_text_and_files_are_identical_when_drawn_again(make):
    results, task = make(
        methods=("dni", "x:a='$b_c$'"), levels=("0", "1"), pictures=False, null=("ssim", "niqe")
    )
    long = means(results)
    first, second = curves.curves(long, task), curves.curves(long, task)
    assert first == second
    assert set(first) >= {"pd_curve.svg", "pd_curve.png", "levels_lpips-alex-lpips-0.1.4.svg"}
    text = first["pd_curve.svg"].decode()
    assert re.search(r"<text[^>]*>x:a='\$b_c\$'</text>", text)
    assert "dc:date" not in text
    assert b"Software" not in first["pd_curve.png"]


def test_drawing_leaves_the_users_matplotlib_alone(make):
    import matplotlib

    before = dict(matplotlib.rcParams)
    results, task = make(methods=("dni",), levels=("0",), pictures=False, null=("niqe", "lpips"))
    curves.curves(means(results), task)
    assert dict(matplotlib.rcParams) == before
