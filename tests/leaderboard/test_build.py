"""Boards: who is ranked, who shares a rank, and the same bytes every time."""

import csv
import dataclasses
import json
import re
import shutil
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from benchmark import cli, tasks
from benchmark.analysis.dial import figures
from benchmark.analysis.scores import Scores
from benchmark.errors import UserError
from benchmark.leaderboard import build, check, drawing, entry, results, rows
from benchmark.leaderboard.entry import parse
from benchmark.metrics.records import METRICS

FIELD = {"images": 20, "levels": 5, "status": "reproduced"}
BEFORE = {"axis": "quality", "unit": "", "start": 40.0, "end": 10.0, "first": 40.0, "last": 10.0}
"""The range of version 1 of dejpeg."""


def lines(boards, task="sr") -> list[dict[str, str]]:
    with open(boards / task / "board.csv", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def field(boards, put):
    """Four ranked methods in two pairs, one that is claimed, and three baselines."""
    for method, quality in (("dni", 0.0), ("ftn:groups=4", 0.0), ("adafm", 0.3), ("hypernet", 0.3)):
        put(method=method, quality=quality, **FIELD)
    put(method="cfsnet", quality=9.0, images=20, levels=5)
    put(method="blend", quality=9.0, **FIELD)
    put(method="floor", quality=-10.0, **FIELD)
    put(method="experts", quality=0.5, **{**FIELD, "levels": 3})
    build.write(boards)
    return boards


def test_what_cannot_be_told_apart_shares_a_rank_and_only_reproduced_methods_have_one(field):
    ranks = {line["method"]: line["rank"] for line in lines(field)}
    assert ranks == {
        "adafm": "1",
        "hypernet": "1",
        "dni": "3",
        "ftn:groups=4": "3",
        "cfsnet": "",
        "blend": "",
        "floor": "",
        "experts": "",
    }
    order = [line["method"] for line in lines(field) if line["levels"] == "0 0.25 0.5 0.75 1"]
    assert order[4:] == ["cfsnet", "blend", "floor"] and {*order[:2]} == {"adafm", "hypernet"}


def test_intervals_overlap_exactly_where_ranks_are_shared(field):
    ends = {one["method"]: (float(one["low"]), float(one["high"])) for one in lines(field)}
    assert ends["dni"][1] < ends["adafm"][0] and ends["dni"][1] > ends["ftn:groups=4"][0]


def test_experts_are_drawn_beside_what_they_are_the_measure_of(field):
    drawn = drawing.means(build.compared(field / "sr"))
    (panel,) = set(drawn["dataset"])
    assert panel == "made-up (20 images, 5 levels)"
    assert drawn.groupby("method")["level"].count()[["dni", "experts"]].tolist() == [5, 3]


def test_a_board_is_the_same_bytes_every_time_and_in_any_order(field, tmp_path, put):
    before = {
        name: (field / "sr" / name).read_bytes() for name in ("board.md", "board.csv", "curves.svg")
    }
    assert build.write(field) == []
    assert check.check(field).faults == []
    copy = tmp_path / "copy" / "sr"
    (copy / "entries").mkdir(parents=True)
    for path in sorted((field / "sr" / "entries").iterdir(), reverse=True):
        shutil.copytree(path, copy / "entries" / path.name)
    assert build.board(copy) == before


def test_a_board_names_the_page_on_boards_and_links_to_nothing_outside_its_folder(field):
    text = (field / "sr" / "board.md").read_text()
    links = re.findall(r"\]\(([^)]*)\)", text)
    assert links and all((field / "sr" / one).is_file() and ".." not in one for one in links)
    assert "`docs/boards.md` of dialbench" in text


def test_a_board_that_was_edited_or_is_missing_is_a_fault(field):
    (field / "sr" / "board.md").write_text("dni is best")
    (field / "sr" / "curves.svg").unlink()
    assert check.check(field).faults == [
        "sr/board.md: not what the entries make; run 'dialbench board build'",
        "sr/curves.svg: not what the entries make; run 'dialbench board build'",
    ]


def test_figures_are_those_of_reports(field):
    def loaded(method):
        path = next((field / "sr" / "entries").glob(f"{method}-*"))
        one = parse((path / entry.NAME).read_bytes())
        values = rows.read((path / rows.NAME).read_bytes(), one.layout)
        found = {}
        for (metric, _, _, level, dial, _image), value in zip(
            one.layout.row_keys(), values, strict=True
        ):
            cells = found.setdefault(metric, {})
            cells.setdefault((level, dial), []).append(value)
        images = one.layout.sets[0][1]
        return {
            metric: Scores(images, {key: np.array(own) for key, own in cells.items()})
            for metric, cells in found.items()
        }

    told = figures(loaded("dni"), loaded("experts"), tasks.get("sr"))
    (line,) = (one for one in lines(field) if one["method"] == "dni")
    for column, name in (
        ("gap_to_experts", "gap-mean"),
        ("coverage", "coverage"),
        ("dial_quality", "monotonicity"),
    ):
        assert float(line[column]) == pytest.approx(told[name, "psnr-y601", ""], abs=1e-6)
    mean = np.mean(list(loaded("dni")["psnr-y601"].by_level().values()))
    assert float(line["headline"]) == pytest.approx(mean, abs=1e-6)


@pytest.mark.parametrize(
    ("task", "metric"), [("style", "style-brick"), ("denoise-strength", "psnr-rgb")]
)
def test_a_dial_is_not_followed_along_what_changes_with_the_level(task, metric, boards, put):
    for method in ("experts", "dni"):
        put(task, method=method, **{**FIELD, "images": 6})
    build.write(boards)
    (line,) = (one for one in lines(boards, task) if one["method"] == "dni")
    own, experts = (means_of(boards, task, method, metric) for method in ("dni", "experts"))
    steps = np.diff(own)
    quality = abs(own[-1] - own[0]) / np.abs(steps).sum()
    assert float(line["dial_quality"]) == pytest.approx(quality, abs=1e-6)
    low, high = sorted((experts[0], experts[-1]))
    reached = (min(high, max(own)) - max(low, min(own))) / (high - low)
    assert float(line["coverage"]) == pytest.approx(max(0, reached), abs=1e-6)
    assert METRICS[metric].label in (boards / task / "board.md").read_text()


def means_of(boards, task, method, metric):
    """The mean of a metric at every level, from the rows of an entry."""
    path = next((boards / task / "entries").glob(f"{method}-*"))
    one = parse((path / entry.NAME).read_bytes())
    values = rows.read((path / rows.NAME).read_bytes(), one.layout)
    found = {}
    for (name, _, _, level, dial, _image), value in zip(one.layout.row_keys(), values, strict=True):
        if name == metric and level == dial:
            found.setdefault(level, []).append(value)
    return [float(np.mean(found[level])) for level in sorted(found, key=float)]


def test_experts_that_nobody_has_reproduced_measure_nothing(field, put):
    before = (field / "sr" / "board.csv").read_text().splitlines()
    put(method="experts", quality=5.0, images=20, levels=5)
    build.write(field)
    after = (field / "sr" / "board.csv").read_text().splitlines()
    assert len(after) == len(before) + 1 and {*before} < {*after}


def test_cases_of_a_picture_count_as_one_image(boards, put):
    for method, quality in (("dni", 0.0), ("ftn", 0.1)):
        put("denoise-strength", method=method, quality=quality, **{**FIELD, "images": 4})
    build.write(boards)
    found = lines(boards, "denoise-strength")
    path = next((boards / "denoise-strength" / "entries").glob("dni-*"))
    images = parse((path / entry.NAME).read_bytes()).layout.sets[0][1]
    assert {one["images"] for one in found} == {"4"}
    assert len(images) == 4 * len(tasks.get("denoise-strength").cases)


def test_a_degradation_task_judges_the_dial_by_the_matrix(boards, put):
    put("denoise", crossed=True, levels=5, seeds=(0, 1))
    put("denoise", method="ftn", levels=5)
    build.write(boards)
    quality = {one["method"]: one["dial_quality"] for one in lines(boards, "denoise")}
    assert float(quality["dni"]) > 0.99 and quality["ftn"] == ""


def test_entries_of_other_images_levels_or_versions_do_not_compete(boards, put):
    put("denoise", **FIELD)
    put("denoise", method="ftn", **{**FIELD, "levels": 3})
    put("denoise", method="adafm", **{**FIELD, "images": 10})
    build.write(boards)
    # Who is alone is not first.
    assert [one["rank"] for one in lines(boards, "denoise")] == ["", "", ""]
    assert (boards / "denoise" / "board.md").read_text().count("\n## ") == 3


def test_entries_of_an_older_version_keep_their_table_and_their_range(boards, put):
    put("dejpeg", **FIELD)
    put("dejpeg", method="ftn", task_version=1, range=[BEFORE], **FIELD)
    build.write(boards)
    assert check.check(boards).faults == []
    assert [(one["method"], one["version"], one["rank"]) for one in lines(boards, "dejpeg")] == [
        ("dni", "2", ""),
        ("ftn", "1", ""),
    ]
    newest, older = re.findall(r"^## (.*)$", (boards / "dejpeg" / "board.md").read_text(), re.M)
    assert "quality 80 to 10" in newest and "version" not in newest
    assert "quality 40 to 10, version 1 of the task" in older
    shown = drawing.means(build.compared(boards / "dejpeg"))
    assert set(shown["method"]) == {"dni"}, "a figure has one range"
    text = results.text("", boards)
    assert "quality 80 to 10" in text and "ftn" not in text


def test_entries_of_an_older_version_are_computed_again_by_its_release(put, home, capsys):
    path = put("dejpeg", task_version=1, range=[BEFORE], **FIELD)
    assert cli.main(["board", "verify", str(path), "--offline"]) == 1
    assert "it is of version 1 of dejpeg, which is at 2 here" in capsys.readouterr().err


@pytest.mark.parametrize("change", [{"start": 95.0}, {"axis": "blocks"}, {"last": 20.0}])
def test_an_older_entry_of_another_range_is_refused(put, change):
    put("dejpeg", task_version=1, range=[BEFORE], **FIELD)
    with pytest.raises(UserError, match="range: not that of the task"):
        put("dejpeg", task_version=1, range=[{**BEFORE, **change}], method="ftn", **FIELD)


def test_levels_that_harm_no_image_and_pairs_have_no_board(put, monkeypatch):
    harmless = dataclasses.replace(tasks.get("denoise"), harmless=((0.0,),))
    with monkeypatch.context() as patch:
        patch.setattr(entry, "_task", lambda name: harmless)
        with pytest.raises(UserError, match="levels: 0 harms no image"):
            put("denoise", **FIELD)
    with pytest.raises(UserError, match="nobody knows the levels of pairs"):
        put("derain@pairs", **FIELD)


def test_in_a_plane_ranks_are_by_the_area_over_a_floor_that_was_computed_again(field, put, boards):
    from benchmark.analysis.plane import won

    def values(method, metric):
        path = next((field / "sr" / "entries").glob(f"{method}-*"))
        one = parse((path / entry.NAME).read_bytes())
        return rows.read_some((path / rows.NAME).read_bytes(), one.layout, [metric])[0].reshape(
            5, 20
        )

    pair = ("psnr-y601", "lpips-alex@lpips-0.1.4")
    area = won(
        tasks.get("sr"),
        *(tuple(values(method, one) for one in pair) for method in ("dni", "floor")),
    )
    (line,) = (one for one in lines(field) if one["method"] == "dni")
    assert line["ranked_by"] == "area of PSNR-Y and LPIPS"
    assert float(line["merit"]) == pytest.approx(area.mean(), abs=1e-6)
    assert float(line["low"]) < float(line["merit"]) < float(line["high"])
    # Experts answer at other levels, and are measured against the same floor.
    (line,) = (one for one in lines(field) if one["method"] == "experts")
    assert float(line["merit"]) > area.mean()
    assert "area that their levels win over floor" in (field / "sr" / "board.md").read_text()


@pytest.mark.parametrize(
    ("task", "ranks"),
    [("sr", "the area of PSNR-Y and LPIPS ranks"), ("denoise", "the first one ranks")],
)
def test_cards_say_what_ranks(task, ranks, put):
    assert f"; {ranks}\n" in (put(task) / "card.md").read_text()


def test_without_a_floor_that_can_be_trusted_nobody_has_a_rank_in_a_plane(boards, put):
    put(**FIELD)
    put(method="ftn", quality=1.0, **FIELD)
    put(method="floor", quality=-10.0, **{**FIELD, "status": "claimed"})
    build.write(boards)
    assert {(one["rank"], one["merit"], one["low"]) for one in lines(boards)} == {("", "", "")}
    assert all(float(one["headline"]) for one in lines(boards))


def test_an_entry_without_the_perception_metric_is_listed_in_a_plane_but_has_no_rank(field, put):
    put(method="dynamic_net", metrics=1, **FIELD)
    build.write(field)
    own = {one["method"]: one for one in lines(field)}
    assert (own["dynamic_net"]["rank"], own["dynamic_net"]["merit"]) == ("", "")
    assert own["dni"]["rank"] == "3"


def test_one_image_gives_no_rank(boards, put):
    put(images=1, status="reproduced")
    build.write(boards)
    assert [(one["rank"], one["low"]) for one in lines(boards)] == [("", "")]


@pytest.mark.parametrize(("images", "status", "warned"), [
    (3, "reproduced", True), (9, "reproduced", True), (10, "reproduced", False), (3, "claimed", False),
])  # fmt: skip
def test_a_board_warns_where_ranks_are_by_few_images(images, status, warned, boards, put):
    for method in ("dni", "ftn"):
        put("denoise", method=method, images=images, levels=3, status=status)
    put("denoise", images=images, levels=3, status=status)
    build.write(boards)
    text = (boards / "denoise" / "board.md").read_text()
    assert (f"With only {images} images intervals are too narrow" in text) == warned
    assert text.count("With only") == warned


def test_the_figure_is_sound_svg_without_scripts_or_links(field):
    text = (field / "sr" / "curves.svg").read_text()
    root = ElementTree.fromstring(text)
    assert not re.search(r"<script|\bon\w+=|href=\"[^#]|url\([^#]", text)
    assert "dni" in "".join(root.itertext())


def test_a_figure_of_another_release_of_matplotlib_must_show_this_table(field):
    path = field / "sr" / "curves.svg"
    path.write_text(path.read_text().replace("</svg>", "<g/></svg>"))
    assert len(check.check(field).faults) == 1
    older = re.sub(r"matplotlib [\w.]+<", "matplotlib 3.0.0<", path.read_text())
    path.write_text(older)
    assert check.check(field).faults == []
    path.write_text(re.sub(r"board\.csv \w{4}", "board.csv 0000", older))
    assert len(check.check(field).faults) == 1


def test_a_folder_without_entries_has_no_board(boards, put):
    path = put()
    build.write(boards)
    shutil.rmtree(path)
    assert [one.partition(":")[0] for one in check.check(boards).faults] == [
        "sr/board.md",
        "sr/board.csv",
        "sr/curves.svg",
    ]
    assert [one.name for one in build.write(boards)] == ["board.md", "board.csv", "curves.svg"]
    assert check.check(boards).faults == []


def test_a_spoilt_entry_stops_the_build_with_one_line(put, boards, edit, capsys):
    edit(put(), rows=7)
    assert cli.main(["board", "build", str(boards)]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "rows: 7" in said
    assert cli.main(["board", "build", str(boards / "none")]) == 2


def test_facts_of_cost_and_budget_are_columns(field):
    line = next(one for one in lines(field) if one["method"] == "dni")
    facts = json.loads((field / "sr" / "entries" / line["id"] / entry.NAME).read_bytes())
    assert line["params_stored"] == str(facts["cost"]["params_stored"])
    assert (line["preset"], line["status"], line["switch_ms"]) == ("laptop", "reproduced", "")
