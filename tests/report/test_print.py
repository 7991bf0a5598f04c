"""The page on paper: nothing cut, nothing folded, nothing that only a screen can do."""

import pytest

from benchmark import report, tasks


@pytest.fixture(scope="module")
def printed(browser, builder, tmp_path_factory):
    """The report of a task with a matrix, as a printer sees it."""
    root = tmp_path_factory.mktemp("print")
    results = builder(
        root / "pictures",
        "denoise",
        ("dni", "adafm", "floor"),
        levels=("0.2", "0.6", "1"),
        images=("a", "b", "c"),
        null=("ssim", "lpips", "niqe@pyiqa"),
        matrix=True,
    )
    report.write(results, tasks.get("denoise"), "laptop", root)
    browser.open(root / "index.html", 700, 1000)
    browser.call("Emulation.setEmulatedMedia", media="print")
    yield browser
    browser.call("Emulation.setEmulatedMedia", media="")


def styles(browser, selector: str, name: str) -> set[str]:
    """The values that a property has on all that a selector finds."""
    return set(
        browser.run(
            f"return [...document.querySelectorAll('{selector}')]"
            f".map(one => getComputedStyle(one).getPropertyValue('{name}'))"
        )
    )


def test_no_table_is_cut_at_the_edge_of_the_paper(printed):
    assert styles(printed, ".wide", "overflow-x") == {"visible"}
    assert printed.run("return document.documentElement.scrollWidth") <= 700


def test_charts_stand_two_in_a_row_and_are_not_torn(printed):
    tops = printed.run(
        "return [...document.querySelectorAll('#plots figure')].map(one => one.getBoundingClientRect().top)"
    )
    assert tops[0] == tops[1] < tops[2]
    assert styles(printed, "#plots figure", "break-inside") == {"avoid"}
    assert styles(printed, "h2, h3", "break-after") == {"avoid"}


def test_colours_that_carry_numbers_are_printed(printed):
    assert styles(printed, ".matrix td, .scale i", "print-color-adjust") == {"exact"}


def test_controls_are_left_out(printed):
    assert styles(printed, ".dial, .options, #wiper, #legend input", "display") == {"none"}


def test_what_is_folded_is_open_on_paper_and_folded_again_after(printed):
    opened = "return [...document.querySelectorAll('details')].map(one => one.id + one.open)"
    before = printed.run(opened)
    assert before.count("false") == len(before) - 1 and "staticfalse" in before
    printed.run("dispatchEvent(new Event('beforeprint'))")
    assert sorted(set(printed.run(opened))) == ["staticfalse", "true"]
    printed.run("dispatchEvent(new Event('afterprint'))")
    assert printed.run(opened) == before


def test_curves_have_the_colours_of_paper_whatever_the_screen_is(printed):
    """The experts' star is white on a dark screen, and was so on paper."""
    colours = []
    for scheme in ("light", "dark"):
        feature = {"name": "prefers-color-scheme", "value": scheme}
        for media in ("print", "screen"):
            printed.call("Emulation.setEmulatedMedia", media=media, features=[feature])
            colours.append(styles(printed, "#legend .key", "--c"))
    printed.call("Emulation.setEmulatedMedia", media="print", features=[])
    assert colours[0] == colours[1] == colours[2] != colours[3]
