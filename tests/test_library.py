"""The page on Python: its code runs, from top to bottom, and gives what it says."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parent.parent / "docs" / "library.md"


@pytest.fixture(scope="module")
def names(tmp_path_factory, at_home):
    """What the code of the page defines, after it has run."""
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    folder = tmp_path_factory.mktemp("library")
    defined = {"__name__": "page"}
    with at_home(folder / "runs") as patch:
        patch.chdir(folder)
        for block in blocks:
            # In this process, which is faster; the page leaves that to the command line.
            block = block.replace('"smoke"]', '"smoke", "--jobs", "1", "--offline"]')
            exec(compile(block, str(PAGE), "exec"), defined)
        defined["folder"] = folder
        defined["stages"] = len([*(folder / "runs" / "stages").iterdir()])
    return defined


def test_networks_and_images_are_what_the_page_says(names):
    assert names["restored"].shape == (61, 47, 3) and names["restored"].dtype == "uint8"
    assert names["batch"].shape == (3, 3, 61, 47) and names["mapped"].shape == (1, 3, 61, 47)
    assert names["of_25"] == pytest.approx(20 / 75, abs=1e-6)
    tuned, method, x = names["network"], names["method"], names["x"]
    assert names["torch"].allclose(tuned(x), method(x, 0.7), atol=1e-6)


def test_networks_of_a_leaderboard_restore(names):
    samples = names["Samples"](names["open_set"]("builtin", "test", crop=96), names["task"])
    given, clean = samples.degraded(0, (0.6,)), samples.clean(0)
    output = names["entered"](given[None], 0.6)[0]
    noisy, left = (float(((one - clean) ** 2).mean()) for one in (given, output))
    assert left < noisy / 5  # 7 dB; untrained weights gain none


def test_samples_are_what_a_run_scores(names):
    rows = names["first"]
    images = set(rows.loc[rows["method"] == "dni", "image"])
    assert {image for image, *_ in names["found"]} == images and len(names["found"]) == 9
    torch = names["torch"]
    given, clean = (names["samples"].degraded(0, (0.6,)), names["samples"].clean(0))
    output = (names["method"](given[None], 0.6)[0].clamp(0, 1) * 255).round() / 255
    psnr = -10 * torch.log10(((output - clean).double() ** 2).mean())
    same = (rows["method"] == "dni") & (rows["metric"] == "psnr-rgb") & (rows["level"] == "0.6")
    value = rows.loc[same & (rows["image"] == names["samples"].name(0)), "value"]
    assert value.item() == pytest.approx(float(psnr), abs=1e-3)


def test_two_runs_are_compared_and_one_is_removed(names):
    assert set(names["second"]["seed"]) == {1} and len(names["both"]) == len(names["first"])
    gain = names["gain"]
    assert gain["floor", "psnr-rgb", "0.6"] == 0 and gain["dni", "psnr-rgb", "0.6"] != 0
    assert names["stages"] == 3


def test_a_loop_of_ones_own_trains_a_method(names):
    built = names["build_method"](
        names["create_method"]("decouple"), "small:width=8:blocks=2", names["task"], seed=0
    )
    before, after = built.state_dict(), names["own"].state_dict()
    assert before.keys() == after.keys()
    assert any(not names["torch"].equal(before[key], after[key].cpu()) for key in before)
