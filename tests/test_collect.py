"""From stored cells to tables."""

from benchmark.collect import collect
from benchmark.results import CLEAN, INPUT, MAP
from benchmark.store import Cell, Row, Store

FACTS = {
    "task": "pixel-adaptive",
    "dataset": "mine",
    "method": "dni",
    "backbone": "small",
    "preset": "smoke",
    "seed": 0,
    "level": "0.5",
}
FILES = {"restored": "k.png", "input": "i.png", "clean": "c.png", "map": "m.png", "single": "s.png"}


def test_what_a_single_level_gives_is_told_beside_what_the_level_map_gives(tmp_path):
    cost = {"ms_per_image": None, "switch_ms": None}
    rows = (Row("a", "psnr-rgb", 30.0, "ok", ""),)
    cell = Cell("k", FACTS, rows, cost, {"image": "a", **FILES})
    pictures = collect(Store(tmp_path), [cell]).pictures.set_index("method")
    folder = tmp_path / "cells" / "pixel-adaptive"
    assert pictures["path"].to_dict() == {
        "dni": str(folder / "k.png"),
        INPUT: str(folder / "i.png"),
        CLEAN: str(folder / "c.png"),
        MAP: str(folder / "m.png"),
    }
    assert pictures["single"].to_dict() == {
        "dni": str(folder / "s.png"), INPUT: "", CLEAN: "", MAP: ""
    }  # fmt: skip


def test_seeds_share_what_they_are_given_and_not_what_they_make(tmp_path):
    rows = (Row("a", "psnr-rgb", 30.0, "ok", ""),)
    cells = [
        Cell(f"k{seed}", {**FACTS, "seed": seed}, rows, {}, {"image": "a", **FILES})
        for seed in (0, 1)
    ]
    pictures = collect(Store(tmp_path), cells).pictures
    assert pictures["method"].value_counts().to_dict() == {"dni": 2, INPUT: 1, CLEAN: 1, MAP: 1}


def test_pictures_of_two_budgets_stay_apart(tmp_path):
    rows = (Row("a", "psnr-rgb", 30.0, "ok", ""),)
    cells = [
        Cell(preset, {**FACTS, "preset": preset}, rows, {}, {"image": "a", **FILES})
        for preset in ("smoke", "laptop")
    ]
    pictures = collect(Store(tmp_path), cells).pictures
    own = pictures["method"] == "dni"
    assert pictures["preset"][own].tolist() == ["smoke", "laptop"]
    assert pictures["preset"][~own].tolist() == ["", "", ""]
