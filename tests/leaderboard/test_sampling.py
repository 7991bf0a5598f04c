"""What verifying draws, and how close values and their means must be."""

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from benchmark.leaderboard import entry, rows, sampling, synthetic, verify
from benchmark.leaderboard.entry import Entry


def many(levels: int, images: int) -> Entry:
    """An entry whose layout alone counts."""
    facts = json.loads(synthetic.make("denoise", levels=levels, images=images)[entry.NAME])
    return Entry(facts)


def test_every_level_is_looked_at_and_as_many_images_as_can_be():
    for draw in range(20):
        chosen = sampling.drawn(many(5, 68), "fast", draw)
        assert {level for _, levels in chosen for level in levels} == {*many(5, 68).layout.levels}
        assert sum(len(part.pictures) for part, _ in chosen) == sampling.DRAWN
        for levels, images in ((5, 6), (9, 3), (13, 2)):
            few = sampling.drawn(many(levels, images), "fast", draw)
            pairs = [(level, at) for part, own in few for level in own for at in part.pictures]
            times = [
                sum(level == one for one, _ in pairs) for level in many(levels, 1).layout.levels
            ]
            assert len(pairs) == len({*pairs}) == sampling.DRAWN and max(times) - min(times) <= 2
    few = sampling.drawn(many(3, 4), "fast", 0)
    assert sorted((level, at) for part, own in few for level in own for at in part.pictures) == [
        (level, at) for level in many(3, 4).layout.levels for at in range(4)
    ]


def test_no_level_set_or_seed_goes_unseen_where_there_are_more_than_pairs_are_drawn_of():
    facts = dict(many(5, 5).facts)
    names = {"set5": 5, "urban100": 100, "bsd100": 100}
    facts["sets"] = [
        {**facts["sets"][0], "name": name, "images": [f"i{at}" for at in range(count)]}
        for name, count in names.items()
    ]
    for seeds in ([0, 1], [*range(11)]):
        one = Entry({**facts, "seeds": seeds})
        for draw in range(20):
            parts = [part for part, _ in sampling.drawn(one, "fast", draw)]
            assert {(part.seed, part.dataset) for part in parts} == {
                (seed, name) for seed in seeds for name in names
            }
            pairs = sum(len(part.pictures) for part in parts)
            assert pairs == max(sampling.DRAWN, len(seeds) * len(names))
    for draw in range(20):
        chosen = sampling.drawn(many(50, 3), "fast", draw)
        levels = [level for part, own in chosen for level in own for _ in part.pictures]
        assert sorted(levels) == sorted(many(50, 1).layout.levels)


def test_a_draw_is_the_same_in_every_process():
    code = (
        "import json; from benchmark.leaderboard import entry, sampling, synthetic\n"
        "files = synthetic.make('denoise', levels=9, images=4, crossed=True)\n"
        "one = entry.Entry(json.loads(files[entry.NAME]))\n"
        "print(sampling.drawn(one, 'fast', 7))"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(found) == 1


def test_values_that_all_lie_on_one_side_are_found():
    outcome = verify.Outcome()
    compared = verify._Compared({"psnr-rgb": 24})
    for at in range(24):
        compared.add("psnr-rgb", (at,), 30.0099, 30.0, [""])
    compared.close("row", outcome)
    assert (
        len(outcome.faults) == 1 and "on average the entry differs by +0.0099" in outcome.faults[0]
    )
    fair = verify.Outcome()
    compared = verify._Compared({"psnr-rgb": 24})
    for at in range(24):
        compared.add("psnr-rgb", (at,), 30.0 + (-1) ** at * 0.0099, 30.0, [""])
    compared.close("row", fair)
    assert fair.faults == []


@pytest.mark.parametrize(
    ("raised", "pool"),
    [
        (lambda key: key[1] == "set5", " on set5"),
        (lambda key: key[3] == key[4], ""),
    ],
)
def test_what_is_raised_where_a_board_looks_is_not_made_up_for_elsewhere(put, raised, pool):
    sets = [
        {"name": name, "digest": digit * 20, "images": [f"i{at}" for at in range(count)]}
        for name, digit, count in (("set5", "2", 5), ("bsd100", "4", 20))
    ]
    path = put("denoise", sets=sets, crossed=True)
    one = entry.parse((path / entry.NAME).read_bytes())
    true = rows.by_key((path / rows.NAME).read_bytes(), one.layout)
    own = [key for key in true if key[0] == "psnr-rgb"]
    up = {key: 0.0095 for key in own if raised(key)}
    down = -sum(up.values()) / (len(own) - len(up))

    def again(part, levels):
        for key, value in true.items():
            if key[1:3] == (part.dataset, part.seed):
                yield key, value - (up.get(key, down) if key in own else 0.0)

    outcome = verify.Outcome()
    subject = SimpleNamespace(entry=one, path=path, rows=again)
    verify._rows(subject, "exact", 0, outcome, lambda text: None)
    assert any(
        fault.startswith(f"row psnr-rgb{pool}: on average the entry differs by +0.0095")
        for fault in outcome.faults
    ), outcome.faults
