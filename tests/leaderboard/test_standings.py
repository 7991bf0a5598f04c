"""Who shares a rank with whom."""

import csv
import dataclasses
import itertools
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmark.leaderboard import build, standings
from benchmark.metrics.records import METRICS

FIELD = {"images": 20, "levels": 5, "status": "reproduced"}


def test_on_the_boards_that_are_shipped_equal_ranks_overlap_and_not_the_other_way_round():
    same, apart = set(), set()
    for path in (Path(__file__).parents[2] / "leaderboards").glob("*/board.csv"):
        tables = {}
        for one in csv.DictReader(path.read_text().splitlines()):
            if one["rank"]:
                key = tuple(one[name] for name in ("version", "set", "set_digest", "levels"))
                tables.setdefault(key, []).append(one)
        for own in tables.values():
            for one, other in itertools.combinations(own, 2):
                if one["method"] == other["method"]:
                    continue
                low, high = (
                    f(float(it[end]) for it in (one, other))
                    for f, end in ((max, "low"), (min, "high"))
                )
                (same if one["rank"] == other["rank"] else apart).add(low <= high)
        text = path.with_name("board.md").read_text()
        assert "so methods share a rank only where their intervals overlap" in text
    assert same == {True} and apart == {True, False}


@pytest.mark.parametrize(
    ("ends", "kinds", "ranks"),
    [
        ([(1.0, 2.0), (2.0, 3.0), (4.0, 4.0)], [0, 1, 2], [2, 2, 1]),
        ([(1.0, 2.7), (3.0, 4.0), (2.5, 5.0)], [0, 1, 1], [2, 1, 1]),
    ],
    ids=["ends that touch overlap", "the best of a kind counts"],
)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_rank_counts_the_kinds_that_lie_wholly_above(ends, kinds, ranks, sign):
    contest = [SimpleNamespace(sign=sign, low=sign * a, high=sign * b) for a, b in ends]
    standings._rank(contest, kinds)
    assert [one.rank for one in contest] == ranks


def test_lower_is_better_where_the_metric_says_so(boards, put, monkeypatch):
    psnr = dataclasses.replace(METRICS["psnr-rgb"], higher_is_better=False)
    monkeypatch.setitem(METRICS, "psnr-rgb", psnr)
    for method, quality in (("dni", 0.0), ("adafm", 0.3)):
        put("denoise", method=method, quality=quality, **FIELD)
    (group,) = standings.standings(build._entries(boards / "denoise"))
    assert [(one.entry.facts["method"], one.rank) for one in group.standings] == [
        ("dni", 1),
        ("adafm", 2),
    ]
