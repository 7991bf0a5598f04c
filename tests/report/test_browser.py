"""The page in a real browser."""

from __future__ import annotations

import re
import shutil
import subprocess
import tarfile

import pytest

from benchmark import report, tasks
from benchmark.errors import Failure
from benchmark.leaderboard import assemble, build, entry, synthetic
from benchmark.report.grids import Cell, Grid, Line
from benchmark.report.html import frame, table

PAGES = ("sr/index.html", "denoise/index.html", "blur-noise/index.html", "index.html")
PAGES += ("boards/sr/index.html", "boards/index.html")
AXE = "axe-core@4.14.1"
LEVEL = "document.getElementById('level-0')"


@pytest.fixture(scope="module")
def folder(tmp_path_factory, builder):
    """Reports of some tasks: with two sets and a failure, with a matrix, with two dials, with many lines."""
    root = tmp_path_factory.mktemp("report")
    failure = Failure("mine", "small", 0, "<img src=x onerror=alert(1)>")
    for name, options in (
        (
            "sr",
            {
                "datasets": ("set5", "set14"),
                "failures": (failure,),
                "null": ("ssim", "niqe", "colour"),
            },
        ),
        (
            "denoise",
            {
                "matrix": True,
                "seeds": (0, 1),
                "levels": ("0.2", "0.4", "0.6", "1"),
                "null": ("ssim", "lpips", "niqe"),
            },
        ),
        ("blur-noise", {"levels": tuple(f"{a:g}/{b:g}" for a in (0, 0.5, 1) for b in (0, 1))}),
        (
            "operators-10",
            {"levels": tuple(f"{a:g}/{b / 9:.6g}" for a in (0, 0.5, 1) for b in range(8))},
        ),
    ):
        methods = ("dni", "adafm", "ftn:groups=4", "experts", "blend", "floor")
        results = builder(
            root / "pictures" / name, name, methods, images=("a", "b", "c"), **options
        )
        report.write(results, tasks.get(name), "laptop", root / name)
    report.index(root)
    boards = tmp_path_factory.mktemp("leaderboards")
    for method, options in (
        ("dni", {"status": "reproduced"}),
        ("adafm", {"status": "reproduced", "quality": 0.3}),
        ("experts", {"levels": 2}),
    ):
        files = synthetic.make(method=method, **options)
        assemble.place(boards, "sr", entry.parse(files[entry.NAME]).id, files)
    build.pages(boards, root / "boards")
    return root


@pytest.fixture(scope="module")
def axe(tmp_path_factory) -> str:
    """The script of axe-core, which is fetched and not kept."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("axe-core is fetched with npm, which is not installed")
    place = tmp_path_factory.mktemp("axe")
    try:
        subprocess.run(
            [npm, "pack", AXE, "--silent"], cwd=place, check=True, capture_output=True, timeout=60
        )
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"npm could not fetch {AXE}: {type(error).__name__}")
    (packed,) = place.glob("*.tgz")
    with tarfile.open(packed) as file:
        return file.extractfile("package/axe.min.js").read().decode()


def rings(browser) -> list[list[str]]:
    """The places of the level's marks, by chart."""
    return browser.run(
        "return [...document.querySelectorAll('.chart')].map(one => "
        "[...one.querySelectorAll('.at')].map(it => it.getAttribute('cx') + ' ' + it.getAttribute('cy')))"
    )


def column(browser, table: str, at: int) -> list[str]:
    return browser.run(
        f"return [...document.querySelectorAll('{table} tbody tr')].filter(one => !one.hidden)"
        f".map(one => one.cells[{at}].textContent)"
    )


def sources(browser) -> list[str]:
    return browser.run("return [...document.querySelectorAll('.pane img')].map(one => one.src)")


def clean(browser) -> bool:
    """Whether the page complained of nothing and asked for nothing but itself."""
    outside = [
        url for url in browser.requests if not url.startswith(("file:", "data:", "about:blank"))
    ]
    files = [url for url in browser.requests if url.startswith("file:")]
    return browser.complaints == [] and outside == [] and len(files) == 1


def test_the_slider_moves_the_marker_on_every_curve_and_the_pictures(browser, folder):
    browser.open(folder / "sr" / "index.html")
    before, shown = rings(browser), sources(browser)
    values = column(browser, "#at", 1)
    browser.run(f"{LEVEL}.focus()")
    browser.press("ArrowRight", 39)
    after, then = rings(browser), sources(browser)
    marked = [at for at, places in enumerate(before) if places]
    assert len(marked) == 3 and all(before[at] != after[at] for at in marked)
    assert len(set(shown)) == 2 and not set(shown) & set(then)
    assert values != column(browser, "#at", 1)
    assert browser.run(f"return {LEVEL}.getAttribute('aria-valuetext')") == "level 0.75"
    assert "level 0.75" in browser.run("return document.getElementById('said').textContent")
    loaded = browser.run(
        "return [...document.querySelectorAll('.pane img')].map(one => one.decode().then(() => one.naturalWidth))"
        ".reduce(async (all, one) => [...await all, await one], [])"
    )
    assert all(width > 0 for width in loaded)
    assert clean(browser)


def test_two_methods_are_chosen_wiped_zoomed_and_moved(browser, folder):
    browser.open(folder / "sr" / "index.html")
    names = browser.run("return [...document.getElementById('left').options].map(one => one.text)")
    assert names[:2] == ["input", "clean"] and "ftn:groups=4" in names
    first = sources(browser)[0]
    change = "one.dispatchEvent(new Event('change')); one.dispatchEvent(new Event('input'))"
    browser.run(f"const one = document.getElementById('left'); one.value = '1'; {change}")
    assert sources(browser)[0] != first
    clip = "return document.querySelector('.pane').style.clipPath"
    half = browser.run(clip)
    browser.run("document.getElementById('wipe').focus()")
    browser.press("ArrowLeft", 37)
    assert browser.run(clip) != half
    where = "return document.querySelector('.pane img').style.cssText"
    whole = browser.run(where)
    browser.run("document.getElementById('zoom').focus()")
    browser.press("ArrowRight", 39)
    zoomed = browser.run(where)
    assert zoomed != whole
    browser.run("document.getElementById('stage').focus()")
    browser.press("ArrowDown", 40)
    assert browser.run(where) != zoomed
    browser.run(f"const one = document.getElementById('view'); one.value = 'side'; {change}")
    assert browser.run("return document.getElementById('wiper').hidden")
    assert clean(browser)


def test_dragging_the_wipe_moves_it(browser, folder):
    browser.open(folder / "sr" / "index.html")
    x, y, width = browser.run(
        "const it = document.getElementById('stage'); it.scrollIntoView({block: 'center'});"
        "const box = it.getBoundingClientRect(); return [box.x, box.y + box.height / 2, box.width]"
    )
    browser.mouse("mouseMoved", x + width / 2, y)
    browser.mouse("mousePressed", x + width / 2, y)
    browser.mouse("mouseMoved", x + width / 4, y)
    browser.mouse("mouseReleased", x + width / 4, y)
    assert browser.run("return document.getElementById('wipe').value") == "25"


def test_a_heading_sorts_its_column_by_keyboard_and_says_so(browser, folder):
    browser.open(folder / "sr" / "index.html")
    browser.run("document.querySelector('#at thead th:nth-child(2) button').focus()")
    original = column(browser, "#at", 0)
    state = "return document.querySelector('#at thead th:nth-child(2)').getAttribute('aria-sort')"
    browser.press("Enter", 13)
    assert browser.run(state) == "descending"
    values = [float(text.split()[0]) for text in column(browser, "#at", 1) if text != "—"]
    assert values == sorted(values, reverse=True)
    browser.press("Enter", 13)
    assert browser.run(state) == "ascending"
    values = [float(text.split()[0]) for text in column(browser, "#at", 1) if text != "—"]
    assert values == sorted(values)
    browser.press("Enter", 13)
    assert browser.run(state) is None and column(browser, "#at", 0) == original
    assert clean(browser)


def test_what_is_missing_is_last_in_either_direction(browser, folder):
    browser.open(folder / "sr" / "index.html")
    browser.run(f"{LEVEL}.value = 1; {LEVEL}.dispatchEvent(new Event('input'))")
    for _ in range(2):
        browser.run("document.querySelector('#at thead th:nth-child(2) button').click()")
        assert column(browser, "#at", 1)[-1] == "—"


def test_confidence_is_sorted_as_the_number_that_it_is(browser, tmp_path):
    halves = ("± 9.20, 5 images", "± 10.50, 5 images", "± 0.31, 5 images")
    lines = tuple(Line(str(at), (Cell(half),)) for at, half in enumerate(halves))
    page = frame("made up", [table(Grid("made up", (("", "confidence, dB"),), lines))])
    (tmp_path / "index.html").write_text(page)
    browser.open(tmp_path / "index.html")
    for order in ((10.5, 9.2, 0.31), (0.31, 9.2, 10.5)):
        browser.run("document.querySelector('thead th:nth-child(2) button').click()")
        shown = [float(text.split()[1].strip(",")) for text in column(browser, "table", 1)]
        assert tuple(shown) == order


def test_two_dials_have_a_slider_each(browser, folder):
    browser.open(folder / "blur-noise" / "index.html")
    texts = "return [...document.querySelectorAll('input.level')].map(one => one.getAttribute('aria-valuetext'))"
    assert browser.run(texts) == ["2", "50"]
    browser.run("document.getElementById('level-1').focus()")
    browser.press("ArrowLeft", 37)
    assert browser.run(texts) == ["2", "0"]
    browser.run("document.getElementById('level-0').focus()")
    browser.press("ArrowRight", 39)
    assert browser.run(texts) == ["4", "0"]
    assert "blur 4, sigma 0" in browser.run("return document.getElementById('said').textContent")


def test_the_plane_of_two_dials_has_points_and_its_levels_are_labelled_alike(browser, folder):
    browser.open(folder / "blur-noise" / "index.html")
    parts = "return [...document.querySelectorAll('.chart')].map(one => one.querySelectorAll('%s').length)"
    joined = browser.run(parts % "polyline")
    assert joined[0] == 0 and joined[1] > 0
    assert browser.run(parts % "svg .s0 .dot")[0] == 5  # of six levels one is hollow
    texts = (
        "return [...document.querySelectorAll('.chart')].slice(1, -1).map(one => "
        "[...one.querySelectorAll('text[text-anchor=middle]:not(.label)')].map(it => it.textContent))"
    )
    label = "return document.querySelectorAll('.chart')[1].querySelector('.label').textContent"
    for width in (1280, 390):
        browser.open(folder / "blur-noise" / "index.html", width, 844)
        for one in browser.run(texts):
            assert one == ["0", "50"] * 3 + ["0", "2", "4"]
    assert browser.run(label) == "sigma (of 255); below: blur (pixels)"
    assert browser.run("return document.querySelectorAll('#legend .key line').length") > 0
    assert clean(browser)


def test_of_many_lines_side_by_side_the_one_at_the_sliders_is_drawn(browser, folder):
    browser.open(folder / "operators-10" / "index.html")
    captions = (
        "return [...document.querySelectorAll('#plots figcaption')].map(one => one.textContent)"
    )
    points = "return document.querySelectorAll('#plots figure:nth-of-type(2) .s0 .dot').length"
    assert all("; operator " in one for one in browser.run(captions)[:-1])
    assert browser.run(points) == 3
    before = browser.run(captions)[1]
    browser.run("document.getElementById('level-1').focus()")
    browser.press("ArrowLeft", 37)
    assert browser.run(captions)[1] != before and browser.run(points) == 3
    assert clean(browser)


def test_pointing_at_a_curve_shows_its_value_and_clicking_goes_to_its_level(browser, folder):
    browser.open(folder / "sr" / "index.html")
    x, y = browser.run(
        "const one = document.querySelectorAll('.chart')[1]; one.scrollIntoView({block: 'center'});"
        "const box = one.querySelector('.dot').getBoundingClientRect();"
        "return [box.x + box.width / 2, box.y + box.height / 2]"
    )
    browser.mouse("mouseMoved", x, y)
    assert "PSNR-Y" in browser.run("return document.getElementById('tip').textContent")
    browser.mouse("mousePressed", x, y)
    browser.mouse("mouseReleased", x, y)
    assert browser.run(f"return {LEVEL}.value") == "0"


def test_another_set_brings_its_curves_and_pictures(browser, folder):
    browser.open(folder / "sr" / "index.html")
    before = column(browser, "#at", 1)
    browser.run(
        "const one = document.getElementById('set'); one.value = 1; one.dispatchEvent(new Event('change'))"
    )
    assert column(browser, "#at", 1) != before
    assert clean(browser)


def test_a_curve_is_hidden_and_bands_are_shown(browser, folder):
    browser.open(folder / "denoise" / "index.html")
    count = "return document.querySelectorAll('.chart .s0').length"
    assert browser.run(count) > 0
    browser.run("document.querySelector('#legend input').click()")
    assert browser.run(count) == 0
    bands = "return document.querySelectorAll('.band').length"
    few = browser.run(bands)
    browser.run(
        "const one = document.getElementById('bands'); one.value = 'all'; one.dispatchEvent(new Event('change'))"
    )
    assert browser.run(bands) > few > 0


def test_a_board_has_its_slider_and_its_tables_can_be_sorted(browser, folder):
    browser.open(folder / "boards" / "sr" / "index.html")
    before = rings(browser)
    browser.run(f"{LEVEL}.focus()")
    browser.press("ArrowRight", 39)
    assert before[0] and before != rings(browser)
    own = "main > .wide table"
    first = column(browser, own, 0)
    browser.run(f"document.querySelector('{own} thead th button').click()")
    assert first == ["adafm", "dni", "experts"] != [] and clean(browser)
    titles = (
        "return [...document.querySelectorAll('#plots figcaption')].map(one => one.textContent)"
    )
    assert browser.run(titles)[0] == "LPIPS against PSNR-Y (dB)" and len(browser.run(titles)) > 3
    browser.run(f"document.querySelector('{own} thead th button').click()")
    assert column(browser, own, 0)[:2] == ["dni", "adafm"]
    card = browser.run(f"return document.querySelector('{own} tbody a').getAttribute('href')")
    browser.open(folder / "boards" / "sr" / card, 390, 844)
    assert "dni on sr" in browser.run("return document.body.innerText") and clean(browser)
    assert browser.run("return document.documentElement.scrollWidth") <= 390


def test_the_matrix_marks_the_level(browser, folder):
    browser.open(folder / "denoise" / "index.html")
    marked = "return [...new Set([...document.querySelectorAll('tr.now')].map(one => one.dataset.level))]"
    assert browser.run(marked) == ["0.6"]
    browser.run(f"{LEVEL}.value = 0; {LEVEL}.dispatchEvent(new Event('input'))")
    assert browser.run(marked) == ["0.2"]


@pytest.mark.parametrize(
    "options",
    [
        {"methods": ("dni",), "levels": ("0.5",), "null": ("ssim", "lpips", "niqe", "colour")},
        {"methods": ("floor",), "null": ("ssim", "niqe", "colour"), "pictures": False},
        {
            "methods": ("dni",),
            "levels": ("0",),
            "null": ("psnr", "ssim", "lpips", "niqe", "colour"),
        },
        {"methods": (), "pictures": False},
    ],
    ids=["one number", "only the floor", "all null", "nothing"],
)
def test_unusual_results_still_make_a_page_without_complaints(browser, make, tmp_path, options):
    results, task = make(**options)
    report.write(results, task, "laptop", tmp_path)
    browser.open(tmp_path / "index.html", 390, 844)
    assert clean(browser)
    assert browser.run("return document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("width", [390, 1280])
def test_a_page_fits_its_window(browser, folder, name, width):
    browser.open(folder / name, width, 844)
    assert browser.run("return document.documentElement.scrollWidth") <= width
    assert clean(browser)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_serious(browser, folder, axe, name, scheme):
    browser.open(folder / name, scheme=scheme)
    browser.run("for (const one of document.querySelectorAll('details')) one.open = true")
    browser.run(axe)
    found = browser.run(
        "const { violations } = await axe.run(); return violations.map(one => "
        "[one.impact, one.id, one.nodes.map(it => it.html.slice(0, 200)).slice(0, 3)])"
    )
    assert [one for one in found if one[0] in ("serious", "critical")] == []


def test_without_scripts_tables_figures_and_files_are_there(browser, folder, tmp_path):
    text = (folder / "sr" / "index.html").read_text()
    page = tmp_path / "index.html"
    page.write_text(re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL))
    browser.open(page)
    shown = browser.run(
        "return ['#dial', '#explore', '#viewer', '#static svg', 'h2 + .wide table.sort:not(#at)'].map(one => "
        "document.querySelector(one).checkVisibility())"
    )
    assert shown == [False, False, False, True, True]
