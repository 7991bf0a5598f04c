"""The page for those who use no mouse, see little or nothing, or have it read to them."""

from __future__ import annotations

import re

import pytest

from benchmark import report, tasks

METHODS = ("dni", "adafm", "ftn:groups=4", "floor")
SEEN = (
    "const one = document.activeElement, box = one.getBoundingClientRect();"
    "const shown = [0.02, 0.5, 0.98].map(part => one.contains("
    "document.elementFromPoint(box.x + part * box.width, box.y + box.height / 2)));"
    "return one === document.body ? null : [one.textContent || one.id, shown.some(Boolean)]"
)
"""What has the focus, and whether any of it is seen."""


@pytest.fixture(scope="module")
def folder(builder, tmp_path_factory):
    """Reports of a task with one dial, and of one with two."""
    root = tmp_path_factory.mktemp("access")
    for name, options in (
        ("sr", {}),
        ("blur-noise", {"levels": tuple(f"{a:g}/{b:g}" for a in (0, 0.5, 1) for b in (0, 1))}),
    ):
        results = builder(root / "pictures", name, METHODS, images=("a", "b", "c"), **options)
        report.write(results, tasks.get(name), "laptop", root / name)
    return root


def tab(browser, back: bool = False) -> None:
    """Presses Tab, or Shift and Tab."""
    key = {"key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9, "modifiers": 8 * back}
    browser.call("Input.dispatchKeyEvent", type="keyDown", **key)
    browser.call("Input.dispatchKeyEvent", type="keyUp", **key)
    browser.settle()


@pytest.mark.parametrize("name", ["sr", "blur-noise"])
def test_what_has_the_focus_lies_beneath_nothing_on_a_phone(browser, folder, name):
    browser.open(folder / name / "index.html", 390, 844)
    browser.run(
        "const last = document.createElement('button'); document.body.append(last); last.focus()"
    )
    found = []
    for _ in range(200):
        tab(browser, back=True)
        seen = browser.run(SEEN)
        if seen is None or seen[0] == "Skip to the content":
            break
        found.append(seen)
    hidden = [text for text, shown in found if not shown]
    assert len(found) > 40 and hidden == []


def test_escape_hides_the_values_at_the_pointer_until_it_leaves(browser, folder):
    browser.open(folder / "sr" / "index.html")
    x, y = browser.run(
        "const one = document.querySelectorAll('.chart')[1]; one.scrollIntoView({block: 'center'});"
        "const box = one.querySelector('.dot').getBoundingClientRect();"
        "return [box.x + box.width / 2, box.y + box.height / 2]"
    )
    hidden = "return document.getElementById('tip').hidden"
    browser.mouse("mouseMoved", x, y)
    assert not browser.run(hidden)
    browser.press("Escape", 27)
    assert browser.run(hidden)
    browser.mouse("mouseMoved", x + 1, y)
    assert browser.run(hidden)
    browser.mouse("mouseMoved", 2, 2)
    browser.mouse("mouseMoved", x, y)
    assert not browser.run(hidden)


def test_intervals_of_bands_are_in_the_table_too(browser, folder):
    browser.open(folder / "sr" / "index.html")
    ends = (
        "return [...document.querySelectorAll('#at tbody tr')].map(one => "
        "(/^\\S+ \\([\\d.]+ to [\\d.]+\\)$/).test(one.cells[1].textContent))"
    )
    choose = (
        "const one = document.getElementById('bands'); one.value = '%s';"
        "one.dispatchEvent(new Event('change'));"
    )
    assert sorted(browser.run(ends)) == [False, False, True, True]
    assert browser.run(choose % "all" + ends)[:3] == [True] * 3
    assert browser.run(choose % "none" + ends) == [False] * 4


def test_charts_say_which_table_has_their_values(browser, folder):
    browser.open(folder / "sr" / "index.html")
    said = browser.run(
        "return [...document.querySelectorAll('.chart svg')].map(one => one.ariaLabel)"
    )
    assert all(one.endswith("; the table at this level has the values") for one in said[:-1])
    assert re.fullmatch(r"PSNR-Y \(dB\) against cost, .*; the tables have the values", said[-1])


def test_a_curve_stands_out_while_the_keyboard_is_at_its_box(browser, folder):
    browser.open(folder / "sr" / "index.html")
    strong = "return document.querySelectorAll('.chart .s%d.strong').length"
    browser.run("document.getElementById('bands').focus()")
    while browser.run("return document.activeElement.type") != "checkbox":
        tab(browser)
    before = browser.run(strong % 0), browser.run(strong % 1)
    tab(browser)
    dim = browser.run("return document.querySelectorAll('.chart .s0.dim').length")
    assert browser.run(strong % 1) == dim > 0 == before[1] < before[0]
    browser.run("document.activeElement.blur()")
    assert browser.run("return document.querySelectorAll('.chart .dim').length") == 0


@pytest.mark.parametrize("view", ["wipe", "side"])
def test_a_click_moves_zoomed_pictures_without_a_drag(browser, folder, view):
    browser.open(folder / "sr" / "index.html")
    x, y, width, height = browser.run(
        f"for (const [id, value] of [['zoom', 4], ['view', '{view}']]) {{"
        "const one = document.getElementById(id); one.value = value;"
        "one.dispatchEvent(new Event('input')); }"
        "const it = [...document.querySelectorAll('.pane')].at(-1);"
        "it.scrollIntoView({block: 'center'});"
        "const box = it.getBoundingClientRect(); return [box.x, box.y, box.width, box.height]"
    )
    centre = (
        "const { style } = document.querySelector('.pane img');"
        "return ['left', 'top'].map(one => (50 - parseFloat(style[one])) / 400)"
    )
    assert browser.run(centre) == [0.5, 0.5]
    # The right button opens a menu, to save the picture.
    for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
        browser.mouse(kind, x + 0.75 * width, y + 0.25 * height, "right")
    assert browser.run(centre) == [0.5, 0.5]
    for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
        browser.mouse(kind, x + 0.75 * width, y + 0.25 * height)
    assert browser.run(centre) == pytest.approx([0.5 + 0.25 / 4, 0.5 - 0.25 / 4], abs=0.002)


def test_the_slider_of_the_wipe_says_of_what_it_shows_how_much(browser, folder):
    browser.open(folder / "sr" / "index.html")
    said = "return document.getElementById('wipe').getAttribute('aria-valuetext')"
    name = browser.run("const one = document.getElementById('left'); return one[one.value].text")
    assert browser.run(said) == f"50 % {name}"
    browser.run("document.getElementById('wipe').focus()")
    browser.press("ArrowRight", 39)
    assert browser.run(said) == f"51 % {name}"


def test_figures_say_what_they_show_and_not_what_their_files_are_called(make, tmp_path):
    methods, levels = ("dni", "ftn"), ("0.2", "0.6")
    for name, options, wanted in (
        ("sr", {}, ["sr: perception against distortion", "sr: PSNR-Y (dB) by level"]),
        ("denoise", {"matrix": True}, ["denoise: PSNR-RGB lost when the dial is set to another"]),
        ("sr", {"null": ("ssim", "lpips", "niqe", "colour")}, ["Fewer than two metrics"]),
    ):
        results, task = make(name, methods=methods, levels=levels, **options)
        report.write(results, task, "laptop", tmp_path)
        text = (tmp_path / "index.html").read_text()
        found = re.findall('<svg role="img" aria-label="([^"]*)"', text)
        assert len(found) == text.count("<figure>") and not [one for one in found if ".svg" in one]
        for one in wanted:
            (said,) = (it for it in found if it.startswith(one))
            # What is empty has no values.
            assert said.endswith("; the tables have the values") == (not one.startswith("Fewer"))


def test_what_is_bold_gray_or_a_number_is_also_said(make, tmp_path):
    methods = ("dni", "ftn", "experts", "floor")
    report.write(*make(methods=methods, levels=("0", "0.25")), "laptop", tmp_path)
    text = (tmp_path / "index.html").read_text()
    assert "Baselines, in gray, do not compete: experts, floor." in text
    assert re.search(r"<td><strong>\d", text) and not re.search(r"<td><b>", text)
    notes = re.findall('<a href="#note-([0-9]+)" aria-label="([^"]*)">', text)
    assert notes and all(said == f"note {number}" for number, said in notes)


def test_links_to_files_are_apart_enough_for_a_finger(browser, folder):
    browser.open(folder / "sr" / "index.html", 320, 640)
    tops = browser.run(
        "document.getElementById('static').open = true;"
        "return [...new Set([...document.querySelectorAll('.files a')]"
        ".flatMap(one => [...one.getClientRects()].map(it => Math.round(it.top))))]"
    )
    assert len(tops) > 3
    assert all(below - top >= 24 for top, below in zip(tops, tops[1:], strict=False))
