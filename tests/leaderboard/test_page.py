"""Boards as pages: the same bytes, nothing of an entry taken for markup, the boards left alone."""

import html
import io
import json
import re
import shutil
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from benchmark import cli
from benchmark.leaderboard import board, build, check, drawing, drawn, entry, loaded
from benchmark.leaderboard.entry import Entry
from benchmark.leaderboard.page import card, home, page
from benchmark.store import Cell, Row, Store

FIELD = {"images": 5, "levels": 3, "status": "reproduced"}
EVIL = "</script><img src=x onerror=alert(1)>\"'&<b>"


class Tags(HTMLParser):
    def __init__(self, text: str):
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append(tag)


def test_pages_are_the_same_bytes_every_time_and_leave_the_boards_alone(
    put, boards, tmp_path, capsys
):
    put(**FIELD)
    put(method="adafm", quality=0.3, **FIELD)
    put(method="floor", quality=-10.0, **FIELD)
    put("denoise", **FIELD)
    build.write(boards)
    for out in ("one", "two"):
        assert cli.main(["board", "page", str(boards), "--out", str(tmp_path / out)]) == 0
    assert "index.html" in capsys.readouterr().out
    names = sorted(
        str(path.relative_to(tmp_path / "one")) for path in (tmp_path / "one").rglob("*.html")
    )
    entries = sorted(path.name for path in boards.glob("*/entries/*"))
    cards = [name for name in names if not name.endswith("index.html")]
    assert sorted(name.partition("/")[2] for name in cards) == [f"{one}.html" for one in entries]
    assert len(cards) == 4 and len(names) == 7
    assert all(
        (tmp_path / "one" / n).read_bytes() == (tmp_path / "two" / n).read_bytes() for n in names
    )
    assert check.check(boards).faults == []
    text = (tmp_path / "one" / "sr" / "index.html").read_text()
    assert "adafm" in text and "± " in text and "reproduced" in text


def test_text_of_an_entry_stays_text_even_if_nobody_checked_it(put, boards):
    put(**FIELD)
    groups = build.compared(boards / "sr")
    results = drawn.results(groups, boards / "sr")
    plain = Tags(page(groups, results) + home([("sr", groups)])).found
    bare = card(groups[0].standings[0].entry)
    for name in ("method", "preset", "status", "backbone"):
        groups[0].standings[0].entry.facts[name] = f"dni{EVIL}"
    groups[0].question = groups[0].question._replace(dataset=EVIL)
    results.rows["method"] = f"dni{EVIL}"
    text = page(groups, results) + home([(EVIL, groups)]) + card(groups[0].standings[0].entry)
    assert Tags(text).found == plain + Tags(bare).found
    assert "onerror=alert(1)>" not in text and "onerror=alert" in text


def test_a_spoilt_entry_or_a_missing_folder_is_one_line(put, boards, edit, tmp_path, capsys):
    edit(put(), rows=7)
    out = ["--out", str(tmp_path / "out")]
    assert cli.main(["board", "page", str(boards), *out]) == 1
    assert cli.main(["board", "page", str(boards / "none"), *out]) == 2
    assert capsys.readouterr().err.count("\n") == 2


def data_of(text: str) -> dict:
    return json.loads(text.partition('id="data">')[2].partition("</script>")[0])


def cell_of(one: Entry, level: str, **changes) -> Cell:
    facts = {
        "task": "sr",
        "dataset": "made-up",
        "seed": 0,
        "level": level,
        "set_level": level,
        "weights_sha256": one.facts["weights_sha256"]["0"],
        **dict(zip(("method", "backbone", "preset"), one.series, strict=True)),
        **changes,
    }
    names = {kind: f"{kind}-{level}.png" for kind in ("restored", "input", "clean")}
    key = f"{level}-{'-'.join(map(str, changes.values()))}"
    return Cell(
        key,
        facts,
        (Row("img_001", "psnr-y601", 1.0, "ok", ""),),
        {"ms_per_image": None},
        {"image": "img_001", **names},
    )


def test_pictures_are_those_of_the_same_weights_images_and_levels(put, boards, tmp_path):
    one, _ = loaded.load(put(**FIELD))
    groups, store = build.compared(boards / "sr"), Store(tmp_path / "runs")
    png = io.BytesIO()
    Image.fromarray(np.zeros((24, 24, 3), np.uint8)).save(png, "PNG")
    for level in ("0", "0.5", "0.7"):
        for kind in ("restored", "input", "clean"):
            store.write_picture("sr", f"{kind}-{level}.png", png.getvalue())

    def shown(*cells: Cell) -> list[str]:
        for cell in cells:
            store.write_cell("sr", cell)
        data = data_of(page(groups, drawn.results(groups, boards / "sr", store)))
        sets = [one for one in data["gallery"]["sets"] if one]
        return (
            [one["name"] for one in sets[0]["shown"] if one["files"] != [None] * 3] if sets else []
        )

    foreign = {"weights_sha256": "9" * 64}, {"dataset": "other"}, {"seed": 4}
    assert shown(cell_of(one, "0.7"), *(cell_of(one, "0", **other) for other in foreign)) == []
    assert shown(cell_of(one, "0"), cell_of(one, "0.5")) == ["input", "clean", "dni"]


def test_pictures_belong_to_the_curve_of_their_own_set(put, boards, tmp_path):
    entries = [
        loaded.load(put(**{**FIELD, "preset": "laptop:steps=2000", "images": 6}))[0],
        loaded.load(put(**FIELD))[0],
    ]
    groups, store = build.compared(boards / "sr"), Store(tmp_path / "runs")
    png = io.BytesIO()
    Image.fromarray(np.zeros((24, 24, 3), np.uint8)).save(png, "PNG")
    for kind in ("restored", "input", "clean"):
        store.write_picture("sr", f"{kind}-0.png", png.getvalue())
    for one in entries:
        store.write_cell("sr", cell_of(one, "0", preset=one.series.preset))
    data = data_of(page(groups, drawn.results(groups, boards / "sr", store)))
    for curves, pictures in zip(data["sets"], data["gallery"]["sets"], strict=True):
        (at,) = {it["series"] for it in pictures["shown"]} - {None}
        assert curves["names"][at] == "dni"


def test_what_is_taken_back_does_not_stay_published(put, boards, tmp_path):
    gone, kept = put(**FIELD), put(method="adafm", **FIELD)
    alone = put("denoise", **FIELD)
    build.pages(boards, tmp_path)
    mine = tmp_path / "sr" / "notes.html"
    mine.write_text("by hand")
    (boards / "dejpeg" / "entries").mkdir(parents=True)
    report = tmp_path / "dejpeg" / "index.html"
    report.parent.mkdir()
    report.write_text("a report")
    shutil.rmtree(gone)
    shutil.rmtree(alone)
    build.pages(boards, tmp_path)
    found = {path.name for path in (tmp_path / "sr").glob("*.html")}
    assert found == {"index.html", f"{kept.name}.html", mine.name}
    assert not [*(tmp_path / "denoise").glob("*.html")] and report.is_file()


def test_a_page_draws_every_metric_what_it_costs_and_the_matrix(put, boards):
    put("denoise", crossed=True, **FIELD)
    put("denoise", method="adafm", quality=0.3, **FIELD)
    groups = build.compared(boards / "denoise")
    text = page(groups, drawn.results(groups, boards / "denoise"))
    data = data_of(text)
    names = [one["name"] for one in data["sets"][0]["metrics"]]
    assert len(names) == len(groups[0].standings[0].entry.facts["metrics"]) and "LPIPS" in names
    assert [names[at] for at in data["plane"]] == ["PSNR-RGB, dB", "LPIPS"]
    assert text.count('<div class="matrix">') == 1
    # The two best methods are compared first, whatever their order in the table of colours.
    assert [data["series"][at]["name"] for at in data["pair"]] == ["adafm", "dni"]
    drawn_means = [line["y"] for line in data["sets"][0]["metrics"][0]["lines"]]
    for one in groups[0].standings:
        at = [it["name"] for it in data["series"]].index(one.entry.facts["method"])
        assert drawn_means[at] == pytest.approx(one.by_level(), abs=1e-5)


def test_a_page_says_how_many_entries_it_does_not_draw(put, boards):
    for at in range(drawing.LINES):
        put(method=f"ftn:groups={at + 1}", quality=0.1 * at, **FIELD)
    put(method="floor", quality=-10.0, **FIELD)

    def said() -> tuple[int, list[str]]:
        groups = build.compared(boards / "sr")
        text = page(groups, drawn.results(groups, boards / "sr"))
        return len(data_of(text)["series"]), re.findall(r"Not drawn: [^.]*\.", text)

    assert said() == (13, [])
    put(method="dni", quality=-1.0, **FIELD)
    put(method="adafm", quality=9.0, **{**FIELD, "status": "claimed"})
    assert said() == (13, ["Not drawn: 2 of 15 entries."])


def test_a_page_draws_the_floor_and_the_experts_beside_the_methods(put, boards):
    for method, options in (("dni", {}), ("floor", {}), ("experts", {"levels": 2})):
        put("sr", method=method, **{**FIELD, **options})
    # Of two floors, the panel shows the one of its own levels, not a mean of both.
    put("sr", method="floor", quality=0.1, **{**FIELD, "levels": 2})
    groups = build.compared(boards / "sr")
    data = data_of(page(groups, drawn.results(groups, boards / "sr")))
    assert len(data["sets"]) == 1
    lines = data["sets"][0]["metrics"][0]["lines"]
    known = {one["name"]: line["y"] for one, line in zip(data["series"], lines, strict=True)}
    assert sorted(known) == ["dni", "experts", "floor"]
    assert [value is None for value in known["experts"]].count(False) == 2
    (floor,) = [one for one in groups[0].standings if one.entry.series.family == "floor"]
    assert known["floor"] == pytest.approx(floor.by_level(), abs=1e-5)


def test_headings_say_units_and_which_way_is_better(put, boards):
    put(**FIELD)
    groups = build.compared(boards / "sr")
    text = page(groups, drawn.results(groups, boards / "sr"))
    heads = re.findall('<th scope="col">(.*?)</th>', text.partition("</noscript>")[2])
    assert heads[1:] == [
        "rank",
        "PSNR-Y, dB ↑",
        "area of PSNR-Y and LPIPS ↑",
        "gap to experts, dB ↓",
        "dial quality ↑",
        "coverage ↑",
        "stored parameters",
        "folded parameters",
        "MACs",
        "switch",
        "status",
        "confidence, dB",
        "weights",
        "preset",
    ]
    assert "Reproduced: the share" in text


def test_a_page_shows_its_curves_without_scripts_too(put, boards):
    put(**FIELD)
    groups = build.compared(boards / "sr")
    text = page(groups, drawn.results(groups, boards / "sr"))
    (still,) = re.findall("<noscript>(.*?)</noscript>", text, flags=re.DOTALL)
    assert "<svg" in still and "dni" in still


def test_every_line_leads_to_its_card(put, boards, tmp_path):
    one, _ = loaded.load(put(**FIELD))
    out = build.pages(boards, tmp_path / "out").parent / "sr"
    (link,) = re.findall(
        r'<th scope="row"><span><a href="([^"]+)">dni</a>', (out / "index.html").read_text()
    )
    text = (out / link).read_text()
    assert one.id in text and 'href="index.html"' in text and "<script" not in text
    facts = re.findall("<li>(.*?)</li>", text)
    lines = (boards / "sr" / "entries" / one.id / "card.md").read_text().splitlines()
    facts = [html.unescape(re.sub("</?code>", "`", fact)) for fact in facts]
    *facts, table, browser, programs = facts
    assert "Status: reproduced." in text and facts == [
        line[2:] for line in lines if line.startswith("- ")
    ]
    named = f"sr --entry leaderboards/sr/entries/{one.id}"
    assert table == f"a table: `dialbench sweep {named} --test photographs`"
    assert named in browser and named in programs


def test_only_networks_that_can_be_had_are_offered(put, boards, edit):
    path = put(images=5, levels=3)
    facts = json.loads((path / entry.NAME).read_text())
    size = sum(one["bytes"] for one in facts["weights"]) / 1e6
    for name, url, said in (
        ("file", None, f"{size:.1f} MB"),
        ("url", "https://nowhere.invalid/x.safetensors", "on a server"),
        ("none", None, "—"),
    ):
        if name != "file":
            gone = [{**one, "file": None, "url": url} for one in facts["weights"]]
            edit(path, weights=gone)
        one = entry.parse((path / entry.NAME).read_bytes(), strict=False)
        assert ("dialbench sweep" in card(one)) == (name != "none")
        text = board.markdown(build.compared(boards / "sr"), one.task).decode()
        (line,) = [line for line in text.splitlines() if "[dni]" in line]
        assert line.split(" | ")[-2] == said, name
