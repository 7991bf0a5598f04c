"""The data and the frame of the page."""

import base64
import hashlib
import io
import json
import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchmark import report
from benchmark.analysis.field import field_intervals
from benchmark.analysis.scores import Run, Scores
from benchmark.analysis.statistics import interval
from benchmark.report.averages import means
from benchmark.report.derived import derive
from benchmark.report.gallery import gallery
from benchmark.report.home import home
from benchmark.report.html import embedded, frame
from benchmark.report.marks import contrast, marker, on_dark
from benchmark.report.matrices import matrices
from benchmark.report.plots import plots, series_of
from benchmark.report.strip import CAPTION, GAP, TILE, strip
from benchmark.report.style import COLORS, MARKERS, REFERENCES
from benchmark.results import Results

PSNR = "psnr-y601"


def found_of(**values):
    """Scores of one metric at one level, by method."""
    images = ("a", "b", "c")
    return {
        Run(method, "small", "laptop", "set5"): {
            0: {PSNR: Scores(images, {("0", "0"): np.array(own, dtype=float)})}
        }
        for method, own in values.items()
    }


def test_bands_leave_out_how_much_images_differ():
    found = found_of(dni=(20, 30, 40), ftn=(21, 31.2, 41.1))
    ends = field_intervals(found, "set5", PSNR, list(found))
    for run, seeds in found.items():
        low, high = ends[run, "0"]
        mean = seeds[0][PSNR].cells["0", "0"].mean()
        assert low <= mean <= high and high - low < 0.2


def test_a_single_method_has_the_plain_interval_and_a_single_image_none():
    found = found_of(dni=(20, 30, 40))
    ((low, high),) = field_intervals(found, "set5", PSNR, list(found)).values()
    assert (low, high) == tuple(map(float, interval(np.array([20.0, 30.0, 40.0]))))
    one = {run: {0: {PSNR: Scores(("a",), {("0", "0"): np.array([1.0])})}} for run in found}
    assert field_intervals(one, "set5", PSNR, list(one)) == {}


def test_the_values_to_draw_are_those_of_the_tables(make):
    results, task = make(methods=("dni", "ftn", "floor"), levels=("0", "1"), seeds=(0, 1))
    long = means(results)
    data = plots(long, task, derive(results, task).found)
    assert [one["name"] for one in data["series"]] == ["dni", "ftn", "floor"]
    (shown,) = data["sets"]
    for metric, name in zip(shown["metrics"], ("psnr", "ssim"), strict=False):
        for at, method in enumerate(("dni", "ftn", "floor")):
            rows = long[long["metric"].str.startswith(name) & (long["method"] == method)]
            assert metric["lines"][at]["y"] == pytest.approx(list(rows["mean"]), abs=1e-6)
            assert all(" ± " in text for text in metric["lines"][at]["text"])
    best = shown["metrics"][0]["best"]
    assert best == [
        max(line["y"][at] for line in shown["metrics"][0]["lines"][:2]) for at in (0, 1)
    ]


def test_missing_and_infinite_values_are_not_drawn(make):
    results, task = make(methods=("dni", "ftn"), levels=("0", "1"), pictures=False)
    rows = results.rows
    rows.loc[(rows["metric"] == PSNR) & (rows["level"] == "0"), "value"] = math.inf
    rows.loc[(rows["metric"] == PSNR) & (rows["method"] == "ftn"), "value"] = math.nan
    data = plots(means(results), task, derive(results, task).found)
    line = data["sets"][0]["metrics"][0]["lines"][0]
    assert line["y"][0] is None and line["text"][0] == "∞" and line["y"][1] is not None
    json.dumps(data, allow_nan=False)


def test_pictures_are_lossless_and_each_is_there_once(make):
    results, task = make(methods=("dni", "experts"), levels=("0", "0.25", "1"))
    long = means(results)
    found = gallery(results, task, long, series_of(long))
    (shown,) = found["sets"]
    assert [one["name"] for one in shown["shown"]] == ["input", "clean", "dni", "experts"]
    same = {one["name"]: one["files"] for one in shown["shown"]}
    assert len(set(same["input"])) == 1 and len(set(same["clean"])) == 1
    assert same["experts"][1] is None and len(set(same["dni"])) == 3
    assert len(found["files"]) == len(set(found["files"])) == 2 + 3 + 2
    pictures = results.pictures
    path = pictures.loc[(pictures["method"] == "dni") & (pictures["level"] == "1"), "path"].item()
    embedded_one = base64.b64decode(found["files"][same["dni"][2]])
    with Image.open(io.BytesIO(embedded_one)) as ours, Image.open(path) as theirs:
        assert np.array_equal(np.asarray(ours.convert("RGB")), np.asarray(theirs))
    assert "lossless" in shown["note"] and "crops" not in shown["note"]


def test_pictures_and_captions_of_two_budgets_are_each_their_own(make):
    (one, task), (other, _) = (make(methods=("dni",), levels=("0", "1")) for _ in range(2))
    for table in (other.rows, other.costs, other.pictures):
        table.loc[table["method"] == "dni", "preset"] = "smoke"
    other.rows["value"] += 1
    path = other.pictures.query("method == 'dni' and level == '1'")["path"].item()
    Image.new("RGB", (160, 120), "red").save(path)
    pairs = ((one.rows, other.rows), (one.costs, other.costs), (one.pictures, other.pictures))
    both = Results(*map(pd.concat, pairs))
    long = means(both)
    every = series_of(long)
    found = gallery(both, task, long, every)
    first, second = found["sets"][0]["shown"][2:]
    assert [first["name"], second["name"]] == ["dni · laptop", "dni · smoke"]
    assert [every[it["series"]].preset for it in (first, second)] == ["laptop", "smoke"]
    with Image.open(io.BytesIO(base64.b64decode(found["files"][second["files"][1]]))) as image:
        assert image.convert("RGB").getpixel((0, 0)) == (255, 0, 0)
    values = [float(it["captions"][1].partition(" ")[0]) for it in (first, second)]
    assert values[1] - values[0] == pytest.approx(1, abs=0.011)
    assert strip_size(both, task)[1] == strip_size(one, task)[1] + TILE + CAPTION + GAP


def strip_size(results, task) -> tuple[int, int]:
    with Image.open(io.BytesIO(strip(results, task))) as image:
        return image.size


def test_too_many_pictures_are_cut_to_one_window_and_the_page_says_so(make):
    results, task = make(methods=("dni", "ftn"), levels=("0", "1"))
    long = means(results)
    limit = 60_000
    whole = gallery(results, task, long, series_of(long))
    found = gallery(results, task, long, series_of(long), limit)
    assert sum(map(len, whole["files"])) > limit * 4 / 3 > sum(map(len, found["files"])) > 0
    width, height = found["sets"][0]["shape"]
    assert f"crops of {width} x {height}" in found["sets"][0]["note"]
    sizes = {
        name: Image.open(io.BytesIO(base64.b64decode(found["files"][at]))).size
        for name, at in ((one["name"], one["files"][0]) for one in found["sets"][0]["shown"])
    }
    assert sizes["clean"] == sizes["dni"] == (width, height)
    assert sizes["input"] == (width // 4, height // 4)


def test_what_stands_beside_a_name_has_its_unit_where_it_has_one(make):
    for null, wanted in (((), r"\d+\.\d\d dB · 0\.\d+"), (("lpips",), r"\d+\.\d\d dB")):
        results, task = make(methods=("dni", "ftn"), levels=("0", "1"), null=null)
        long = means(results)
        (shown,) = gallery(results, task, long, series_of(long))["sets"]
        captions = {one["name"]: one["captions"][0] for one in shown["shown"]}
        assert re.fullmatch(wanted, captions["dni"]) and captions["clean"] == ""


def test_data_cannot_end_its_element():
    text = embedded({"a": "</script><script>alert(1)</script><!--&amp;\u2028"})
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text)["a"].startswith("</script>")


def test_the_policy_names_the_only_script():
    text = frame("<b>", ["<p>x</p>"], data={"a": 1})
    (script,) = re.findall(r"<script>(.*?)</script>", text, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"default-src 'none'; script-src 'sha256-{digest}'" in text
    assert "<title>&lt;b&gt;</title>" in text
    assert not re.search(r"https?:(?!//www\.w3\.org/2000/svg)", text)


def test_every_colour_shows_on_the_dark_page_and_grays_stay_apart():
    def rgb(color: str) -> list[int]:
        return [int(color[at : at + 2], 16) for at in (1, 3, 5)]

    style = Path(report.__file__).with_name("static") / "page.css"
    dark = style.read_text(encoding="utf-8").partition("prefers-color-scheme: dark")[2]
    paper = re.search("--paper: (#[0-9a-f]{6});", dark)[1]
    every = [*COLORS, *(one.color for one in REFERENCES.values())]
    for color in every:
        assert contrast(rgb(on_dark(color)), rgb(paper)) >= 4.5
    assert len({on_dark(color) for color in COLORS}) == len(COLORS)
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)


@pytest.mark.parametrize("name", [*MARKERS, "*", "x"])
def test_markers_are_paths_in_a_box(name):
    path = marker(name)
    assert re.fullmatch(r"(?:[MLQC][-\d. ]+|Z)+", path)
    numbers = [float(text) for text in re.findall(r"-?\d+\.\d+", path)]
    assert max(map(abs, numbers)) == pytest.approx(1, abs=1e-3)


def test_the_matrix_is_a_table_with_readable_numbers(make):
    results, task = make("denoise", methods=("dni", "experts"), levels=("0.2", "1"), matrix=True)
    html = matrices(derive(results, task).found, task)
    assert (
        html.count("<table") == 1 and html.count("●</td>") == 2 and html.count('class="own"') == 2
    )
    for color, ink in re.findall(r"background:(#\w+);color:(\w+)", html):
        rgb = [int(color[at : at + 2], 16) for at in (1, 3, 5)]
        assert contrast(rgb, (255,) * 3 if ink == "white" else (0,) * 3) >= 4.5
    assert "<i style" in html and re.search(r"</i>\d+\.\d+ dB, the most", html)
    results, task = make("denoise", methods=("dni",), levels=("0.2", "1"))
    assert matrices(derive(results, task).found, task) == ""


def test_the_index_lists_every_report_and_nothing_else(make, tmp_path):
    results, task = make(methods=("dni", "ftn"), levels=("0", "1"), images=("a", "b", "c"))
    report.write(results, task, "laptop", tmp_path / "sr@pirm")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "about.json").write_text("{")
    (tmp_path / "empty").mkdir()
    hostile = {"task": "<script>alert(1)</script>", "summary": "<b>"}
    (tmp_path / 'a"b').mkdir()
    (tmp_path / 'a"b' / "about.json").write_text(json.dumps(hostile))
    (tmp_path / 'a"b' / "index.html").touch()
    (tmp_path / "cut off").mkdir()
    (tmp_path / "cut off" / "about.json").write_text('{"task": "sr"}')
    text = report.index(tmp_path).read_text()
    assert re.findall(r'<a href="([^"#]*index\.html)"', text) == [
        "a%22b/index.html",
        "sr%40pirm/index.html",
    ]
    assert "alert(1)</script>" not in text and "broken" not in text
    assert text == home(tmp_path)


def test_the_index_says_why_nobody_has_a_rank_and_what_methods_reach_all_the_same(make, tmp_path):
    options = {"methods": ("dni", "ftn", "floor"), "images": ("a", "b", "c"), "levels": ("0", "1")}
    results, task = make(**options)
    report.write(results, task, "laptop", tmp_path / "ranked")
    results, task = make(**options, null=("lpips",))
    report.write(results, task, "laptop", tmp_path / "unranked")
    ranked, unranked = (
        json.loads((tmp_path / name / "about.json").read_text()) for name in ("ranked", "unranked")
    )
    assert set(ranked["leaders"].split(", ")) <= {"dni", "ftn"}
    assert re.fullmatch(r"PSNR-Y \d+\.\d\d", ranked["value"])
    assert unranked["leaders"].startswith("nobody: ") and "LPIPS is missing" in unranked["leaders"]
    assert re.fullmatch(r"PSNR-Y \d+\.\d\d to \d+\.\d\d", unranked["value"])
    results, task = make(**options, null=("psnr", "lpips"))
    report.write(results, task, "laptop", tmp_path / "nothing")
    assert json.loads((tmp_path / "nothing" / "about.json").read_text())["value"] == "PSNR-Y —"
    results, task = make(**{**options, "methods": ("dni", "floor")})
    report.write(results, task, "laptop", tmp_path / "alone")
    alone = json.loads((tmp_path / "alone" / "about.json").read_text())
    assert alone["leaders"] == "nobody: there is one method"
    assert re.fullmatch(r"PSNR-Y \d+\.\d\d", alone["value"])
