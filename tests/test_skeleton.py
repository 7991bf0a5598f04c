"""``dialbench new``: a method that works at once, also as a package of its own."""

import csv
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark import build, cli, skeleton
from benchmark.errors import JobError, UserError
from benchmark.planning import keys
from benchmark.registry import discovery


def load(path: Path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_new_method_passes_its_own_tests_and_the_contract(tmp_path, capsys):
    assert cli.main(["new", "gentle_touch", "--at", str(tmp_path)]) == 0
    folder = tmp_path / "gentle_touch"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gentle_touch"]
    assert sorted(path.name for path in folder.iterdir()) == [
        "gentle_touch.py",
        "test_gentle_touch.py",
    ]
    assert f"dialbench test {folder}" in capsys.readouterr().out
    module = load(folder / "test_gentle_touch.py")
    tests = [one for name, one in vars(module).items() if name.startswith("test_")]
    assert len(tests) == 2
    for test in tests:
        test()
    entry = discovery.read_entry(folder / "gentle_touch.py", "method")
    assert entry.error is None
    assert entry.summary.startswith("Gentle touch")


def test_a_new_method_conforms_on_every_backbone_as_the_readme_has_it_checked(tmp_path, capsys):
    assert cli.main(["new", "gentle_touch", "--at", str(tmp_path)]) == 0
    assert cli.main(["test", str(tmp_path / "gentle_touch" / "gentle_touch.py")]) == 0
    assert "gentle_touch conforms" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("Gentle", "small letters"),
        ("gentle-touch", "small letters"),
        ("../gentle", "small letters"),
        ("class", "small letters"),
        ("", "small letters"),
        ("dni", "already"),
        ("small", "already"),
        ("torch", "already"),
        ("there", "already"),
    ],
)
@pytest.mark.parametrize("package", [False, True])
def test_a_name_that_cannot_be_used_is_one_sentence_and_writes_nothing(
    tmp_path, capsys, name, part, package
):
    (tmp_path / "there").mkdir()
    more = ["--package"] if package else []
    assert cli.main(["new", name, "--at", str(tmp_path), *more]) == 2
    error = capsys.readouterr().err
    assert part in error and error.count("\n") == 1
    assert [path.name for path in tmp_path.rglob("*")] == ["there"]


def test_a_failed_write_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(self, *args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(JobError, match="disk is full"):
        skeleton.write("gentle", tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A package with a method, installed outside dialbench."""
    made = skeleton.write("gentle_touch", tmp_path, package=True)
    target = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    offline = ["--no-index", "--no-deps", "--no-build-isolation", "--target", str(target)]
    subprocess.run([*pip, *offline, str(made)], check=True, capture_output=True, timeout=120)
    monkeypatch.syspath_prepend(str(target))
    yield target
    sys.modules.pop("gentle_touch", None)


def test_a_package_joins_the_list_passes_the_checks_and_gets_its_row(
    installed, home, tmp_path, capsys
):
    assert cli.main(["list"]) == 0
    (line,) = [one for one in capsys.readouterr().out.splitlines() if "gentle_touch" in one]
    assert "residual block" in line and "cannot be used" not in line
    assert Path(discovery.source_of("gentle_touch")) == installed / "gentle_touch.py"
    assert cli.main(["test", "gentle_touch", "--backbone", "small:blocks=1:width=8"]) == 0
    assert "gentle_touch conforms" in capsys.readouterr().out

    boards = tmp_path / "boards"
    asked = ["denoise", "--methods", "gentle_touch,floor", "--preset", "smoke", "--offline"]
    assert cli.main(["run", *asked, "--jobs", "1"]) == 0
    assert cli.main(["board", "submit", *asked, "--boards", str(boards)]) == 0
    assert cli.main(["board", "build", str(boards)]) == 0
    with open(boards / "denoise" / "board.csv", newline="") as file:
        methods = [row["method"] for row in csv.DictReader(file)]
    assert sorted(methods) == ["floor", "gentle_touch"]


def test_a_package_whose_module_is_gone_is_listed_with_the_reason(installed, capsys):
    (installed / "gentle_touch.py").unlink()
    assert cli.main(["list"]) == 0
    (line,) = [one for one in capsys.readouterr().out.splitlines() if "gentle_touch" in one]
    assert "cannot be used" in line and "reinstall" in line
    with pytest.raises(UserError, match="leads nowhere"):
        discovery.source_of("gentle_touch")


def test_a_method_inside_a_package_is_found_without_importing_it(tmp_path, monkeypatch):
    package = tmp_path / "gentle_package"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')\n")
    (package / "touch.py").write_text('"""Gently."""\nfrom benchmark.method import Stage\n')
    about = tmp_path / "gentle_package-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: gentle-package\nVersion: 1\n")
    (about / "entry_points.txt").write_text(
        "[dialbench.methods]\ngentle = gentle_package.touch:Gentle\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    (entry,) = [one for one in discovery.entries() if one.name == "gentle"]
    assert (entry.summary, entry.error) == ("Gently.", None)
    assert Path(discovery.source_of("gentle")) == package / "touch.py"


def test_an_entry_point_names_its_class_wherever_that_is_defined(tmp_path, monkeypatch):
    package = tmp_path / "two_touches"
    package.mkdir()
    (package / "__init__.py").write_text("from .touch import First\n")
    two = "".join(
        f"class {name}(WeightSpaceMethod):\n    build = stages = weights = lambda self: None\n"
        for name in ("First", "Second")
    )
    body = (
        f'"""Two."""\nfrom benchmark.method import WeightSpaceMethod\nfrom .more import MORE\n{two}'
    )
    (package / "touch.py").write_text(body)
    (package / "more.py").write_text("MORE = 1\n")
    (package / "absolute.py").write_text("from two_touches.touch import First\n")
    for one, other in (("a", "b"), ("b", "a")):  # nobody defines what they import from each other
        (package / f"{one}.py").write_text(f"from .{other} import Nobody\n")
    about = tmp_path / "two_touches-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: two-touches\nVersion: 1\n")
    (about / "entry_points.txt").write_text(
        "[dialbench.methods]\none = two_touches:First\ntwo = two_touches.touch:Second\n"
        "three = two_touches.touch:Third\nfour = two_touches.absolute:First [extra]\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert Path(discovery.source_of("one")) == package / "touch.py"
    assert type(build.create_method("one")).__name__ == "First"
    assert type(build.create_method("two")).__name__ == "Second"
    assert Path(discovery.source_of("four")) == package / "touch.py"
    assert type(build.create_method("four")).__name__ == "First"
    assert discovery._file_of("two_touches.a:Nobody") in (package / "a.py", package / "b.py")
    with pytest.raises(JobError, match="Third is no subclass"):
        build.create_method("three")
    # What the class uses of its package counts, as what it uses of ours does.
    # So does a change of an import; what does not parse, like a template, counts by its bytes.
    found = [keys.method_digest("one", None, "small")]
    for name, text in (("more.py", "MORE = 2\n"), ("more.py", "from .touch import First as MORE\n"),
                       ("template.py", "class {{name}}:\n")):  # fmt: skip
        (package / name).write_text(text)
        found.append(keys.method_digest("one", None, "small"))
    (package / "more.py").write_text("# a remark\nfrom .touch import First as MORE\n")
    assert keys.method_digest("one", None, "small") == found[-1] and len(set(found)) == 4
