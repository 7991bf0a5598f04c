"""The script that compares how two metrics rank."""

import sys

import pytest

from benchmark.niqe import compare


def test_it_prints_a_rank_correlation_for_every_set_and_version(
    photographs, home, capsys, monkeypatch
):
    words = ["compare", "psnr-y601", "mse-y601", str(photographs), "--store"]
    monkeypatch.setattr(sys, "argv", words)
    compare.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"## {photographs.name}: 2 images, {2 * len(compare.KINDS)} versions"
    # A larger error is a lower ratio.
    overall = next(line for line in lines if line.startswith("| all versions"))
    assert float(overall.split("|")[2]) == -1
    assert all(any(line.startswith(f"| {kind} |") for line in lines) for kind in compare.KINDS)
    assert "## Outputs of the methods" in lines


def test_a_set_that_is_not_there_is_bad_usage(home, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["compare", "psnr-y601", "mse-y601", "nope"])
    with pytest.raises(SystemExit) as ended:
        compare.main()
    assert ended.value.code == 2 and "unknown test set 'nope'" in capsys.readouterr().err


def test_a_metric_that_cannot_be_computed_ends_it(home, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["compare", "psnr-rgb", "niqe@pyiqa-0.1.16"])
    monkeypatch.setattr("benchmark.assets.PATIENCE", 0.01)
    with pytest.raises(SystemExit, match="NIQE"):
        compare.main()
