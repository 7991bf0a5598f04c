"""The figure of level maps."""

from benchmark import tasks
from benchmark.report import maps


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
