"""Specification strings."""

import pytest

from benchmark.errors import UserError
from benchmark.registry.spec import parse, plain


def test_options_are_parsed_as_python_literals():
    spec = parse("net:width=32:rate=1e-3:deep=true:norm=batch")
    assert spec.name == "net"
    assert spec.options == {"width": 32, "rate": 1e-3, "deep": True, "norm": "batch"}


def test_text_is_canonical_whatever_the_order_of_the_options():
    assert str(parse("a:z=1:b=2.50")) == str(parse("a:b=2.5:z=1")) == "a:b=2.5:z=1"


@pytest.mark.parametrize("text", ["ftn", "ftn:groups=4", "a:b=True:c=x", "a:b=0.001", "a:b='1'"])
def test_canonical_text_parses_to_the_same_specification(text):
    assert parse(str(parse(text))) == parse(text)


def test_options_that_go_without_saying_are_not_said():
    class Net:
        def __init__(self, width: int = 32, deep: bool = False):
            pass

    assert plain("net:width=32:deep=false", Net) == plain("net", Net) == "net"
    assert plain("net:width=8.0:deep=True", Net) == "net:deep=True:width=8"


@pytest.mark.parametrize("text", ["", ":a=1", "ftn:groups", "ftn:=4", "ftn:a=1:a=2"])
def test_other_forms_are_refused(text):
    with pytest.raises(UserError):
        parse(text)


@pytest.mark.parametrize("value", ["{[]}", "{{}}", "(" * 100, "-" * 5_000, "[" * 10_000])
def test_what_is_no_literal_is_a_text(value):
    assert parse(f"dni:a={value}").options == {"a": value}
