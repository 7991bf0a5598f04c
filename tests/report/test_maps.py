"""The figure of level maps."""

import pandas as pd

from benchmark import tasks
from benchmark.report import maps
from benchmark.report.series import Series


def test_a_map_is_shown_beside_the_single_level_that_the_results_name(make, monkeypatch):
    results, task = make("pixel-adaptive", methods=("dni",))
    results.pictures["single"] = "elsewhere.png"
    read = []
    monkeypatch.setattr(maps, "read", lambda path: read.append(path))
    assert set(maps.maps(results, task)) == {"map.png"}
    assert "elsewhere.png" in read and len(read) == 4, "input, single, map and clean"


def test_the_title_names_the_pattern_and_where_the_noise_starts():
    task = tasks.get("pixel-adaptive")
    title = maps.title(task, "astronaut pattern=ramp", "1")
    assert title == "pixel-adaptive: astronaut, pattern ramp, sigma 20 to 80"


def test_values_on_the_map_are_those_of_the_budget_that_is_shown(make):
    results, _ = make("pixel-adaptive", methods=("dni",), levels=("1",), images=("a",))
    rows = results.rows[results.rows["metric"] == "psnr-rgb"]
    both = pd.concat([rows.assign(value=20.0), rows.assign(value=30.0, preset="smoke")])
    shown = [
        maps._value(both, Series("dni", "small", one), "psnr-rgb") for one in ("laptop", "smoke")
    ]
    assert shown == ["(20.00 dB)", "(30.00 dB)"]


def test_values_on_the_map_are_of_the_picture_that_is_shown(make, monkeypatch):
    """Sets may have images of one name, and every seed has a picture and values of its own."""
    results, task = make(
        "pixel-adaptive", methods=("dni",), datasets=("b", "a"), images=("x",), seeds=(1, 0)
    )
    results.pictures["single"] = ""
    rows = results.rows
    shown = (rows["dataset"] == "a") & (rows["seed"] == 0)
    results.rows["value"] = shown.map({True: 30.0, False: 20.0})
    captions = []
    monkeypatch.setattr(maps, "_show", lambda axes, caption, image: captions.append(caption))
    maps.maps(results, task)
    assert [one for one in captions if "dB" in one] == [
        "best single level (30.00 dB)",
        "with the map (30.00 dB)",
    ]
