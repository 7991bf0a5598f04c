"""The size of a campaign."""

import json
import re
import statistics

import numpy as np
import pytest
from PIL import Image

from benchmark import cli
from benchmark.records import read_json, write_json
from benchmark.store import Store
from benchmark.verbs import sizing

SMALL = ["--preset", "smoke", "--levels", "0,1", "--offline"]


@pytest.fixture
def size(home, capsys):
    """Returns the lines of the page, as ``{what: (jobs, hours, MB)}``, and the whole text."""

    def call(*words: str) -> tuple[dict[str, tuple[str, ...]], str]:
        capsys.readouterr()
        assert cli.main(["size", *words]) == 0
        text = capsys.readouterr().out
        rows = [
            [cell.strip() for cell in line.strip("|").split("|")]
            for line in text.splitlines()
            if re.match(r"\| (sr|denoise|\*\*all)", line)
        ]
        return {" ".join(filter(None, row[:3])): tuple(row[3:]) for row in rows}, text

    return call


def test_what_was_never_run_is_not_guessed(size):
    lines, text = size("sr", *SMALL, "--methods", "floor,dni")
    assert lines["sr smoke train dni start"] == ("1", "?", "?")
    assert lines["**all**"] == ("4", "0", "0")
    assert "Not counted" in text
    assert "- sr smoke train dni end" in text


def test_a_network_that_is_not_imported_is_not_left_out_in_silence(home, capsys):
    assert cli.main(["size", "denoise", *SMALL, "--methods", "floor,ffdnet"]) == 0
    assert capsys.readouterr().err == (
        "note: ffdnet: not imported: run 'dialbench import ffdnet FILE'\n"
    )


def test_durations_are_recorded_ones_per_step_and_image_times_what_is_planned(size, home):
    assert cli.main(["run", "sr", *SMALL, "--methods", "floor,dni", "--jobs", "1"]) == 0
    store = Store()
    for path in (home / "stages").glob("*/stage.json"):
        record = read_json(path)
        facts = {**record["facts"], "seconds": 3600.0 * record["facts"]["steps"]}
        write_json(path, {**record, "facts": facts})
    for path in (home / "cells" / "sr").glob("*.json"):
        record = read_json(path)
        write_json(path, {**record, "cost": {**record["cost"], "ms_per_image": 3.6e6}})
    images = len({row[0] for row in json.loads(path.read_text())["rows"]})

    lines, text = size("sr", *SMALL, "--methods", "floor,dni", "--seeds", "0,1,2")
    assert lines["sr smoke train dni end"][:2] == ("3", f"{3 * 4:.3g}")
    assert lines["sr smoke sweep dni on builtin"][:2] == ("3", f"{3 * 2 * images:.3g}")
    assert "Not counted" not in text
    assert "cpu" in text
    key = next(iter((home / "stages").iterdir())).name
    weights = (store.stage_folder(key) / "model.safetensors").stat().st_size
    assert lines["sr smoke train dni end"][2] == f"{3 * weights / 1e6:.3g}"

    lines, text = size("sr", *SMALL, "--set", "steps=8", "--methods", "dni")
    assert lines["sr smoke:steps=8 train dni end"][:2] == ("1", "8")
    lines, text = size("sr", *SMALL, "--set", "batch=4", "--methods", "dni")
    assert lines["sr smoke:batch=4 train dni end"][1] == "?", "another batch is other work"


def test_runs_of_a_few_steps_count_only_where_there_are_no_longer_ones_and_are_named(size, home):
    words = ["denoise", *SMALL, "--methods", "dni"]
    assert cli.main(["train", *words, "--set", "steps=2", "--jobs", "1"]) == 0
    (folder,) = (
        path.parent
        for path in (home / "stages").glob("*/stage.json")
        if read_json(path)["facts"]["job"]["stage"]["name"] == "start"
    )

    def recorded(name: str, steps: int, first: int, seconds: float) -> None:
        """Leaves the record of another run of the same stage."""
        record = read_json(folder / "stage.json")
        facts = {**record["facts"], "steps": steps, "first": first, "seconds": seconds}
        copy = folder.with_name(name)
        copy.mkdir(exist_ok=True)
        (copy / "model.safetensors").touch()
        write_json(copy / "stage.json", {**record, "facts": facts})

    # A second of start-up, and 0.01 s a step; of 2400 steps this task takes 3600.
    recorded(folder.name, 2, 0, 1.02)
    lines, text = size(*words, "--set", "steps=2400")
    name = "denoise smoke:steps=2400 train dni start"
    assert lines[name][1] == "0.51"
    assert f"- {name}: from runs of 2 steps" in text and "start-up included" in text

    recorded("short", 3, 0, 1.03)
    recorded("resumed", 1000, 990, 1.1)
    recorded("long", 1000, 0, 11)
    recorded("longer", 9000, 0, 90)
    lines, text = size(*words, "--set", "steps=2400")
    assert lines[name][1] == "0.01"
    assert f"- {name}" not in text


def test_a_median_by_weight_is_that_of_as_many_equal_values():
    runs = [(3, 1.0), (1, 5.0), (4, 2.0), (2, 9.0)]
    for some in (runs, runs[:1], runs[:2], [(2, 1.0), (1, 4.0), (1, 7.0)]):
        spread = [value for weight, value in some for _ in range(weight)]
        assert sizing.weighted_median(some) == statistics.median(spread)


def test_a_test_set_may_be_given_as_a_path(size, home, tmp_path):
    folder = tmp_path / "sets" / "own"
    folder.mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 256, (24, 28, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "one.png")
    words = ["denoise", *SMALL, "--methods", "floor", "--test", str(folder)]
    assert cli.main(["run", *words, "--jobs", "1"]) == 0
    for path in (home / "cells" / "denoise").glob("*.json"):
        record = read_json(path)
        write_json(path, {**record, "cost": {**record["cost"], "ms_per_image": 3.6e6}})
    lines, text = size(*words)
    assert lines["denoise smoke sweep floor on own"][:2] == ("1", "2")
    assert "Not counted" not in text


def test_records_of_other_crops_and_losses_are_of_other_work(size):
    words = ["sr", *SMALL, "--methods", "floor,dni", "--set", "timing=true"]
    assert cli.main(["run", *words, "--jobs", "1"]) == 0
    lines, _ = size(*words)
    unknown = [what for what, (_, hours, _) in lines.items() if hours == "?"]
    assert not unknown
    lines, _ = size(*words, "--set", "crop=0")
    unknown = {
        what.partition(" ")[2].partition(" ")[2] for what, one in lines.items() if "?" in one
    }
    assert unknown == {"sweep floor on builtin", "sweep dni on builtin"}
    lines, _ = size(*words, "--set", "perceptual=true")
    assert all(one[1] == "?" for what, one in lines.items() if " train " in what)


def test_tasks_and_presets_multiply(size):
    lines, _ = size("sr", "denoise", "--preset", "smoke,laptop", "--methods", "floor", "--offline")
    assert len(lines) == 5
    assert "denoise laptop sweep floor on builtin" in lines


def test_pictures_that_are_a_cells_own_count_and_those_that_methods_share_do_not(size, home):
    words = ["sr", *SMALL, "--methods", "floor"]
    assert cli.main(["run", *words, "--jobs", "1"]) == 0
    sizes = []
    for path in (home / "cells" / "sr").glob("*.json"):
        record, more = read_json(path), f"{path.stem}-map.png"
        (path.parent / more).write_bytes(b"x" * 10_000_000)
        write_json(path, {**record, "pictures": {**record["pictures"], "map": more}})
        sizes += [one.stat().st_size for one in path.parent.glob(f"{path.stem}*")]
    assert size(*words)[0]["sr smoke sweep floor on builtin"][2] == f"{sum(sizes) / 1e6:.3g}"


def test_cells_with_the_dial_set_wrong_count_without_pictures(size, home):
    words = ["denoise", *SMALL, "--levels", "0.2,0.4,0.6,0.8,1", "--methods", "floor"]
    name = "denoise smoke sweep floor on builtin"
    assert cli.main(["run", *words, "--jobs", "1", "--matrix"]) == 0
    cells = [*(home / "cells" / "denoise").glob("*.json")]
    own = [path for path in cells if read_json(path)["pictures"]]
    assert 0 < len(own) < len(cells) / 2, "most cells have no pictures"
    pictures = sum(path.with_suffix(".png").stat().st_size for path in own)
    for wanted, some in (([], own), (["--matrix"], cells)):
        stored = pictures + sum(path.stat().st_size for path in some)
        lines, _ = size(*words, *wanted)
        assert float(lines[name][2]) == pytest.approx(stored / 1e6, rel=0.1)
