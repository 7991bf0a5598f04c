"""Method files that are edited while this process uses them."""

import sys

import pytest

from benchmark import plan
from benchmark.build import create_method
from benchmark.errors import JobError
from benchmark.planning.request import wanted
from benchmark.store import Store

FILE = '''"""Doubles."""

from benchmark.method import ControlMethod, imported_stage
from {beside} import FACTOR


class Doubles(ControlMethod):
    """Multiplies."""

    factor = FACTOR * 1

    def build(self, backbone, control):
        pass

    def stages(self, task):
        return []

    def forward(self, x, level):
        return self.factor * x
'''


@pytest.fixture
def asked(home, tmp_path, monkeypatch):
    """Writes a method and a file beside it; returns what writes them anew and plans."""
    monkeypatch.syspath_prepend(tmp_path)
    file, beside = tmp_path / "edited_method.py", tmp_path / "beside_edited.py"

    def ask(old="", new="", factor=2):
        file.write_text(
            FILE.format(beside=beside.stem).replace(old, new)
            if old
            else FILE.format(beside=beside.stem)
        )
        beside.write_text(f"FACTOR = {factor}\n")
        request = wanted("denoise", [str(file)], preset="smoke", offline=True)
        planned = plan.make(request, Store())
        key = next(iter(planned.sweeps), "")
        return create_method("edited_method", file).factor, key

    yield ask
    for name in ("dialbench_file_edited_method", beside.stem):
        sys.modules.pop(name, None)


def test_an_edited_file_is_read_again_under_another_key(asked):
    before, after = asked(), asked("FACTOR * 1", "FACTOR + 40")
    assert (before[0], after[0]) == (2, 42) and before[1] != after[1]
    assert asked() == before


def test_so_is_what_it_imports_from_beside_it(asked):
    before, after = asked(), asked(factor=31)
    assert (before[0], after[0]) == (2, 31) and before[1] != after[1]


def test_a_comment_is_no_edit(asked):
    before = asked()
    own = sys.modules["dialbench_file_edited_method"]
    assert asked("Multiplies.", "Says something else.") == before
    assert sys.modules["dialbench_file_edited_method"] is own


def test_a_file_that_was_broken_and_mended_runs_again(asked):
    before = asked()
    with pytest.raises(JobError, match="does not import"):
        asked("pass", "pass pass")
    assert asked() == before


def test_what_lies_beside_a_method_is_not_taken_from_beside_another(tmp_path, monkeypatch):
    files = []
    for factor, folder in enumerate((tmp_path / "a", tmp_path / "b")):
        folder.mkdir()
        (folder / "beside_shared.py").write_text(f"FACTOR = {factor}\n")
        files.append(folder / f"of_{folder.name}.py")
        # As authors do, who have files beside theirs.
        path = f"import sys\nsys.path.insert(0, {str(folder)!r})\n"
        text = FILE.format(beside="beside_shared")
        files[-1].write_text(text.replace("from benchmark.method", f"{path}from benchmark.method"))
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name in ("dialbench_file_of_a", "dialbench_file_of_b", "beside_shared"):
        monkeypatch.setitem(sys.modules, name, None)
        del sys.modules[name]
    for file, factor in ((files[0], 0), (files[1], None), (files[0], 0)):
        if factor is None:
            said = "of_b.py imports beside_shared from .*/a/beside_shared.py, and the one beside it"
            with pytest.raises(JobError, match=said):
                create_method(file.stem, file)
        else:
            assert create_method(file.stem, file).factor == factor
    del sys.modules["beside_shared"]
    assert create_method(files[1].stem, files[1]).factor == 1


def test_what_several_methods_share_by_links_is_beside_each(tmp_path, monkeypatch):
    folder, shared = tmp_path / "mine", tmp_path / "shared"
    for one in (folder, shared / "linked_folder"):
        one.mkdir(parents=True)
    (shared / "linked_file.py").write_text("from linked_folder import FACTOR\n")
    (shared / "linked_folder" / "__init__.py").write_text("FACTOR = 3\n")
    for name in ("linked_file.py", "linked_folder"):
        (folder / name).symlink_to(shared / name)
    file = folder / "of_links.py"
    file.write_text(FILE.format(beside="linked_file"))
    monkeypatch.syspath_prepend(folder)
    for name in ("dialbench_file_of_links", "linked_file", "linked_folder"):
        monkeypatch.setitem(sys.modules, name, None)
        del sys.modules[name]
    assert create_method(file.stem, file).factor == 3
