"""The demo in a real browser; skipped without gradio or Chromium."""

import time

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("gradio")

from benchmark.demo import app

PATIENCE = 30
SHOWN = "return [...document.querySelectorAll('.pictures img')].map(one => one.src)"
SLIDERS = "[...document.querySelectorAll('input[type=range]')]"


@pytest.fixture(scope="module")
def served(session_of):
    """The address of a demo with two methods that take level maps too."""
    yield from address_of(session_of("denoise", "dni", "ftn"))


@pytest.fixture(scope="module")
def plain(session_of):
    """The address of a demo without a picture to paint on."""
    yield from address_of(session_of("denoise", "experts", "floor"))


def address_of(session):
    page = app.build(session)
    _, address, _ = page.launch(**app.LOCAL, theme=app._theme())
    yield address
    page.close(verbose=False)


def until(browser, script: str, wanted) -> object:
    """Waits until what a script returns is as wanted, and returns it."""
    limit = time.monotonic() + PATIENCE
    while time.monotonic() < limit:
        found = browser.run(script)
        if wanted(found):
            return found
        time.sleep(0.05)
    raise AssertionError(f"still {found!r} after {PATIENCE} s")


def test_the_slider_changes_the_pictures_and_nothing_outside_is_asked(browser, served):
    browser.open(served)
    before = until(browser, SHOWN, lambda found: len(found) == 3)
    text = "return document.body.innerText"
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


def test_a_file_that_is_refused_is_said_and_one_that_is_not_takes_its_place(
    browser, plain, tmp_path, capfd
):
    def choose(path) -> None:
        browser.run("document.querySelector('[aria-label=\"Clear\"]')?.click()")
        until(browser, "return !!document.querySelector('input[type=file]')", bool)
        found = browser.call(
            "Runtime.evaluate", expression="document.querySelector('input[type=file]')"
        )
        node = found["result"]["objectId"]
        browser.call("DOM.setFileInputFiles", files=[str(path)], objectId=node)

    text = "return document.body.innerText"
    gray = np.linspace(0, 65535, 64 * 80).reshape(64, 80)
    Image.fromarray(gray.astype(np.uint16)).save(tmp_path / "deep.png")
    (tmp_path / "text.png").write_text("no image")
    Image.fromarray((gray / 257).astype(np.uint8)).save(tmp_path / "good.png")
    browser.open(plain)
    until(browser, SHOWN, lambda found: len(found) == 3)
    assert "cut to 512 x 512" in browser.run(text)
    for name, said in (
        ("deep", "has more than 8 bits a sample; convert it"),
        ("text", "is damaged"),
    ):
        choose(tmp_path / f"{name}.png")
        until(browser, text, lambda found, want=f"Image {name}.png {said}": want in found)
        until(browser, SHOWN, lambda found: not found)
    choose(tmp_path / "good.png")
    until(browser, SHOWN, lambda found: len(found) == 3)
    assert "Traceback" not in capfd.readouterr().err


def test_a_mask_is_how_opaque_the_paint_is():
    layer = np.zeros((4, 6, 4), np.uint8)
    layer[1, 2, 3] = 255
    found = app.mask([layer], np.zeros((4, 6, 3), np.uint8))
    assert found.shape == (4, 6) and found.sum() == found[1, 2] == 1
    assert app.mask([], np.zeros((4, 6, 3), np.uint8)).sum() == 0
