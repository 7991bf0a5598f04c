"""The demo in a real browser; skipped without gradio or Chromium."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("gradio")

from benchmark.demo import app

SHOWN = "return [...document.querySelectorAll('.pictures img')].map(one => one.src)"
SLIDERS = "[...document.querySelectorAll('input[type=range]')]"


@pytest.fixture(scope="module")
def served(address_of):
    """The address of a demo with two methods that take level maps too."""
    yield from address_of("denoise", "dni", "ftn")


def test_the_slider_changes_the_pictures_and_nothing_outside_is_asked(browser, served, until):
    browser.open(served)
    before = until(browser, SHOWN, lambda found: len(found) == 3)
    text = "return document.body.innerText"
    captions = browser.run(
        "return [...document.querySelectorAll('figcaption')].map(one => one.innerText)"
    )
    assert all(
        one.startswith(("Input: PSNR-RGB ", "dni: PSNR-RGB ", "ftn: PSNR-RGB ")) for one in captions
    )
    assert "sigma 42.5" in browser.run(text)
    browser.run(f"{SLIDERS}[0].focus()")
    browser.press("ArrowRight", 39)
    until(browser, text, lambda found: "degraded at 0.51" in found and "dial at 0.51" in found)
    after = until(browser, SHOWN, lambda found: found != before)
    assert len(set(after) - set(before)) == 3
    loaded = "return [...document.querySelectorAll('.pictures img')].map(one => one.naturalWidth)"
    assert until(browser, loaded, all) == [256, 256, 256]
    browser.run(f"{SLIDERS}[1].focus()")
    browser.press("ArrowRight", 39)
    until(browser, text, lambda found: "degraded at 0.51" in found and "dial at 0.52" in found)
    assert not browser.run(
        "return [...document.querySelectorAll('label')].find(one => one.innerText.includes"
        "('The dial follows')).querySelector('input').checked"
    )
    outside = [
        url for url in browser.requests if not url.startswith((served, "data:", "blob:", "about:"))
    ]
    assert served.startswith("http://127.0.0.1:") and outside == []


def test_a_slider_that_moves_on_is_not_set_back_by_answers(browser, served, until):
    browser.open(served)
    until(browser, SHOWN, lambda found: len(found) == 3)
    # First the true level, which the dial follows, then the dial alone.
    for at, key, code, end in ((0, "ArrowRight", 39, "0.75"), (1, "ArrowLeft", 37, "0.5")):
        slider = f"{SLIDERS}[{at}]"
        browser.run(f"{slider}.focus()")
        for _ in range(25):
            browser.press(key, code)
            time.sleep(0.03)
        assert browser.run(f"return {slider}.value") == end
        said = f"dial at {end}"
        until(browser, "return document.body.innerText", lambda found, want=said: want in found)


def test_the_page_offers_programs_nothing_and_says_what_to_paint(session_of):
    page = app.build(session_of("denoise", "ftn"))
    assert page.get_api_info()["named_endpoints"] == {}
    assert page.get_api_info()["unnamed_endpoints"] == {}
    assert all(one.api_visibility == "private" for one in page.fns.values())
    texts = [str(getattr(one, "value", "")) for one in page.blocks.values()]
    assert any("not its colour" in one for one in texts)


def test_only_files_that_were_uploaded_are_read(session_of, tmp_path):
    session, image = session_of("denoise", "floor"), Image.new("RGB", (64, 64))
    app._gradio()
    uploaded = Path(tempfile.mkdtemp(dir=os.environ["GRADIO_TEMP_DIR"])) / "own.png"
    for path in (uploaded, tmp_path / "other.png"):
        image.save(path)
    key, trouble = app.take(session, {"path": str(uploaded)})
    assert key and not trouble
    # A call that does not mark its path as a file's: gradio hands it on as it is.
    others = (tmp_path / "other.png", tmp_path / "nothing.png")
    around = uploaded.parent / os.path.relpath(tmp_path / "other.png", uploaded.parent)
    for path in (*others, around):
        assert app.take(session, {"path": str(path)}) == app.NOTHING


def test_two_demos_share_no_files():
    code = (
        "import os\nfrom benchmark.demo import app\nfrom gradio.utils import get_upload_folder\n"
        "app._gradio()\nprint(get_upload_folder(), os.path.isdir(get_upload_folder()))"
    )
    clear = {name: text for name, text in os.environ.items() if name != "GRADIO_TEMP_DIR"}
    found = [
        subprocess.run(
            [sys.executable, "-c", code], env=clear, capture_output=True, text=True, check=True
        ).stdout.split()
        for _ in range(2)
    ]
    (one, there), (other, _) = found
    assert one != other and there == "True" and not Path(one).exists()


def test_a_stroke_changes_the_output_and_so_does_the_level_beneath_it(browser, served, until):
    browser.open(served, 1280, 1400)
    until(browser, SHOWN, lambda found: len(found) == 3)
    browser.run(
        "[...document.querySelectorAll('button')]"
        ".find(one => one.innerText.includes('Paint another level')).click()"
    )
    output = (
        "return [...document.querySelectorAll('img')].filter(one => !one.closest('.pictures'))"
        ".map(one => one.src)"
    )
    until(browser, "return !!document.querySelector('canvas')", bool)
    before = until(browser, output, lambda found: len(found) == 2)
    box = (
        "const one = document.querySelector('canvas'); one.scrollIntoView({block: 'center'});"
        "const box = one.getBoundingClientRect(); return [box.x, box.y, box.width, box.height]"
    )
    seen: list[object] = []
    # Until the editor has its picture, and its size.
    until(browser, box, lambda found: (seen.append(found), seen.count(found) > 10)[1])
    x, y, width, height = browser.run(box)
    browser.mouse("mouseMoved", x + 0.4 * width, y + 0.5 * height)
    browser.mouse("mousePressed", x + 0.4 * width, y + 0.5 * height)
    browser.mouse("mouseMoved", x + 0.5 * width, y + 0.5 * height)
    browser.mouse("mouseReleased", x + 0.5 * width, y + 0.5 * height)
    painted = until(browser, output, lambda found: len(found) == 2 and found != before)
    browser.run(f"{SLIDERS}.at(-1).focus()")
    browser.press("ArrowLeft", 37)
    until(browser, output, lambda found: len(found) == 2 and found != painted)


def test_a_painting_is_read_from_uploads_only_and_an_empty_file_is_none(session_of, tmp_path):
    app._gradio()
    folder = Path(tempfile.mkdtemp(dir=os.environ["GRADIO_TEMP_DIR"]))
    layer = np.zeros((4, 6, 4), np.uint8)
    layer[1, 2, 3] = 255
    for path in (folder, tmp_path):
        Image.fromarray(layer).save(path / "layer.png")
        Image.new("RGB", (6, 4)).save(path / "image.png")
    (folder / "empty.png").write_bytes(b"")

    def sent(background, *layers):
        return {
            "background": {"path": str(background)},
            "layers": [{"path": str(one)} for one in layers],
        }

    found = app.painting(sent(folder / "image.png", folder / "layer.png"))
    assert found.shape == (4, 6) and found.sum() == found[1, 2] == 1
    for background, painted in (
        (folder / "empty.png", folder / "layer.png"),
        (folder / "image.png", folder / "gone.png"),
        (tmp_path / "image.png", folder / "layer.png"),
        (folder / "image.png", tmp_path / "layer.png"),
    ):
        assert app.painting(sent(background, painted)) is None
    assert app.painting(None) is None and app.painting({"background": None, "layers": []}) is None


def test_a_mask_is_how_opaque_the_paint_is():
    layer = np.zeros((4, 6, 4), np.uint8)
    layer[1, 2, 3] = 255
    found = app.mask([layer], np.zeros((4, 6, 3), np.uint8))
    assert found.shape == (4, 6) and found.sum() == found[1, 2] == 1
    assert app.mask([], np.zeros((4, 6, 3), np.uint8)).sum() == 0


def test_on_a_phone_the_pictures_come_first_and_none_is_stretched(browser, served, until):
    sizes = (
        "return [...document.querySelectorAll('.pictures img')]"
        ".map(one => [one.naturalWidth, one.getBoundingClientRect().width])"
    )
    for width in (1440, 390):
        browser.open(served, width, 844)
        assert until(browser, sizes, lambda found: len(found) == 3) == [[256, 256]] * 3
    below = (
        "return document.querySelector('input[type=range]').getBoundingClientRect().top"
        " - document.querySelector('.pictures').getBoundingClientRect().bottom"
    )
    assert browser.run(below) > 0
    # What scrolls sideways has to take the focus, for keyboards.
    row = "document.querySelector('.pictures')"
    assert browser.run(f"return {row}.scrollWidth > {row}.clientWidth && {row}.tabIndex") == 0
    assert browser.run("return document.documentElement.scrollWidth") <= 390


def test_a_slider_says_what_its_ends_are_in_its_own_numbers(session_of):
    def labels(task):
        page = app.build(session_of(task, "dni"))
        return [one.label for one in page.blocks.values() if type(one).__name__ == "Slider"]

    assert "Dial (0 = sigma 5, 1 = 80 of 255)" in labels("denoise")
    assert "Dial: perception weight" in labels("sr")


def test_a_small_input_is_shown_as_large_as_the_output():
    small, large = np.zeros((2, 3, 3), np.uint8), np.zeros((8, 12, 3), np.uint8)
    for figure in (app._figure("", small, 4), app._figure("", large)):
        assert 'style="width:12px"' in figure
