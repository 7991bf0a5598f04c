"""Boards as pages: the same bytes, nothing of an entry taken for markup, the boards left alone."""

from html.parser import HTMLParser

from benchmark import cli
from benchmark.leaderboard import build, check, drawn
from benchmark.leaderboard.page import card, home, page

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
    assert len(cards) == 3 and len(names) == 6
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
