"""Numbers of things in text."""

import pytest

from benchmark.amount import amount


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ((0, "image"), "0 images"),
        ((1, "image"), "1 image"),
        ((2, "image"), "2 images"),
        ((1, "entry", "entries"), "1 entry"),
        ((3, "entry", "entries"), "3 entries"),
    ],
)
def test_one_thing_is_called_otherwise_than_several(given, text):
    assert amount(*given) == text
