"""What the charts of the page draw, and say about themselves."""

import pytest

from benchmark import report, tasks

OPTIONS = {"images": ("a", "b", "c"), "null": ("ssim", "lpips", "niqe@pyiqa"), "pictures": False}
TITLES = "return [...document.querySelectorAll('#plots figcaption')].map(one => one.textContent)"
LABELS = (
    "return [...document.querySelectorAll('.chart')].map(one => "
    "[...one.querySelectorAll('.label')].map(it => it.textContent))"
)
HINT = "return document.querySelector('#explore .hint:not(.left, figure *)').textContent"


@pytest.fixture
def opened(browser, make, tmp_path):
    """Returns a function that makes a report, opens its page and returns the browser."""

    def open_page(task="denoise", levels=("0.2", "0.6", "1"), **options):
        results, judged = make(task, levels=levels, **OPTIONS | options)
        report.write(results, judged, "laptop", tmp_path)
        browser.open(tmp_path / "index.html")
        return browser

    return open_page


def test_one_method_alone_is_drawn_as_it_is_and_stands_beside_its_input(opened):
    browser = opened(methods=("decouple",), pictures=True)
    assert browser.run("return document.getElementById('gaps')") is None
    assert all("difference" not in text for texts in browser.run(LABELS) for text in texts)
    names = browser.run("return [...document.querySelectorAll('.name')].map(it => it.textContent)")
    assert names == ["input", "decouple"]
    hint = browser.run(HINT)
    assert "of the mean over images" in hint and "centre of the methods" not in hint
    bands = "return [...document.getElementById('bands').options].map(one => one.value)"
    assert browser.run(bands) == ["all", "none"]


def test_a_difference_says_which_way_is_better(opened):
    labels = opened(methods=("dni", "adafm", "floor")).run(LABELS)
    assert labels[0] == [
        "PSNR-RGB, dB: difference to the best ↑",
        "NIQE-BSDS: difference to the best ↓",
    ]
    assert [texts[1] for texts in labels[1:4]] == [
        f"difference to the best {arrow} (0 is best)" for arrow in "↑↓↓"
    ]


def test_pointing_at_a_difference_tells_the_value_too(opened):
    browser = opened(methods=("dni", "adafm"))
    found = browser.run(
        "const one = document.querySelectorAll('.chart')[1]; one.scrollIntoView({block: 'center'});"
        "const boxes = [...one.querySelectorAll('.dot')].map(it => it.getBoundingClientRect());"
        "return boxes.map(box => { one.dispatchEvent(new PointerEvent('pointermove', "
        "{clientX: box.x + box.width / 2, clientY: box.y + box.height / 2}));"
        "return document.getElementById('tip').lastChild.textContent; })"
    )
    assert all(text.startswith("PSNR-RGB, dB: ") and " to the best" in text for text in found)
    assert any(", 0.00 to the best" in text for text in found)
    assert any(", -" in text for text in found)


def test_the_legend_says_that_the_floor_has_no_difference(opened):
    browser = opened(methods=("dni", "adafm", "floor"))
    said = "return document.querySelector('#legend label:last-child').innerText"
    assert "no difference drawn" in browser.run(said)
    browser.run("document.getElementById('gaps').click()")
    assert "no difference drawn" not in browser.run(said)


def test_bands_and_thick_lines_are_those_of_the_two_best_where_no_pictures_are(opened):
    bands = "return document.getElementById('bands').options[0].text"
    browser = opened(methods=("dni", "adafm", "floor"))
    assert browser.run(bands) == "of the two best"
    assert "Thick lines are the two best methods." in browser.run(HINT)
    browser = opened(methods=("dni", "adafm", "floor"), pictures=True)
    assert browser.run(bands) == "of the two compared"
    assert "Thick lines are the two compared in the pictures below." in browser.run(HINT)


def test_titles_say_the_unit_and_what_all_levels_share(opened):
    browser = opened(methods=("dni", "adafm"))
    assert browser.run(TITLES)[:2] == ["NIQE-BSDS against PSNR-RGB (dB)", "PSNR-RGB (dB) by level"]
    task = tasks.get("operators-10")
    levels = tuple(f"{a:g}/{b / 9:.6g}" for a in (0, 0.5, 1) for b in range(8))
    browser = opened(task.name, levels, methods=("decouple", "tunable_conv"))
    assert browser.run(TITLES)[0].startswith("PSNR-RGB (dB) by level; operator ")


def test_levels_have_no_more_digits_than_anybody_reads(opened):
    said = "return document.getElementById('at-title').textContent"
    browser = opened("operators-4", ("0", "0.333333", "0.666667", "1"), methods=("dni", "decouple"))
    assert browser.run(said) == "At operator deblock"
    browser = opened("dejpeg", ("0.571429", "0.785714", "1"), methods=("dni", "adafm"))
    assert browser.run(said) == "At level 0.786 (quality 25)"


def test_a_metric_without_values_on_a_set_has_no_chart_there(browser, make, tmp_path):
    options = {**OPTIONS, "null": (), "datasets": ("set14", "set5"), "levels": ("0.2", "0.6", "1")}
    results, judged = make("denoise", methods=("dni", "adafm"), **options)
    rows = results.rows
    rows.loc[(rows["dataset"] == "set14") & (rows["metric"] == "ssim-rgb"), "value"] = float("nan")
    report.write(results, judged, "laptop", tmp_path)
    browser.open(tmp_path / "index.html")
    without = browser.run(TITLES)
    browser.run(
        "const one = document.getElementById('set'); one.value = 1; one.dispatchEvent(new Event('change'))"
    )
    there = browser.run(TITLES)
    assert [title for title in there if title not in without] == ["SSIM-RGB by level"]
    assert [title for title in there if title in without] == without


def test_what_no_line_joins_has_none_in_the_legend(browser, make, tmp_path):
    levels = ("0", "0.333333", "0.666667", "1")
    methods = ("decouple", "tunable_conv", "blend")
    results, task = make("operators-4", methods=methods, levels=levels, pictures=False)
    report.write(results, task, "laptop", tmp_path)
    browser.open(tmp_path / "index.html")
    assert browser.run("return document.querySelectorAll('.chart polyline').length") == 0
    assert browser.run("return document.querySelectorAll('#legend .key path').length") == 3
    assert browser.run("return document.querySelectorAll('#legend .key line').length") == 0


def test_no_band_leaves_its_plot_and_pointing_at_a_curve_moves_no_axis(browser, make, tmp_path):
    options = {"levels": ("0", "0.5", "1"), "images": ("a", "b", "c"), "pictures": False}
    results, task = make(methods=("dni", "adafm", "ftn"), **options)
    rows = results.rows
    apart = rows["image"].map({"a": 0.02, "b": -0.02, "c": 0.0}) * (1 + rows["level"].astype(float))
    rows["value"] *= 1 + apart * rows["method"].map({"dni": 1.0, "adafm": -2.0, "ftn": 0.0})
    report.write(results, task, "laptop", tmp_path)
    browser.open(tmp_path / "index.html")
    cut = (
        "return [...document.querySelectorAll('.chart')].flatMap(one => {"
        "const box = one.querySelector('clipPath rect');"
        "const [top, high] = ['y', 'height'].map(name => Number(box.getAttribute(name)));"
        "return [...one.querySelectorAll('.band')].flatMap(it => it.getAttribute('points').split(' '))"
        ".map(it => Number(it.split(',')[1])).map(y => y < top || y > top + high); })"
    )
    axes = "return [...document.querySelectorAll('.chart text')].map(one => one.textContent)"
    few, before = browser.run(cut), browser.run(axes)
    browser.run(
        "const { pair } = JSON.parse(document.getElementById('data').textContent);"
        "const other = [0, 1, 2].find(one => !pair.includes(one));"
        "document.querySelectorAll('#legend label')[other].dispatchEvent(new PointerEvent('pointerenter'))"
    )
    more = browser.run(cut)
    assert len(more) > len(few) > 0 and not any([*few, *more])
    assert browser.run(axes) == before
