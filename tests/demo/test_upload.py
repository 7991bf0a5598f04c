"""Files chosen in a real browser: read as everywhere else, refused in the same words, which are announced."""

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("gradio")

SLIDERS = "[...document.querySelectorAll('input[type=range]')]"
SHOWN = "return [...document.querySelectorAll('.pictures img')].map(one => one.src)"


@pytest.fixture(scope="module")
def plain(address_of):
    """The address of a demo of two baselines."""
    yield from address_of("denoise", "experts", "floor")


def test_a_file_that_is_refused_is_said_and_one_that_is_not_takes_its_place(
    browser, plain, until, tmp_path, capfd
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


def test_the_keyboard_is_seen_and_what_is_said_is_announced(browser, plain, until):
    browser.open(plain)
    until(browser, SHOWN, lambda found: len(found) == 3)
    headings = "return [...document.querySelectorAll('h1')].map(one => one.innerText)"
    assert [one.partition(":")[0] for one in browser.run(headings)] == ["denoise"]
    ring = (
        "const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);"
        "return [outlineStyle, outlineWidth]"
    )
    for one in (f"{SLIDERS}[0]", "document.querySelector('input[type=checkbox]')"):
        browser.run(f"{one}.focus()")
        browser.press("Shift", 16)
        assert browser.run(ring) == ["solid", "2px"]
    said = "return document.querySelector('[role=status]')?.innerText ?? ''"
    until(browser, said, lambda found: "dial at 0.5" in found)
    browser.run("document.querySelector('[aria-label=\"Remove Image\"]').click()")
    until(browser, said, lambda found: found.strip() == "Choose an image.")
