"""Digests of data and code."""

import ast
from pathlib import Path

import pytest

from benchmark.control import Axis
from benchmark.registry.digest import canonical, code_digest, digest, known_digest, weights_digest
from benchmark.registry.writing import Requoted, written

SOURCE = '''
"""Module."""
import torch

SCALE = 2
TABLE = {"a": lambda x: first(x), "b": lambda x: second(x)}


def first(x):
    """Doubles."""
    return x * SCALE  # why


def second(x):
    return x + 1


class Net(torch.nn.Module):
    def forward(self, x):
        return first(x)
'''


@pytest.fixture
def module(tmp_path):
    def write(text: str = SOURCE) -> str:
        # A new folder each time: sources are parsed once per name and text.
        path = tmp_path / "net.py"
        path.write_text(text)
        return str(path)

    return write


def test_canonical_json_ignores_the_order_of_keys():
    assert canonical({"b": 1, "a": (1, 2.5)}) == '{"a":[1,2.5],"b":1}'


def test_dataclasses_of_different_types_differ_even_with_equal_fields():
    assert digest(Axis("sigma", 0, 1)) != digest(vars(Axis("sigma", 0, 1)))


def test_what_has_no_canonical_form_is_refused():
    with pytest.raises(TypeError):
        digest(Path("x"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# why", "# because"),
        ('"""Doubles."""', '"""Multiplies."""'),
        ('"""Module."""', ""),
        ("    return x * SCALE", "\n    return (x * SCALE)"),
    ],
)
def test_comments_docstrings_and_layout_do_not_count(module, old, new):
    before = code_digest([module()])
    assert code_digest([module(SOURCE.replace(old, new, 1))]) == before


@pytest.mark.parametrize(("old", "new"), [("SCALE = 2", "SCALE = 3"), ("x + 1", "x + 2")])
def test_changed_code_counts(module, old, new):
    before = code_digest([module()])
    assert code_digest([module(SOURCE.replace(old, new, 1))]) != before


@pytest.mark.parametrize(
    ("start", "old", "counts"),
    [
        ("Net", "SCALE = 2", True),
        ("Net", "x + 1", False),
        ("TABLE[a]", "x * SCALE", True),
        ("TABLE[a]", "x + 1", False),
        ("TABLE[b]", "x + 1", True),
    ],
)
def test_only_what_can_be_reached_counts(module, start, old, counts):
    before = code_digest([f"{module()}:{start}"])
    after = code_digest([f"{module(SOURCE.replace(old, '7', 1))}:{start}"])
    assert (after != before) is counts


def test_code_is_followed_into_other_modules_of_our_own(module):
    start = "from benchmark.control import level_text\n\ndef f(x):\n    return level_text(x)\n"
    alone = code_digest([module(start)], inside=())
    assert code_digest([module(start)], inside=("benchmark.control",)) != alone


def test_every_task_has_a_training_and_a_scoring_digest():
    from benchmark import tasks
    from benchmark.planning import keys

    found = [tasks.get(name) for name in tasks.names()]
    assert len({keys.scoring_digest(task) for task in found}) == len(found)
    # The others judge networks of these.
    trained = [task for task in found if not task.trained_as]
    digests = {keys.training_digest(task, task.objective, ()) for task in trained}
    assert len(digests) == len(trained) < len(found)


MORE = """
import functools

GAIN, (SHARE, _) = 1.0, (2.0, 3)
RATES = {"a": 1.0}
PARTS = {"first": len}

try:
    import nowhere
except ImportError:
    LATE = 1
else:
    LATE = 2


def slow(x):
    return x + 5


slow = functools.cache(slow)


def f(x):
    return slow(x) * GAIN * SHARE * RATES["a"] * LATE
"""


FROM = """
from math import floor as cut

SMALL = True
CONFIG = {"gain": 1.0}
CONFIG["gain"] = 2.0
CONFIG.update(bias=0.0)

if SMALL:
    WIDTH = 1
else:
    WIDTH = 2


class Net:
    pass


def apart(x):
    return -x


Net.cut = lambda self, x: cut(x)


def f(x):
    return Net().cut(x) * CONFIG["gain"] * WIDTH
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("floor as cut", "ceil as cut"),
        ('["gain"] = 2.0', '["gain"] = 3.0'),
        ("bias=0.0", "bias=1.0"),
        ("if SMALL", "if not SMALL"),
        ("SMALL = True", "SMALL = False"),
        (": cut(x)", ": 2 * cut(x)"),
    ],
)
@pytest.mark.parametrize("start", [":f", ""])
def test_statements_that_define_nothing_count_and_so_do_imports(module, start, old, new):
    before = code_digest([module(FROM) + start])
    assert code_digest([module(FROM.replace(old, new, 1)) + start]) != before
    same = code_digest([module(FROM.replace("return -x", "return x")) + start])
    assert (same == before) is (start == ":f")


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("set_flush_denormal(True)", "set_flush_denormal(False)", False),
        ("if SMALL:\n    CONFIG", "if not SMALL:\n    CONFIG", False),
        ("from math import floor", "from math import ceil as floor", False),
        ('__all__ = ["f"]', '__all__ = ["f", "g"]', True),
        ("    import typing", "    import types", True),
    ],
)
def test_of_a_whole_file_all_counts_that_runs(module, old, new, same):
    text = """
import torch
from typing import TYPE_CHECKING

try:
    from nowhere import floor
except ImportError:
    from somewhere import floor
from math import floor

if TYPE_CHECKING:
    import typing

__all__ = ["f"]
SMALL = True
CONFIG = {"gain": 1.0}
torch.set_flush_denormal(True)
if SMALL:
    CONFIG["gain"] = 2.0

def f(x):
    return floor(x * CONFIG["gain"])
"""
    before = code_digest([module(text)])
    assert (code_digest([module(text.replace(old, new, 1))]) == before) is same
    assert code_digest([module(text.replace("from nowhere", "from elsewhere", 1))]) != before


def test_files_and_folders_beside_a_method_count_whatever_the_path_is(module, tmp_path):
    text = "import torch\nfrom one import A\nfrom nets.gain import G\n\ndef f(x):\n    return x\n"
    (tmp_path / "one.py").write_text("from two import A\n")
    (tmp_path / "two.py").write_text("A = 1\n")
    (tmp_path / "torch.py").write_text("A = 1\n")
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets" / "gain.py").write_text("from three import G\n")
    (tmp_path / "three.py").write_text("G = 1\n")
    before = code_digest([module(text)])
    for path in ("one.py", "two.py", "three.py", "nets/gain.py"):
        kept = (tmp_path / path).read_text()
        (tmp_path / path).write_text(kept + "B = 2\n")
        assert code_digest([module(text)]) != before
        (tmp_path / path).write_text(kept)
    (tmp_path / "torch.py").write_text("A = 2\n")
    assert code_digest([module(text)]) == before
    (tmp_path / "one.py").write_text("no Python")
    assert code_digest([module(text)]) != before
    installed = tmp_path / "site-packages"
    installed.mkdir()
    (installed / "net.py").write_text(text)
    alone = code_digest([str(installed / "net.py")])
    (installed / "one.py").write_text("A = 1\n")
    assert code_digest([str(installed / "net.py")]) == alone


def test_other_files_of_a_methods_author_count(module, tmp_path):
    (tmp_path / "my_gain.py").write_text("GAIN = 1.0\n")
    text = "from my_gain import GAIN\n\ndef f(x):\n    return GAIN * x\n"
    before = code_digest([module(text)])
    (tmp_path / "my_gain.py").write_text("GAIN = 1.0  # as ever\n")
    assert code_digest([module(text)]) == before
    (tmp_path / "my_gain.py").write_text("GAIN = 2.0\n")
    assert code_digest([module(text)]) != before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("(2.0, 3)", "(2.5, 3)"),
        ('{"a": 1.0}', '{"a": 5.0}'),
        ("x + 5", "x + 6"),
        ("LATE = 1", "LATE = 3"),
    ],
)
@pytest.mark.parametrize("start", [":f", ""])
def test_every_way_to_define_a_name_counts(module, start, old, new):
    before = code_digest([module(MORE) + start])
    assert code_digest([module(MORE.replace(old, new, 1)) + start]) != before


def test_a_table_counts_where_its_whole_module_does(module):
    before = [code_digest([module(MORE) + start]) for start in (":f", "")]
    text = MORE.replace('"first": len', '"first": max', 1)
    after = [code_digest([module(text) + start]) for start in (":f", "")]
    assert after[0] == before[0] and after[1] != before[1]


@pytest.mark.parametrize(
    ("file", "old", "new", "kinds"),
    [
        ("metrics/fidelity.py", "SSIM_C1, SSIM_C2 = ", "SSIM_C1, SSIM_C2 = 1 * ", "sm"),
        ("data/pictures.py", "def read(self", "def read(self, more=0", "stm"),
        # What is called on objects, whose classes the code does not name.
        ("tasks/base.py", "self.space.physical(level)", "self.space.physical(level)[::-1]", "stm"),
        ("control.py", "value = self.start + level", "value = self.start - level", "stm"),
        ("control.py", "(value - a) / (b - a or 1.0)", "(value - a) / (b - a or 2.0)", "stm"),
        ("scoring/forward.py", "output.clamp(0, 1) if", "output.clamp(0, 2) if", "sm"),
        ("scoring/dialling.py", "(image[None].to(device))[0]", "(image[None].to(device))[-1]", "m"),
        ("scoring/blind.py", "min(1.0, max(0.0, axis", "min(0.9, max(0.0, axis", "m"),
        ("metrics/perceptual.py", "2 * image[None] - 1", "2 * image[None] - 2", "sm"),
        ("../baselines/external/noise_estimator.py", "SIDE = 128", "SIDE = 64", "m"),
        ("metrics/perceptual.py", "model.eval()", "model.train()", "smp"),
    ],
)
def test_what_moves_a_number_of_this_repository_is_in_its_keys(file, old, new, kinds, monkeypatch):
    from benchmark import tasks
    from benchmark.planning import keys
    from benchmark.registry import digest as digests
    from benchmark.tasks import Objective, Term

    perceptual = Objective(((Term("perceptual_squeeze"),),))

    def found() -> dict[str, str]:
        known_digest.cache_clear()
        task = tasks.get("denoise")
        return {
            "s": keys.scoring_digest(task),
            "m": keys.scoring_digest(tasks.get("blind")),
            "t": keys.training_digest(task, task.objective, ()),
            "p": keys.training_digest(task, perceptual, ()),
        }

    path = f"benchmark/{file}".replace("benchmark/../", "")
    before, name = found(), path.removesuffix(".py").replace("/", ".")
    text = (digests.ROOT / path).read_text(encoding="utf-8")
    assert text.count(old) == 1
    edited = digests.Module(name, text.replace(old, new))
    whole = digests._module
    monkeypatch.setattr(digests, "_module", lambda one: edited if one == name else whole(one))
    after = found()
    known_digest.cache_clear()
    changed = {kind for kind in after if after[kind] != before[kind]}
    # An objective with a perceptual term trains by the same code and more.
    assert changed - {"p"} == {*kinds} - {"p"} and ("p" in changed) == bool({*kinds} & {"t", "p"})


def test_weights_of_one_stage_keep_their_own_hash():
    assert weights_digest({"joint": "abc"}) == "abc"
    assert weights_digest({"a": "x", "b": "y"}) == weights_digest({"b": "y", "a": "x"})
    assert weights_digest({}) == ""


@pytest.mark.parametrize(
    "text",
    [
        "f'{a[0]:>{width}}'",
        """f"seed{'s' * n} {', '.join(x)}: {y!r}\"""",
        """f"{f'{x} and'} {('y' if z else 1)}\"""",
        """f"it's {a['b']}\\n\"""",
        """f'''"{a['b']}"'''""",
    ],
)
def test_f_strings_are_written_as_by_the_first_python_that_will_do(text):
    # From 3.12 on Python puts the quotes around one inside it too: keys would differ.
    assert written(ast.parse(text)) == text
    assert ast.unparse(Requoted().visit(ast.parse(text))) == text
