"""The figure of level maps."""

from benchmark.report import maps


def test_a_map_is_shown_beside_the_single_level_that_the_results_name(make, monkeypatch):
    results, task = make("pixel-adaptive", methods=("dni",))
    results.pictures["single"] = "elsewhere.png"
    read = []
    monkeypatch.setattr(maps, "read", lambda path: read.append(path))
    assert set(maps.maps(results, task)) == {"map.png"}
    assert "elsewhere.png" in read and len(read) == 4, "input, single, map and clean"
