"""The readable tables: Markdown and LaTeX."""

import dataclasses
import re

import pandas as pd
import pytest

from benchmark import report
from benchmark.errors import Failure
from benchmark.report import words
from benchmark.report.latex import escape, latex
from benchmark.report.markdown import markdown
from benchmark.report.series import Series, ordered
from benchmark.report.style import styles
from benchmark.report.summary import document
from benchmark.results import Results


def lines_of(text: str, heading: str) -> dict[str, list[str]]:
    """Returns the cells of the Markdown table below a heading, by method."""
    part = text[text.index(heading) :].split("\n\n")[1]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in part.splitlines()]
    return {line[0].strip(): line[1:] for line in cells}


def test_the_summary_shows_the_headline_at_three_levels_and_other_metrics_at_two(make):
    results, task = make(methods=("dni", "ftn"))
    header = lines_of(markdown(document(results, task, "laptop")), "## set5")["method"]
    assert header[0].startswith("rank ")
    assert header[1:6] == [
        "PSNR-Y, dB ↑ level 0",
        "PSNR-Y, dB ↑ level 0.5",
        "PSNR-Y, dB ↑ level 1",
        "SSIM-Y ↑ level 0",
        "SSIM-Y ↑ level 1",
    ]
    assert [name for name in header if name.startswith("cost")] == [
        "cost stored, M",
        "cost folded, M",
        "cost GMACs",
        "cost ms/image",
        "cost switch, ms",
        "cost steps",
        "cost folds",
    ]


def test_means_over_fewer_seeds_than_others_are_named(make):
    results, task = make(methods=("dni", "ftn", "floor"), seeds=(0, 1, 2))
    assert "fewer" not in dict(document(results, task, "laptop").facts)["averages"]
    rows = results.rows
    stopped = (rows["method"] == "ftn") & (rows["seed"] == 2) & (rows["level"] == "1")
    results = dataclasses.replace(results, rows=rows[~stopped])
    told = dict(document(results, task, "laptop").facts)["averages"]
    assert told.endswith(". Over fewer seeds, somewhere or throughout: ftn (2 of 3)")
    # Another data set with one seed of every method compares no fewer with more.
    other = rows[rows["seed"] == 0].assign(dataset="set14")
    results = dataclasses.replace(results, rows=pd.concat([rows, other]))
    assert "fewer" not in dict(document(results, task, "laptop").facts)["averages"]


def test_a_switch_that_was_not_timed_is_a_dash_with_a_note(make):
    results, task = make(methods=("dni", "cfsnet", "experts"), levels=("0",))
    content = document(results, task, "laptop")
    text = markdown(content)
    table = lines_of(text, "## set5")
    at = table["method"].index("cost switch, ms")
    assert [table[name][at] for name in ("dni", "cfsnet", "experts")] == ["1.25", "1.25", "—²"]
    assert "² switch, ms: measured where" in text
    assert [table[name][-1] for name in ("dni", "cfsnet", "experts")] == ["yes", "no", "yes"]
    assert r"& switch, ms & steps & folds \\" in latex(content)


def test_what_times_were_taken_on_is_said_beside_what_the_arithmetic_is_for(make):
    results, task = make(methods=("dni",), levels=("0",))
    text = markdown(document(results, task, "laptop"))
    (cost,) = (line for line in text.splitlines() if line.startswith("- cost: "))
    assert "MACs of a 256x256 input; ms/image is the median over the test images" in cost
    assert "within one run with --jobs 1 only" in cost


def test_physical_values_name_the_levels_of_a_degradation(make):
    results, task = make("dejpeg", methods=("dni",), levels=("0", "0.5", "1"))
    header = lines_of(markdown(document(results, task, "laptop")), "## set5")["method"]
    assert header[0].endswith("quality 80") and header[2].endswith("quality 10")


def test_the_best_method_is_bold_even_where_a_baseline_is_better(make):
    results, task = make(methods=("dni", "ftn", "experts"), levels=("0",))
    rows = results.rows
    psnr = rows["metric"] == "psnr-y601"
    for method, value in (("dni", 28.0), ("ftn", 29.0), ("experts", 40.0)):
        rows.loc[psnr & (rows["method"] == method), "value"] = value
    lpips = rows["metric"].str.startswith("lpips")
    for method, value in (("dni", 0.2), ("ftn", 0.3), ("experts", 0.1)):
        rows.loc[lpips & (rows["method"] == method), "value"] = value
    table = lines_of(markdown(document(results, task, "laptop")), "## set5")
    assert (table["dni"][1], table["ftn"][1], table["experts"][1]) == (
        "28.00",
        "**29.00**",
        "40.00",
    )
    assert (table["dni"][3], table["ftn"][3], table["experts"][3]) == (
        "**0.2000**",
        "0.3000",
        "0.1000",
    )


def test_baselines_are_spoken_of_where_there_are_some(make, tmp_path):
    for methods in (("dni", "floor"), ("dni", "ftn"), ("dni", "ftn", "floor"), ("dni",)):
        report.write(*make(methods=methods, levels=("0",)), "laptop", tmp_path)
        for name in ("table.md", "index.html"):
            text = (tmp_path / name).read_text()
            assert ("do not compete" in text) == ("floor" in methods)
            assert ("Bold: the best method." in text) == ("ftn" in methods)


def test_several_seeds_print_mean_and_deviation(make):
    results, task = make(methods=("dni", "ftn"), levels=("0",), seeds=(0, 1))
    cell = lines_of(markdown(document(results, task, "laptop")), "## set5")["dni"][1]
    assert re.fullmatch(r"(\*\*)?\d+\.\d\d ± \d\.\d\d(\*\*)?", cell)


def test_a_metric_without_weights_has_no_column_but_a_note_that_says_how_to_get_them(make):
    results, task = make(methods=("dni",), levels=("0",), null=("lpips", "niqe"))
    content = document(results, task, "laptop")
    text, tex = markdown(content), latex(content)
    header = lines_of(text, "## set5")["method"]
    assert not [name for name in header if name.startswith(("LPIPS", "NIQE"))]
    assert {"PSNR-Y, dB ↑ level 0", "SSIM-Y ↑ level 0"} <= set(header)
    assert "¹ LPIPS: weights were not found; set DIALBENCH_WEIGHTS" in text
    assert "LPIPS: weights were not found" in tex and "LPIPS $" not in tex
    assert "### LPIPS" not in text


def test_a_metric_that_one_method_has_keeps_its_column_and_the_others_a_dash(make):
    results, task = make(methods=("dni", "ftn"), levels=("0",))
    rows = results.rows
    gone = rows["metric"].str.startswith("lpips") & (rows["method"] == "dni")
    rows.loc[gone, "status"], rows.loc[gone, "reason"] = "missing", "no weights"
    rows.loc[gone, "value"] = float("nan")
    table = lines_of(markdown(document(results, task, "laptop")), "## set5")
    at = table["method"].index("LPIPS ↓ level 0")
    assert table["dni"][at].startswith("—") and table["ftn"][at].startswith("0.")


def test_the_rank_stays_beside_the_names_even_where_nobody_has_one(make):
    options = {"methods": ("dni", "ftn"), "null": ("lpips",), "images": tuple("abc")}
    results, task = make(**options)
    table = lines_of(markdown(document(results, task, "laptop")), "## set5")
    assert table["method"][0] == "rank area of PSNR-Y and LPIPS"
    assert table["dni"][0].startswith("—")


def test_experts_without_a_network_at_a_level_say_so(make):
    results, task = make(methods=("dni", "experts"), levels=("0", "0.25", "1"))
    text = markdown(document(results, task, "laptop"))
    assert lines_of(text, "### PSNR-Y")["experts"][1] == "—¹"
    assert (
        "¹ experts: no network was trained for this level; each answers at its own level only."
        in text
    )


def test_a_failed_method_is_a_line_of_dashes_and_is_listed_with_its_reason(make):
    failure = Failure("mine:k=3", "small", 0, "the loss is not finite at step 25")
    results, task = make(methods=("dni",), levels=("0",), failures=(failure,))
    text = markdown(document(results, task, "laptop"))
    assert lines_of(text, "## set5")["mine:k=3"][0] == "—¹"
    assert "- mine:k=3 (small, seed 0): the loss is not finite at step 25" in text


def test_a_method_of_which_one_seed_failed_keeps_its_numbers_and_is_listed(make):
    failure = Failure("dni", "small", 1, "the loss is not finite")
    results, task = make(methods=("dni",), levels=("0",), failures=(failure,))
    text = markdown(document(results, task, "laptop"))
    assert re.fullmatch(r"\d+\.\d\d", lines_of(text, "## set5")["dni"][0])
    assert "- dni (small, seed 1): the loss is not finite" in text


def test_untimed_results_say_so(make):
    results, task = make(methods=("dni",), levels=("0",), timed=False)
    text = markdown(document(results, task, "smoke"))
    assert "run times were not measured" in text


def test_the_facts_name_protocol_sets_preset_seeds_and_versions(make):
    results, task = make(methods=("dni",), datasets=("set5", "set14"), seeds=(0, 3))
    text = markdown(document(results, task, "laptop"))
    for fact in (
        "- protocol: sr-y",
        "- data sets: set14 (2 images), set5 (2 images)",
        "- preset: laptop",
        "- seeds: 0, 3",
        "- dialbench: 0.1.0",
        "- torch: 2.14.1 on cpu",
    ):
        assert fact in text


def test_the_reference_of_tasks_with_several_operators_is_that_of_the_level(make):
    for name, levels, said in (
        ("filter-l0", ("0", "1"), "what the operator l0 makes"),
        ("operators-6", ("0/0", "0/1"), "what the level's operator makes"),
    ):
        results, task = make(name, methods=("dni",), levels=levels, pictures=False)
        assert dict(document(results, task, "laptop").facts)["reference"].startswith(said)


def test_levels_that_no_method_is_trained_for_are_told(make):
    results, task = make("denoise", methods=("dni",), levels=("0", "0.2", "1"))
    said = dict(document(results, task, "laptop").facts)["beyond training"]
    assert said.startswith("sigma 5: what is trained here goes from sigma 20 to sigma 80, ")
    results, task = make("denoise", methods=("dni",), levels=("0.2", "1"))
    assert "beyond training" not in dict(document(results, task, "laptop").facts)


def test_images_that_are_scored_under_several_cases_are_counted_as_images(make):
    cases = [f"{name} strength={value}" for name in "abc" for value in ("0", "0.5", "1")]
    results, task = make("operators-4", methods=("dni",), levels=("0", "1"), images=cases)
    content = document(results, task, "laptop")
    assert [one.title for one in content.summaries] == ["set5 (3 images, 9 cases)"]
    assert dict(content.facts)["data sets"] == "set5 (3 images, 9 cases)"
    assert "With only 3 images of set5" in dict(content.facts)["rank"]


def test_backbones_are_named_only_where_they_differ(make):
    results, task = make(methods=("dni",), levels=("0",), backbones=("small",))
    assert "dni" in lines_of(markdown(document(results, task, "laptop")), "## set5")
    results, task = make(methods=("dni",), levels=("0",), backbones=("small", "adafm_net"))
    table = lines_of(markdown(document(results, task, "laptop")), "## set5")
    assert {"dni · small", "dni · adafm_net"} <= set(table)


@pytest.mark.parametrize("bad", ["a|b", "line\nbreak", "<b>", "[x](y)", "*bold*"])
def test_text_from_outside_cannot_break_a_markdown_table(make, bad):
    results, task = make(methods=(f"dni:x={bad}",), levels=("0",))
    text = markdown(document(results, task, "laptop"))
    table = text[text.index("## set5") :].split("\n\n")[1].splitlines()
    bars = {len(re.findall(r"(?<!\\)\|", line)) for line in table}
    assert len(bars) == 1


def test_latex_rows_have_as_many_cells_as_columns_and_escaped_names(make):
    results, task = make(methods=("dynamic_net", "x:a='50%&$'", "blend"), null=("niqe",))
    text = latex(document(results, task, "laptop"))
    columns = len(re.search(r"\\begin\{tabular\}\{(l r*|lr*)\}", text)[1])
    body = text[text.index(r"\midrule") : text.index(r"\bottomrule")]
    rows = [line for line in body.splitlines() if line.endswith(r"\\")]
    assert len(rows) == 3
    assert {len(re.findall(r"(?<!\\)&", row)) + 1 for row in rows} == {columns}
    assert r"dynamic\_net" in text and r"x:a='50\%\&\$'" in text
    assert r"\cmidrule" in text and r"\textemdash{}\textsuperscript{1}" in text
    assert text.count("{") == text.count("}")


def test_latex_captions_are_sentences_and_negative_numbers_have_a_minus_sign(make):
    results, task = make("denoise", methods=("dni", "experts"), matrix=True, pictures=False)
    gone = (results.rows["method"] == "dni") & (results.rows["metric"] == "psnr-rgb")
    results.rows.loc[gone, "value"] -= 5
    text = latex(document(results, task, "laptop"))
    captions = re.findall(r"\\caption\{(.*)\}", text)
    assert [one.removeprefix(f"denoise v{task.version}: ") for one in captions] == [
        f"{escape(task.summary)}, on set5 (2 images).",
        f"{escape(task.summary)}. Dial quality on set5 (2 images): PSNR-RGB, dB.",
    ]
    assert re.search(r"& \$-\$\d\.\d\d &", text) and not re.search(r"& -\d", text)


def test_every_special_character_is_escaped_in_latex():
    assert escape("a_b%c&d#e$f{g}h~i^j\\k") == (
        r"a\_b\%c\&d\#e\$f\{g\}h\textasciitilde{}i\textasciicircum{}j\textbackslash{}k"
    )


def test_hyphens_of_an_option_make_no_dash_in_latex():
    assert escape("use fewer --jobs — a---b") == r"use fewer -{}-jobs \textemdash{} a-{}-{}-b"


def test_tables_do_not_depend_on_the_order_of_the_rows(make):
    results, task = make(seeds=(0, 1))
    mixed = Results(
        results.rows.sample(frac=1, random_state=0), results.costs[::-1], results.pictures
    )
    assert markdown(document(mixed, task, "laptop")) == markdown(document(results, task, "laptop"))


def test_infinite_scores_print_as_such(make):
    results, task = make(methods=("dni", "ftn"), levels=("0",))
    results.rows.loc[results.rows["metric"] == "psnr-y601", "value"] = float("inf")
    assert lines_of(markdown(document(results, task, "laptop")), "## set5")["dni"][1] == "**∞**"


def test_backbones_and_presets_may_be_missing(make):
    results, task = make(methods=("floor", "dni"), levels=("0",))
    results.rows["backbone"] = results.rows["backbone"].astype(object)
    floor = results.rows["method"] == "floor"
    results.rows.loc[floor, "backbone"] = None
    costs = results.costs.assign(backbone=[None, "small"])
    some = Results(results.rows, pd.DataFrame(costs), results.pictures)
    assert "floor" in lines_of(markdown(document(some, task, "laptop")), "## set5")


def test_networks_of_others_are_references_and_rank_with_nobody():
    names = ("dni", "mine", "floor", "experts", "blend", "cdncnn", "ffdnet", "srvgg_dni")
    every = [Series(name, "small", "laptop") for name in names]
    assert [one.baseline for one in every] == [False, False, *[True] * 6]
    assert [one.method for one in ordered(reversed(every))][:2] == ["dni", "mine"]
    looks = styles(every)
    assert len({(one.color, one.marker) for one in looks.values()}) == len(every)


def test_what_rounds_to_nothing_has_no_sign():
    values = (-0.004, 0.004, -0.006, -0.0, float("nan"), float("-inf"))
    assert [words.number(value, 2) for value in values] == [
        "0.00",
        "0.00",
        "-0.01",
        "0.00",
        "—",
        "-∞",
    ]
