"""The whole report on disk."""

import csv
import re
import warnings
from html.parser import HTMLParser

import numpy as np
import pytest

from benchmark import report
from benchmark.errors import Failure, JobError
from benchmark.report import style
from benchmark.results import Results

NAMES = {
    "rows.csv",
    "table.csv",
    "table.md",
    "table.tex",
    "dial.csv",
    "stats.csv",
    "pairs.csv",
    "pd_curve.svg",
    "pd_curve.png",
    "strip.png",
    "about.json",
    "index.html",
}
HOSTILE = ("ftn:groups=4", "mine:mode='<script>alert(1)</script>'", 'a_b:x="&|%$"')


def contents(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


class Page(HTMLParser):
    """Collects ids, links to elsewhere and unclosed tags."""

    VOID = ("meta", "img", "br", "link", "path", "use", "rect", "circle", "line")

    def __init__(self, text: str):
        super().__init__()
        self.ids, self.links, self.scripts, self.depth = [], [], 0, 0
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.ids += [values["id"]] if "id" in values else []
        self.links += [values[key] for key in ("href", "src", "xlink:href") if key in values]
        self.scripts += tag == "script"


def test_writing_twice_gives_identical_bytes_whatever_the_order_of_the_rows(make, tmp_path):
    results, task = make(methods=("dni", "floor"), levels=("0", "1"), seeds=(0, 1), null=("ssim",))
    report.write(results, task, "laptop", tmp_path / "one")
    mixed = Results(
        results.rows.sample(frac=1, random_state=1),
        results.costs.sample(frac=1, random_state=1),
        results.pictures.sample(frac=1, random_state=1),
    )
    report.write(mixed, task, "laptop", tmp_path / "two")
    first, second = contents(tmp_path / "one"), contents(tmp_path / "two")
    assert set(first) >= NAMES | {"levels_psnr-y601.svg", "levels_niqe-pyiqa-0.1.16.png"}
    assert {name for name in first if first[name] != second.get(name)} == set()


def test_table_csv_has_one_line_per_method_data_set_and_level_with_empty_nulls(make, tmp_path):
    results, task = make(
        methods=("dni", "ftn"),
        datasets=("set5", "set14"),
        levels=("0", "1"),
        null=("ssim", "lpips", "niqe"),
    )
    report.write(results, task, "laptop", tmp_path)
    with open(tmp_path / "table.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 2 * 2 * 2
    assert {line["lpips-alex@lpips-0.1.4"] for line in lines} == {""}
    assert {line["psnr-y601_std"] for line in lines} == {""}
    assert {line["params_folded"] for line in lines} == {"152288"}
    assert {line["level"] for line in lines} == {"0", "1"}


def test_rows_csv_holds_every_row(make, tmp_path):
    results, task = make(methods=("dni",), levels=("0", "1"), null=("ssim", "lpips", "niqe"))
    report.write(results, task, "laptop", tmp_path)
    with open(tmp_path / "rows.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == len(results.rows)
    assert list(lines[0]) == list(results.rows.columns)


def test_the_page_needs_nothing_from_elsewhere_and_has_no_id_twice(make, tmp_path):
    results, task = make(methods=("dni", "ftn"), levels=("0", "1"), null=("niqe",))
    report.write(results, task, "laptop", tmp_path)
    page = Page((tmp_path / "index.html").read_text())
    assert len(page.ids) == len(set(page.ids))
    assert page.links
    beside = set(contents(tmp_path)) | {"../index.html"}
    assert all(link.startswith(("#", "data:")) or link in beside for link in page.links)
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    text = (tmp_path / "index.html").read_text()
    still = re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
    for name in re.findall(r"url\(#([^)]+)\)", still):
        assert name in page.ids


def test_text_from_outside_stays_text_in_every_file(make, tmp_path):
    failure = Failure("bad", "small", 0, "<img src=x onerror=alert(1)>")
    results, task = make(methods=HOSTILE, levels=("0",), failures=(failure,), null=("ssim", "niqe"))
    report.write(results, task, "laptop", tmp_path)
    text = (tmp_path / "index.html").read_text()
    page = Page(text)
    assert page.scripts == text.count("</script>") == 2
    assert "alert(1)>" not in text and "<img" not in text
    assert not any("alert" in link for link in page.links)
    with open(tmp_path / "table.csv", newline="") as file:
        assert {line["method"] for line in csv.DictReader(file)} == set(HOSTILE)


def test_letters_that_figures_cannot_show_are_told_once(make, tmp_path, capsys, recwarn):
    style._tell.cache_clear()
    results, task = make(methods=("dni",), levels=("0", "1"), datasets=("夜景", "人像"))
    report.write(results, task, "laptop", tmp_path)
    assert capsys.readouterr().err == (
        "note: figures cannot show some letters of names, as their font lacks them; the page can\n"
    )
    assert not [one for one in recwarn if "Glyph" in str(one.message)]
    assert "夜景" in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_other_warnings_of_figures_are_still_given():
    with pytest.warns(UserWarning, match="other"), style.drawing("test"):
        warnings.warn("other", stacklevel=1)


@pytest.mark.parametrize(
    "options",
    [
        {"methods": ("dni",), "levels": ("0.5",), "null": ("ssim", "niqe")},
        {"methods": ("floor",), "null": ("ssim", "niqe"), "pictures": False},
        {"methods": ("dni",), "levels": ("0",), "null": ("psnr", "ssim", "lpips", "niqe")},
        {"methods": ("dni",), "levels": ("0",), "null": ("ssim", "lpips", "niqe")},
        {"methods": (), "pictures": False, "failures": (Failure("dni", "small", None, "no"),)},
        {
            "methods": ("dni",),
            "levels": ("0", "1"),
            "datasets": ("a", "b", "c", "d"),
            "images": "x",
        },
    ],
    ids=["one level", "only the floor", "all null", "one metric", "only failures", "four sets"],
)
def test_unusual_results_still_make_a_whole_report(make, tmp_path, options):
    results, task = make(**options)
    report.write(results, task, "laptop", tmp_path)
    assert set(contents(tmp_path)) >= NAMES


def test_scores_that_are_not_finite_do_not_stop_the_report(make, tmp_path):
    results, task = make(methods=("dni", "ftn"), levels=("0", "1"), seeds=(0, 1), pictures=False)
    psnr = results.rows["metric"] == "psnr-y601"
    results.rows.loc[psnr & (results.rows["level"] == "0"), "value"] = np.inf
    results.rows.loc[psnr & (results.rows["level"] == "1"), "value"] = np.nan
    report.write(results, task, "laptop", tmp_path)
    assert "∞" in (tmp_path / "table.md").read_text()


def test_curves_of_metrics_without_values_any_more_are_removed(make, tmp_path):
    results, task = make(methods=("dni",), levels=("0", "1"), pictures=False, null=("ssim",))
    report.write(results, task, "laptop", tmp_path)
    (tmp_path / "levels_notes.txt").write_text("mine")
    fewer, _ = make(methods=("dni",), levels=("0", "1"), pictures=False, null=("ssim", "niqe"))
    report.write(fewer, task, "laptop", tmp_path)
    assert not list(tmp_path.glob("levels_niqe*"))
    assert (tmp_path / "levels_notes.txt").exists()
    assert not list(tmp_path.glob("*.tmp"))


def test_a_folder_that_cannot_be_written_is_named(make, tmp_path):
    results, task = make(methods=("dni",), levels=("0",), pictures=False)
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(JobError, match="could not be written"):
        report.write(results, task, "laptop", blocked / "report")


def test_importing_the_report_imports_neither_torch_nor_matplotlib_nor_pandas():
    import subprocess
    import sys

    code = (
        "import sys, benchmark.report, benchmark.results; "
        "assert not {'torch', 'matplotlib', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
