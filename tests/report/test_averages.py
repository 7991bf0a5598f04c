"""Means over images and seeds, and the lines of table.csv."""

import math

import numpy as np
import pandas as pd
import pytest

from benchmark import report
from benchmark.report.averages import means
from benchmark.results import Results

LPIPS = "lpips-alex@lpips-0.1.4"


def changed(results: Results, rows: pd.DataFrame) -> Results:
    return Results(rows, results.costs, results.pictures, results.failures)


def test_a_line_holds_the_mean_over_images_then_the_mean_and_deviation_over_seeds(make):
    results, task = make(methods=("dni",), levels=("0", "1"), seeds=(0, 1, 2), images=("a", "b"))
    rows = results.rows
    table = report.table(results, task)
    assert table["level"].tolist() == ["0", "1"]
    start = rows[(rows["level"] == "0") & (rows["metric"] == "psnr-y601")]
    by_seed = [start[start["seed"] == seed]["value"].to_numpy().mean() for seed in (0, 1, 2)]
    assert table.loc[0, "psnr-y601"] == pytest.approx(np.mean(by_seed), abs=1e-6)
    assert table.loc[0, "psnr-y601_std"] == pytest.approx(np.std(by_seed, ddof=1), abs=1e-6)
    assert table.loc[0, "seeds"] == 3


def test_one_seed_has_no_deviation(make):
    results, task = make(methods=("dni",))
    assert report.table(results, task)["psnr-y601_std"].isna().all()


def test_the_columns_are_keys_then_metrics_then_costs(make):
    results, task = make(methods=("dni",), levels=("0",))
    columns = list(report.table(results, task).columns)
    keys = ["method", "backbone", "preset", "dataset", "level", "level_physical", "seeds"]
    costs = ["params_stored", "params_folded", "macs", "ms_per_image", "switch_ms", "train_steps"]
    metrics = [name for metric in task.metrics for name in (metric, f"{metric}_std")]
    assert columns == [*keys, *metrics, *costs, "folds"]


def test_rows_of_the_level_by_dial_matrix_stay_out_of_the_table(make):
    results, task = make("denoise", methods=("dni",), levels=("0", "1"))
    wrong = results.rows.assign(set_level="0.5", value=0.0)
    both = pd.concat([results.rows, wrong], ignore_index=True)
    expected = report.table(results, task)
    pd.testing.assert_frame_equal(report.table(changed(results, both), task), expected)


def test_a_mean_that_lacks_an_image_is_null_and_says_why(make):
    results, task = make(methods=("dni",), levels=("0",), images=("a", "b", "c"))
    rows = results.rows.copy()
    lost = (rows["metric"] == "niqe@pyiqa-0.1.16") & (rows["image"] == "b")
    rows.loc[lost, ["value", "status", "reason"]] = [math.nan, "failed", "the image is too small"]
    long = means(changed(results, rows)).set_index("metric")
    assert math.isnan(long.loc["niqe@pyiqa-0.1.16", "mean"])
    reason = long.loc["niqe@pyiqa-0.1.16", "reason"]
    assert "the image is too small" in reason and "1 of 3" in reason
    assert long.loc["psnr-y601", "reason"] == ""


def test_a_value_whose_status_is_not_ok_never_counts(make):
    results, task = make(methods=("dni",), levels=("0",))
    rows = results.rows.assign(status="failed", reason="no")
    assert report.table(changed(results, rows), task)["psnr-y601"].isna().all()


def test_lines_follow_the_papers_then_the_alphabet_then_the_baselines(make):
    methods = ("floor", "zeta", "ftn:groups=4", "blend", "alpha", "dni", "experts")
    results, task = make(methods=methods, levels=("1", "0"))
    order = ["dni", "ftn:groups=4", "alpha", "zeta", "blend", "experts", "floor"]
    table = report.table(results, task)
    assert list(dict.fromkeys(table["method"])) == order
    assert table[table["method"] == "dni"]["level"].tolist() == ["0", "1"]


def test_levels_are_sorted_by_value_not_as_text(make):
    results, task = make("denoise", methods=("dni",), levels=("0.833333", "0.1", "0.05"))
    assert report.table(results, task)["level"].tolist() == ["0.05", "0.1", "0.833333"]


def test_metrics_that_the_task_does_not_ask_for_follow_its_own(make):
    results, task = make(methods=("dni",), levels=("0",))
    more = results.rows[results.rows["metric"] == "psnr-y601"].assign(metric="retired")
    table = report.table(changed(results, pd.concat([results.rows, more])), task)
    assert table["retired"].tolist() == table["psnr-y601"].tolist()


def test_costs_are_whole_numbers_and_times_are_averaged_over_seeds(make):
    results, task = make(methods=("dni",), levels=("0",), seeds=(0, 1))
    results.costs["ms_per_image"] = [10.0, 14.0]
    (line,) = report.table(results, task).itertuples()
    assert (line.params_stored, line.macs, line.ms_per_image) == (304576, 623902720, 12.0)


def test_a_switch_and_folding_are_in_the_table_and_null_where_unknown(make):
    results, task = make(methods=("dni", "cfsnet", "experts"), levels=("0",))
    lines = report.table(results, task).set_index("method")
    assert lines["switch_ms"].dropna().to_dict() == {"dni": 1.25, "cfsnet": 1.25}
    assert lines["folds"].to_dict() == {"dni": "yes", "cfsnet": "no", "experts": "yes"}
    bare = Results(results.rows, results.costs.assign(folds=None), results.pictures)
    assert report.table(bare, task)["folds"].isna().all()


def test_without_any_rows_the_table_is_empty_but_has_its_columns(make):
    results, task = make(methods=())
    table = report.table(results, task)
    assert table.empty
    assert "psnr-y601" in table.columns and LPIPS in table.columns
