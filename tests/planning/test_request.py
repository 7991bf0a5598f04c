"""Requests from Python: what the command line gives for the same words."""

import dataclasses

import pytest

from benchmark import cli
from benchmark.errors import UserError
from benchmark.planning.request import request_of, wanted


def test_python_and_the_command_line_ask_for_the_same(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("")
    words = ["run", "denoise", "--methods", "ftn:groups=4,floor", "--method", f"{file}:k=3"]
    words += ["--preset", "smoke", "--set", "steps=2", "--backbone", "small:width=8", "--matrix"]
    words += ["--seeds", "3,0", "--levels", "0,0.5", "--train", "builtin", "--test", "a,b c"]
    words += ["--offline", "--force", "floor", "--allow-leaks"]
    asked = wanted(
        "denoise",
        ["ftn:groups=4", "floor", f"{file}:k=3"],
        preset="smoke",
        changes=["steps=2"],
        backbone="small:width=8",
        seeds=[3, 0],
        levels=[(0,), (0.5,)],
        train=["builtin"],
        test=["a", "b c"],
        offline=True,
        force=["floor"],
        matrix=True,
        allow_leaks=True,
    )
    assert asked == request_of(cli.parser()[0].parse_args(words))
    assert wanted("sr") == request_of(cli.parser()[0].parse_args(["run", "sr"]))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"task": "srr"}, "did you mean 'sr'"),
        ({"seeds": 1}, r"seeds=1: give a list, like \[1\]"),
        ({"preset": "laptob"}, "did you mean 'laptop'"),
        ({"preset": "laptop:steps=9:lr=1"}, "--preset laptop --set steps=9 --set lr=1$"),
        ({"methods": []}, "no method was named"),
        ({"levels": []}, "no level was given"),
        ({"levels": [(2,)]}, r"outside \[0, 1\]"),
        ({"task": "operators-6", "levels": [(0, 0.3)]}, r"no operator at 0.3.* 0.2 \(WLS\)"),
        ({"seeds": [0, -1]}, "--seeds 0,-1: give whole numbers of 0 or more"),
        ({"seeds": []}, "give whole numbers of 0 or more"),
        ({"seeds": [True]}, "give whole numbers of 0 or more"),
        ({"methods": "ftn"}, r"methods='ftn': give a list, like \['ftn'\]"),
        ({"test": "builtin"}, "test='builtin': give a list"),
        ({"force": ["ftn"], "methods": ["dni"]}, "not among the methods"),
    ],
)
def test_what_is_wrong_is_one_sentence(given, said):
    with pytest.raises(UserError, match=said):
        wanted(**{"task": "sr", **given})


@pytest.mark.parametrize(
    ("task", "said"), [("sr", "true level"), ("blind", "set by hand, and blind sets its own")]
)
def test_a_matrix_is_refused_whoever_asks_for_it(task, said):
    with pytest.raises(UserError, match=f"--matrix needs .*{said}"):
        wanted(task, matrix=True)
    with pytest.raises(UserError, match=f"--matrix needs .*{said}"):
        dataclasses.replace(wanted(task), matrix=True)


def test_the_level_of_one_dial_may_be_a_number():
    assert wanted("denoise", levels=[0, 0.5]) == wanted("denoise", levels=[(0,), (0.5,)])
