"""Dial quality, intervals and ranks in the report, and the level x dial matrix."""

import csv
import dataclasses
import io

import pytest

from benchmark import report
from benchmark.report.derived import derive
from benchmark.report.heat import heat
from benchmark.report.latex import latex
from benchmark.report.markdown import markdown
from benchmark.report.page import page
from benchmark.report.summary import document
from benchmark.results import Results

LEVELS = ("0", "0.5", "1")
SMALL = {"methods": ("dni", "ftn", "experts", "floor"), "levels": LEVELS, "pictures": False}
ONE_METRIC = {**SMALL, "null": ("ssim", "lpips", "niqe", "colour")}


@pytest.fixture
def crossed(make):
    """Results with a level x dial matrix."""
    return make("denoise", **SMALL, matrix=True, images=("a", "b", "c"))


def section(text: str, heading: str) -> dict[str, dict[str, str]]:
    """Returns a Markdown table: by method, its cells by column."""
    table = text[text.index(heading) :].split("\n\n")[1].splitlines()
    names, _, *lines = ([cell.strip() for cell in line.split("|")[1:-1]] for line in table)
    return {line[0]: dict(zip(names[1:], line[1:], strict=True)) for line in lines}


def test_the_matrix_changes_no_table_of_matched_levels(make, crossed):
    alone, task = make("denoise", **SMALL, images=("a", "b", "c"))
    assert len(crossed[0].rows) > len(alone.rows)
    assert report.table(*crossed).equals(report.table(alone, task))
    one, two = (document(results, task, "laptop") for results in (alone, crossed[0]))
    assert (one.summaries, one.details) == (two.summaries, two.details)


def test_the_report_with_a_matrix_is_the_same_bytes_whatever_the_order_of_the_rows(make, tmp_path):
    results, task = make("denoise", **ONE_METRIC, matrix=True, images=("a", "b", "c"))
    mixed = Results(results.rows.sample(frac=1, random_state=2), results.costs, results.pictures)
    for name, one in (("one", results), ("two", mixed)):
        report.write(one, task, "laptop", tmp_path / name)
    first, second = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        for name in ("one", "two")
    )
    assert first == second
    assert {"dial.csv", "stats.csv", "pairs.csv", "matrix.svg", "matrix.png"} <= set(first)
    with open(tmp_path / "one" / "dial.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert all(line["value"] or line["reason"] for line in lines)
    assert {line["method"] for line in lines} == {"dni", "ftn"}


def test_the_figure_of_the_matrix_goes_when_its_rows_do(make, crossed, tmp_path):
    results, task = crossed
    tmp_path.joinpath("matrix.svg").write_text("old")
    assert "matrix.svg" in heat(derive(results, task).found, task)
    alone, _ = make("denoise", **ONE_METRIC)
    report.write(alone, task, "laptop", tmp_path)
    assert not list(tmp_path.glob("matrix*"))


def test_dial_quality_is_in_every_readable_table(crossed):
    results, task = crossed
    content = document(results, task, "laptop")
    text = markdown(content)
    table = section(text, "## Dial quality on set5")
    assert set(table) == {"dni", "ftn"}
    assert table["dni"]["gap to experts start"][0] in "+-"
    assert float(table["dni"]["dial oracle"]) >= float(table["dni"]["dial linear"])
    assert "- best dial, R²: " in text
    assert "Dial quality on set5" in latex(content)
    assert "What the columns of dial quality mean" in page(
        content, {}, {"levels": [], "sets": []}, "", "", ()
    )


def test_dial_quality_names_the_metric_where_it_is_not_only_the_headline(crossed):
    text = markdown(document(*crossed, "laptop"))
    assert "## Dial quality on set5 (3 images): PSNR-RGB, dB\n" in text
    plain = section(text, "## Dial quality")["dni"]
    assert {"dial linear", "gap to experts start", "colour drift, of 255 mean"} <= set(plain)
    results, task = crossed
    text = markdown(document(results, dataclasses.replace(task, headline="ssim-rgb"), "laptop"))
    assert "## Dial quality on set5 (3 images)\n" in text
    named = section(text, "## Dial quality")["dni"]
    assert {"dial, PSNR-RGB linear", "best dial, PSNR-RGB R²", "colour drift, of 255 mean"} <= set(
        named
    )
    assert {"gap to experts, SSIM-RGB start", "along the level, SSIM-RGB bend"} <= set(named)


def test_figures_that_no_method_has_are_left_out_with_the_reason(make):
    results, task = make("denoise", methods=("dni", "ftn"), levels=LEVELS, pictures=False)
    text = markdown(document(results, task, "laptop"))
    assert "gap to experts" not in text[text.index("## Dial quality") :].split("\n\n")[1]
    assert "no expert was scored" in text and "run with --matrix" in text


def test_ranks_are_in_the_summary_and_baselines_have_none(make):
    names = ("dni", "ftn", "adafm", "blend")
    images = tuple("abcdefgh")
    results, task = make("denoise", methods=names, levels=LEVELS, pictures=False, images=images)
    rows = results.rows
    ours = rows[rows["method"] == "dni"].set_index(["level", "image", "metric"])["value"]
    for method, less in (("ftn", 0.0), ("adafm", 0.7)):
        own = rows["method"] == method
        keys = list(zip(*(rows.loc[own, key] for key in ("level", "image", "metric")), strict=True))
        rows.loc[own, "value"] = ours.loc[keys].to_numpy() - less
    table = section(markdown(document(results, task, "laptop")), "## set5")
    assert {name: table[name]["rank PSNR-RGB"] for name in names} == {
        "dni": "1",
        "ftn": "1",
        "adafm": "3",
        "blend": "",
    }


PLANE = "rank area of PSNR-Y and LPIPS"


def planar(make, names):
    """Returns results on sr, where every method has PSNR 30 - 2 t and LPIPS .4 - .2 t."""
    images = tuple("abcdefgh")
    results, task = make(methods=names, levels=LEVELS, pictures=False, images=images)
    rows = results.rows
    hard = rows["image"].map({name: at / 10 for at, name in enumerate(images)})
    level = rows["level"].astype(float)
    psnr, lpips = rows["metric"] == task.headline, rows["metric"] == task.perception
    rows.loc[psnr, "value"] = 30 - 2 * level + hard
    rows.loc[lpips, "value"] = 0.4 - 0.2 * level + hard
    floor = rows["method"] == "floor"
    rows.loc[psnr & floor, "value"] = 26 + hard
    rows.loc[lpips & floor, "value"] = 0.5 + hard
    return results, task


def test_in_a_plane_a_dial_that_does_not_move_wins_less_whatever_its_psnr(make):
    results, task = planar(make, ("dni", "ftn", "adafm", "floor"))
    rows = results.rows
    still = (rows["method"] == "adafm") & (rows["metric"] == task.headline)
    rows.loc[still, "value"] = rows.loc[still, "value"] + 2 * rows.loc[still, "level"].astype(float)
    same = (rows["method"] == "adafm") & (rows["metric"] == task.perception)
    rows.loc[same, "value"] = rows.loc[same, "value"] + 0.2 * rows.loc[same, "level"].astype(float)
    text = markdown(document(results, task, "laptop"))
    table = section(text, "## set5")
    ranks = {name: table[name][PLANE] for name in ("dni", "ftn", "adafm", "floor")}
    assert ranks == {"dni": "1", "ftn": "1", "adafm": "3", "floor": ""}
    assert "the area that their levels win over floor" in text


def test_a_plane_without_floor_or_perception_has_no_ranks_but_a_reason(make):
    results, task = planar(make, ("dni", "ftn"))
    text = markdown(document(results, task, "laptop"))
    assert section(text, "## set5")["dni"][PLANE].startswith("—")
    assert "add the method 'floor'" in text
    results, task = planar(make, ("dni", "ftn", "floor"))
    rows = results.rows
    gone = rows["metric"] == task.perception
    rows.loc[gone, "status"], rows.loc[gone, "reason"] = "missing", "no weights"
    rows.loc[gone, "value"] = float("nan")
    text = markdown(document(results, task, "laptop"))
    assert section(text, "## set5")["dni"][PLANE].startswith("—")
    assert "LPIPS is missing" in text


def test_one_image_gives_no_rank_but_a_reason(make):
    facts = {"levels": ("0",), "images": ("a",), "pictures": False}
    results, task = make("denoise", methods=("dni", "ftn"), **facts)
    text = markdown(document(results, task, "laptop"))
    assert section(text, "## set5")["dni"]["rank PSNR-RGB"].startswith("—")
    assert "Rank: one image gives no interval." in text


def test_methods_without_values_are_not_said_to_have_one_image(make):
    results, task = make("denoise", methods=("dni", "ftn"), null=("psnr",), pictures=False)
    text = markdown(document(results, task, "laptop"))
    assert "Rank: not every level and image was scored." in text and "one image" not in text


def test_reports_say_what_p_values_hold_and_warn_of_few_images(make, tmp_path):
    for count, few in ((3, True), (9, True), (10, False), (1, False)):
        images = tuple("abcdefghij"[:count])
        results, task = make("denoise", **ONE_METRIC, images=images, seeds=(0, 1))
        folder = tmp_path / str(count)
        report.write(results, task, "laptop", folder)
        for name in ("table.md", "index.html"):
            text = (folder / name).read_text()
            assert (f"With only {count} images of set5 intervals are too narrow" in text) == few
            assert "no variation over seeds" in text and "corrected for all pairs" in text
        with open(folder / "pairs.csv", newline="") as file:
            lines = list(csv.DictReader(file))
        assert {line["seeds_agree"] for line in lines} <= {"0.5", "1.0"}
        assert all(bool(line["p_holm"]) == bool(line["p_value"]) for line in lines)
    alone, _ = make("denoise", **{**ONE_METRIC, "methods": ("dni",)})
    assert "pairs.csv" not in markdown(document(alone, task, "laptop"))


def test_small_p_values_are_not_rounded_to_zero(make):
    images = [f"i{number}" for number in range(40)]
    results, task = make("denoise", **SMALL, images=images)
    pairs = derive(results, task).pairs
    assert (pairs["p_value"] > 0).all() and (pairs["p_value"] < 1e-6).any()
    assert len(derive(make("denoise", methods=("dni",), pictures=False)[0], task).pairs) == 0


def test_stats_hold_an_interval_for_every_mean_of_the_table(make, tmp_path):
    results, task = make("denoise", **ONE_METRIC, images=tuple("abcdef"), seeds=(0, 1))
    report.write(results, task, "laptop", tmp_path)
    stats = list(csv.DictReader(io.StringIO((tmp_path / "stats.csv").read_text())))
    table = list(csv.DictReader(io.StringIO((tmp_path / "table.csv").read_text())))
    means = {(line["method"], line["level"], line["metric"]): line for line in stats}
    assert table
    for line in table:
        own = means[line["method"], line["level"], "psnr-rgb"]
        assert float(own["mean"]) == pytest.approx(float(line["psnr-rgb"]), abs=2e-6)
        assert float(own["low"]) < float(own["mean"]) < float(own["high"])
        assert means[line["method"], line["level"], "niqe@pyiqa-0.1.16"]["reason"]
