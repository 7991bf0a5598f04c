"""Pairs of degraded and clean photographs: how they are found, restored and judged."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from benchmark import cli, tasks
from benchmark.analysis.comparison import pairs_table, ranking
from benchmark.analysis.dial import figures
from benchmark.analysis.scores import Run, scores
from benchmark.data.pairs import PairSet, default_tests, open_test
from benchmark.data.samples import Samples
from benchmark.errors import UserError
from benchmark.metrics.protocol import PROTOCOLS
from benchmark.planning import keys

DERAIN = tasks.get("derain@pairs")
SMALL = ("--preset", "smoke", "--set", "steps=1", "--offline", "--jobs", "1")


@pytest.fixture
def make(tmp_path):
    """Returns what writes a set of pairs."""

    def write(name="real", height=40, width=44, scale=1, images=("a", "b"), other="rainy"):
        folder = tmp_path / name
        for part, sides in (("clean", (height, width)), (other, (height // scale, width // scale))):
            (folder / part).mkdir(parents=True)
            for at, image in enumerate(images):
                rng = np.random.default_rng([at, part == "clean"])
                pixels = rng.integers(0, 256, (*sides, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / part / f"{image}.png")
        return folder

    return write


def test_every_clean_image_meets_the_one_of_its_name(make):
    folder = make(images=("x10", "x9"))
    (folder / ".thumbnails").mkdir()
    found = open_test(DERAIN, str(folder))
    assert isinstance(found, PairSet) and found.name == "real"
    assert [one.name for one in found.pictures] == ["x9", "x10"] == [o.name for o in found.given]
    assert [one.path.parent.name for one in (*found.pictures, *found.given)] == [
        *(["clean"] * 2),
        *(["rainy"] * 2),
    ]
    (left,) = open_test(DERAIN, f"{folder}:without=x9").given
    assert left.name == "x10"
    (folder / "rainy" / "x9.png").write_bytes((folder / "rainy" / "x10.png").read_bytes())
    assert open_test(DERAIN, str(folder)).digest != found.digest


def test_tasks_with_levels_of_their_own_take_no_pairs(make):
    folder = make()
    with pytest.raises(UserError, match="it has subfolders, name one of them: clean, rainy"):
        open_test(tasks.get("derain"), str(folder))
    assert not isinstance(open_test(tasks.get("derain"), str(folder / "clean")), PairSet)


def test_what_is_no_set_of_pairs_is_one_sentence(make, tmp_path, photographs):
    lacking = make("lacking")
    (lacking / "rainy" / "b.png").unlink()
    more = make("more")
    (more / "third").mkdir()
    for folder, part in (
        (lacking, "'b' is in one folder only"),
        (more, "clean and one other, of what is to be restored: it holds clean, rainy, third"),
        (photographs, "is no folder that holds"),
        (tmp_path / "nowhere", "is no folder that holds"),
        ("builtin", "is no folder that holds"),
    ):
        with pytest.raises(UserError, match=part):
            open_test(DERAIN, str(folder))


def test_a_tasks_own_pairs_are_found_beside_its_clean_images(make, tmp_path, monkeypatch):
    monkeypatch.delenv("DIALBENCH_DATA", raising=False)
    with pytest.raises(UserError, match="give --test FOLDER"):
        default_tests(DERAIN)
    make("test/rain100l-25")
    (tmp_path / "train").mkdir()
    monkeypatch.setenv("DIALBENCH_DATA", str(tmp_path))
    assert default_tests(DERAIN) == ("rain100l-25",)
    assert default_tests(tasks.get("derain")) == ("rain100l-25/clean",)
    assert open_test(DERAIN, "rain100l-25").name == "rain100l-25"
    with pytest.raises(UserError, match="give --test FOLDER"):
        default_tests(tasks.get("denoise@pairs"))


@pytest.mark.parametrize(("task", "scale"), [("derain@pairs", 1), ("sr-noise@pairs", 4)])
def test_networks_are_given_the_degraded_image_at_every_level(make, task, scale):
    folder = make(height=40, width=44, scale=scale)
    samples = Samples(open_test(tasks.get(task), str(folder)), tasks.get(task))
    for index, name in enumerate("ab"):
        with Image.open(folder / "rainy" / f"{name}.png") as image:
            expected = torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255
        for level in ((0.0,), (0.7,)):
            assert torch.equal(samples.degraded(index, level), expected)
            with Image.open(folder / "clean" / f"{name}.png") as image:
                clean = torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255
            assert torch.equal(samples.reference(index, level), clean)


def test_sides_that_are_no_multiples_of_the_scale_are_cut_alike(make):
    folder, task = make(height=42, width=47, scale=4), tasks.get("sr-noise@pairs")
    samples = Samples(open_test(task, str(folder)), task)
    assert samples.clean(0).shape == (3, 40, 44)
    assert samples.degraded(0, (0.0,)).shape == (3, 10, 11)


def test_a_pair_whose_sizes_do_not_go_together_is_named(make):
    folder = make()
    Image.new("RGB", (40, 40)).save(folder / "rainy" / "b.png")
    with pytest.raises(UserError, match="pair 'b': what is to be restored is 40x40 .* and 44x40"):
        open_test(DERAIN, str(folder))
    (folder / "rainy" / "b.png").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"b\.png is damaged or not an image"):
        open_test(DERAIN, str(folder))


@pytest.mark.parametrize("name", ["sr", "filter-l0", "blind", "pixel-adaptive", "denoise-strength"])
def test_only_a_dial_for_how_bad_the_input_is_can_be_judged_on_pairs(name):
    with pytest.raises(UserError, match="cannot be judged on pairs"):
        tasks.get(name).under(PROTOCOLS["pairs"])


def test_networks_are_those_of_the_task_without_pairs():
    objective, plain = DERAIN.objective, tasks.get("derain")
    assert keys.training_digest(DERAIN, objective, ()) == keys.training_digest(plain, objective, ())
    assert keys.scoring_digest(DERAIN) != keys.scoring_digest(plain)
    assert DERAIN.conditions((1.0,)) == plain.conditions((1.0,))
    assert not DERAIN.has_true_level and plain.has_true_level
    assert tasks.get("blur-noise").harmless and not tasks.get("blur-noise@pairs").harmless


@pytest.fixture
def rows():
    """One method that is best at a level of its own, one that is better on average, one in between."""
    values = {"dni": (20, 30, 20), "ftn": (28, 28, 28), "adafm": (20, 20, 29)}
    return pd.DataFrame(
        {
            "method": method,
            "backbone": "small",
            "preset": "laptop",
            "dataset": "real",
            "seed": 0,
            "image": f"i{image}",
            "level": level,
            "set_level": level,
            "metric": "psnr-y601",
            "value": value + image,
            "status": "ok",
            "reason": "",
        }
        for method, own in values.items()
        for level, value in zip(("0", "0.5", "1"), own, strict=True)
        for image in range(6)
    )


def test_methods_are_ranked_by_their_own_best_level(rows):
    runs = [Run(name, "small", "laptop", "real") for name in ("dni", "adafm", "ftn")]
    found = scores(rows, DERAIN)
    assert [rank for rank, _ in ranking(found, DERAIN, runs).values()] == [1, 2, 3]
    plain = ranking(found, tasks.get("derain"), runs)
    assert [plain[run][0] for run in runs] == [2, 3, 1]
    table = pairs_table(found, DERAIN).set_index(["method", "other"])
    assert table.loc[("adafm", "dni"), "difference"] == pytest.approx(-1)


def test_the_best_level_and_what_levels_of_their_own_would_gain(rows):
    alone = rows["method"] == "dni"
    rows.loc[alone & (rows["image"] == "i5") & (rows["level"] == "0"), "value"] += 16
    own = scores(rows[alone], DERAIN)[Run("dni", "small", "laptop", "real")][0]
    found = figures(own, None, DERAIN)
    assert found["pairs-best", "psnr-y601", ""] == pytest.approx(32.5)
    assert found["pairs-level", "psnr-y601", ""] == 0.5
    assert found["pairs-own", "psnr-y601", ""] == pytest.approx(1.0)
    assert not any(name.startswith(("gap", "coverage", "best-dial")) for name, *_ in found)


def test_a_run_on_pairs_trains_nothing_new_and_is_read_at_each_methods_best_level(
    make, home, photographs, capsys
):
    words = ["--methods", "dni,floor", *SMALL]
    assert cli.main(["run", "derain", *words, "--test", str(photographs)]) == 0
    capsys.readouterr()
    asked = ["run", "derain@pairs", *words, "--test", str(make())]
    assert cli.main([*asked, "--dry-run"]) == 0
    assert "training steps: 0 to do" in capsys.readouterr().out
    assert cli.main(asked) == 0
    report = home / "report" / "derain@pairs"
    found = pd.read_csv(report / "rows.csv")
    floor = found[(found["method"] == "floor") & (found["metric"] == "psnr-y601")]
    assert floor.groupby("image")["value"].nunique().tolist() == [1, 1], "one input at all levels"
    dial = pd.read_csv(report / "dial.csv").set_index(["method", "figure"])["value"]
    best = found[(found["method"] == "dni") & (found["metric"] == "psnr-y601")]
    assert dial["dni", "pairs-best"] == pytest.approx(
        best.groupby("level")["value"].mean().max(), abs=1e-5
    )
    page = (report / "table.md").read_text()
    assert "at the level that is best for the method" in page and "nobody knows" in page
    assert (report / "pd_curve.png").is_file()


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["board", "submit", "derain@pairs"], "boards do not"),
        (["demo", "derain@pairs"], "ask for derain"),
        (["run", "derain@pairs", "--matrix"], "which those of derain@pairs have not"),
        (
            ["analyze", "experts", "--task", "derain@pairs"],
            "which those of derain@pairs do not have",
        ),
        (["run", "sr@pairs"], "cannot be judged on pairs"),
    ],
)
def test_what_pairs_cannot_be_used_for_is_one_sentence(words, part, home, capsys):
    assert cli.main(words) == 2
    error = capsys.readouterr().err
    assert part in error and error.count("\n") == 1


def test_a_protocol_without_pairs_is_as_it_was():
    assert not any(one.pairs for name, one in PROTOCOLS.items() if name != "pairs")
    assert dataclasses.replace(PROTOCOLS["pairs"], id="rgb", pairs=False) == PROTOCOLS["rgb"]
