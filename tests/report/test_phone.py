"""The page on small and magnified screens."""

import pytest

from benchmark import report, tasks

LONG = "decouple:kernel=5:apart=true:groups=16"


@pytest.fixture(scope="module")
def folder(builder, tmp_path_factory):
    """A report with a long name, and the page that leads to it."""
    root = tmp_path_factory.mktemp("phone")
    results = builder(
        root / "pictures",
        "denoise",
        ("dni", LONG, "floor"),
        levels=("0.2", "0.6", "1"),
        images=("a", "b", "c"),
        null=("ssim", "lpips", "niqe@pyiqa"),
    )
    report.write(results, tasks.get("denoise"), "laptop", root / "denoise")
    report.index(root)
    return root


def test_no_heading_slides_over_the_names_of_methods(browser, folder):
    browser.open(folder / "denoise" / "index.html", 390, 844)
    corners = browser.run(
        "const table = document.querySelector('#explore ~ .wide table, h2 + .wide table.sort:not(#at)');"
        "const wide = table.closest('.wide'); wide.scrollIntoView({block: 'center'}); wide.scrollLeft = 150;"
        "await new Promise(requestAnimationFrame);"
        "return [...table.tHead.rows].map(row => { const cell = row.cells[0];"
        "const box = cell.getBoundingClientRect();"
        "const top = document.elementFromPoint(box.x + box.width - 4, box.y + box.height / 2);"
        "return [wide.scrollLeft, box.x === wide.getBoundingClientRect().x, cell.contains(top)]; })"
    )
    assert corners == [[150, True, True]] * 2


def test_long_names_leave_room_for_values(browser, folder):
    browser.open(folder / "denoise" / "index.html", 390, 844)
    widths = browser.run(
        "return [...document.querySelectorAll('tbody th')].filter(one => one.checkVisibility())"
        ".map(one => one.getBoundingClientRect().width)"
    )
    assert 0.4 * 390 < max(widths) < 0.45 * 390


def test_boxes_of_the_legend_are_large_enough_for_a_finger(browser, folder):
    browser.open(folder / "denoise" / "index.html", 390, 844)
    heights = browser.run(
        "return [...document.querySelectorAll('#legend label')].map(one => one.getBoundingClientRect().height)"
    )
    assert len(heights) == 3 and min(heights) >= 24


def test_columns_of_sentences_are_not_squeezed_in_the_index(browser, folder):
    browser.open(folder / "index.html", 390, 844)
    cells = browser.run(
        "return [...document.querySelectorAll('tbody td')].map(one => one.getBoundingClientRect().width)"
    )
    assert cells[1] >= 190 and cells[6] >= 190 and min(cells) >= 90


def test_the_dial_scrolls_away_where_the_screen_is_low(browser, folder):
    position = "return getComputedStyle(document.getElementById('dial')).position"
    for height, wanted in ((844, "sticky"), (400, "static")):
        browser.open(folder / "denoise" / "index.html", 390, height)
        assert browser.run(position) == wanted


def test_the_slider_of_the_wipe_is_as_wide_as_the_picture_in_a_low_window(browser, folder):
    browser.open(folder / "denoise" / "index.html", 1000, 500)
    stage, wiper = browser.run(
        "return ['stage', 'wiper'].map(one => document.getElementById(one).getBoundingClientRect().width)"
    )
    assert stage == pytest.approx(wiper, abs=1) and stage < 36 * 16


def test_an_axis_has_a_scale_however_narrow_the_chart(browser, make, tmp_path):
    results, task = make(methods=("dni",), levels=("0", "1"), pictures=False)
    rows = results.rows
    values = rows["level"].map({"0": 28.12, "1": 28.88})
    rows["value"] = rows["value"].where(rows["metric"] != "psnr-y601", values)
    report.write(results, task, "laptop", tmp_path)
    browser.open(tmp_path / "index.html", 390, 844)
    texts = browser.run(
        "return [...document.querySelector('.chart').querySelectorAll('text[text-anchor=middle]:not(.label)')]"
        ".map(one => one.textContent)"
    )
    assert texts == ["28.2", "28.4", "28.6", "28.8"]


def test_names_of_axes_stay_inside_of_their_chart(browser, builder, tmp_path):
    """Three axes have long names, and a low window leaves little room beside a chart."""
    levels = [f"{a}/{b}/{c}" for a in "01" for b in "01" for c in "01"]
    results = builder(
        tmp_path / "pictures", "blur-noise-jpeg", ("dni",), levels=levels, pictures=False
    )
    report.write(results, tasks.get("blur-noise-jpeg"), "laptop", tmp_path)
    for width in (800, 375, 320):
        browser.open(tmp_path / "index.html", width, 844)
        names = browser.run(
            "return [...document.querySelectorAll('.chart svg .label')].map(one => {"
            "const [a, b] = [one, one.ownerSVGElement].map(it => it.getBoundingClientRect());"
            "return [one.textContent, Math.min(a.left - b.left, b.right - a.right, a.top - b.top, b.bottom - a.bottom)]; })"
        )
        assert len(names) > 4 and any(len(name) > 60 for name, _ in names)
        assert [name for name, room in names if room < 0] == [], width


def test_numbers_of_axes_are_not_cut_at_the_edge_of_their_chart(browser, make, tmp_path):
    """A number that is cut reads as another one: 0.019 as 0.01."""
    results, task = make(methods=("dni", "adafm"), pictures=False)
    stored = results.costs["method"].map({"dni": 18_700, "adafm": 13_900})
    results.costs["params_stored"] = stored
    report.write(results, task, "laptop", tmp_path)
    browser.open(tmp_path / "index.html", 640, 844)
    numbers = browser.run(
        "return [...document.querySelectorAll('.chart svg text:not(.label)')].map(one => {"
        "const [a, b] = [one, one.ownerSVGElement].map(it => it.getBoundingClientRect());"
        "return [one.textContent, Math.min(a.left - b.left, b.right - a.right)]; })"
    )
    assert "0.019" in [text for text, _ in numbers]
    assert [text for text, room in numbers if room < 0] == []
