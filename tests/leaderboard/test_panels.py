"""The sets of a board: what their panels are called and how methods look on each."""

import json
import re

import pytest

from benchmark.leaderboard import build, drawing, drawn
from benchmark.leaderboard.page import page
from benchmark.report import marks
from benchmark.report.series import Series
from benchmark.report.style import styles

FIELD = {"images": 5, "levels": 3, "status": "reproduced"}


def data_of(text: str) -> dict:
    return json.loads(text.partition('id="data">')[2].partition("</script>")[0])


def test_what_all_of_a_set_have_in_common_stands_with_the_set(put, boards):
    long = {**FIELD, "preset": "laptop:steps=2000", "images": 6}
    for method in ("dni", "ftn"):
        put("denoise", method=method, **FIELD)
        put("denoise", method=method, **long)
    groups = build.compared(boards / "denoise")
    # The set of most images comes first, for the page as for the tables.
    assert [len(group.question.images) for group in groups] == [6, 5]
    data = data_of(page(groups, drawn.results(groups, boards / "denoise")))
    assert [one["name"].partition("), ")[2] for one in data["sets"]] == [long["preset"], "laptop"]
    for one in data["sets"]:
        assert [name for name in one["names"] if name] == ["dni", "ftn"]
    put("denoise", method="ftn", **{**FIELD, "preset": "laptop:lr=0.1"})
    groups = build.compared(boards / "denoise")
    last = data_of(page(groups, drawn.results(groups, boards / "denoise")))["sets"][-1]
    assert last["name"].endswith("levels)")
    named = sorted(name for name in last["names"] if name)
    assert named == ["dni · laptop", "ftn · laptop", "ftn · laptop:lr=0.1"]


def test_methods_look_the_same_in_panels_of_which_each_has_one_preset(put, boards):
    put("denoise", **FIELD)
    put("denoise", **{**FIELD, "preset": "laptop:steps=2000", "images": 6})
    long = drawing.means(build.compared(boards / "denoise"))
    assert [*long["dataset"].unique()] == [
        "made-up (6 images, 3 levels)\nlaptop:steps=2000",
        "made-up (5 images, 3 levels)\nlaptop",
    ]
    assert {*long["preset"]} == {""}
    put("denoise", **{**FIELD, "preset": "laptop:lr=0.1"})
    long = drawing.means(build.compared(boards / "denoise"))
    assert {*long["preset"]} == {"laptop", "laptop:lr=0.1", "laptop:steps=2000"}


def test_tables_of_one_name_and_as_many_images_and_levels_are_panels_of_their_own(put, boards):
    """Their means together are those of nothing."""
    other = {"sets": [{"name": "made-up", "digest": "9" * 20, "images": [*"abcde"]}]}
    for method in ("dni", "ftn"):
        put("denoise", method=method, **FIELD)
        put("denoise", method=method, quality=5.0, **FIELD, **other)
    groups = build.compared(boards / "denoise")
    assert len(groups) == 2
    data = data_of(page(groups, drawn.results(groups, boards / "denoise")))
    names = [f"made-up (5 images, 3 levels; table {number})" for number in (1, 2)]
    assert [one["name"] for one in data["sets"]] == names
    assert [*drawing.means(groups)["dataset"].unique()] == names
    for one, group in zip(data["sets"], groups, strict=True):
        known = {it.entry.facts["method"]: it.by_level() for it in group.standings}
        for name, line in zip(one["names"], one["metrics"][0]["lines"], strict=True):
            assert line["y"] == pytest.approx(known[name], abs=1e-5)


def two_presets(put, boards):
    """The page of a board of two sets, trained otherwise; 'ftn' and 'cfsnet' lead the second."""
    long = {**FIELD, "preset": "laptop:steps=2000", "images": 6}
    for quality, method in enumerate(("dni", "adafm", "ftn", "cfsnet", "blend", "floor")):
        put("denoise", method=method, quality=-quality, **long)
        put("denoise", method=method, quality=quality, **FIELD)
    groups = build.compared(boards / "denoise")
    return page(groups, drawn.results(groups, boards / "denoise")), groups


def test_the_two_best_of_every_set_are_compared_first_on_it(put, boards):
    data = data_of(two_presets(put, boards)[0])
    named = [[one["names"][at] for at in one["pair"]] for one in data["sets"]]
    assert named == [["dni", "adafm"], ["cfsnet", "ftn"]]
    assert data["pair"] == data["sets"][0]["pair"]


def test_thick_lines_are_those_of_the_set_that_is_shown(put, boards, tmp_path, browser):
    text, _ = two_presets(put, boards)
    (tmp_path / "page.html").write_text(text)
    browser.open(tmp_path / "page.html")
    for at, one in enumerate(data_of(text)["sets"]):
        browser.run(
            f"const set = document.getElementById('set'); set.value = {at};"
            "set.dispatchEvent(new Event('change'))"
        )
        strong = browser.run(
            "return [...document.querySelectorAll('#plots figure:nth-child(2) .strong')]"
            ".map(one => Number(one.dataset.series))"
        )
        assert sorted(strong) == sorted(one["pair"])
    assert browser.complaints == []


def test_methods_look_on_every_set_as_in_figures_where_each_has_one_preset(put, boards):
    """Else the references, which are gray, had one bright colour together on the first set."""
    text, _ = two_presets(put, boards)
    data, colours = data_of(text), re.findall(r"\.s\d+{--c:(#\w+)}", text)
    for one in data["sets"]:
        shown = {name: at for at, name in enumerate(one["names"]) if name}
        for series, look in styles(Series(name, "small", "") for name in shown).items():
            at = shown[series.method]
            assert data["series"][at]["marker"] == marks.marker(look.marker)
            assert data["series"][at]["dash"] == marks.dash(look)
            assert colours[at] == look.color
    put("denoise", method="dni", **{**FIELD, "preset": "laptop:lr=0.1"})
    groups = build.compared(boards / "denoise")
    looks = data_of(page(groups, drawn.results(groups, boards / "denoise")))["series"]
    three = [tuple(one[key] for key in ("marker", "dash")) for one in looks if "dni" in one["name"]]
    assert len({*three}) == len(three) == 3


def test_a_long_preset_is_broken_where_it_would_run_into_the_next_panel(put, boards):
    long = "laptop:batch=16:lr=0.0001:patch=64:precision=bf16-mixed:steps=20000"
    put("denoise", **FIELD)
    put("denoise", **{**FIELD, "preset": long, "images": 6})
    name, *lines = drawing.means(build.compared(boards / "denoise"))["dataset"][0].split("\n")
    assert name == "made-up (6 images, 3 levels)"
    assert "".join(lines) == long and max(map(len, lines)) <= drawing.LETTERS
    assert all(line[-1] == ":" for line in lines[:-1])
