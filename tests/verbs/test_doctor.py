"""The doctor's findings."""

import ast
import contextlib
import importlib
import importlib.metadata
import re
import sys
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from benchmark import assets
from benchmark.degradations.jpeg import codec
from benchmark.registry.digest import ROOT
from benchmark.verbs import doctor

OWN = ("benchmark", "baselines", "methods")


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """No data, no weights."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.delenv("DIALBENCH_WEIGHTS", raising=False)
    monkeypatch.delenv("DIALBENCH_DATA", raising=False)
    return tmp_path


def test_a_sound_installation_has_no_bad_line(bare, capsys):
    assert doctor.main(offline=True) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(line[:6].rstrip() in ("ok", "note", "miss") for line in lines)
    text = "\n".join(lines)
    for fact in (
        "torch 2.",
        "JPEG by libjpeg",
        f"check sum {codec()}",
        "cores",
        "DIALBENCH_DATA is not set",
        "LPIPS:",
    ):
        assert fact in text


@pytest.mark.parametrize(
    ("package", "version", "finding"),
    [
        ("lightning", "2.6.2", "BAD   lightning 2.6.2 was compromised"),
        ("lightning", "2.6.3", "BAD   lightning 2.6.3 was compromised"),
        ("lightning", "2.5.9", "BAD   lightning 2.5.9 is older than 2.6.4"),
        ("torch", "2.9.0+cpu", "BAD   torch 2.9.0+cpu is older than 2.11"),
        ("wandb", None, "miss  wandb is not installed"),
    ],
)
def test_known_bad_packages_are_named(package, version, finding, monkeypatch):
    real = importlib.metadata.version

    def fake(name):
        if name != package:
            return real(name)
        if version is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return version

    monkeypatch.setattr(importlib.metadata, "version", fake)
    assert any(line.startswith(finding) for line in doctor.report(offline=True))


def test_what_must_be_installed_is_read_from_the_installation(bare, monkeypatch):
    required = ["numpy>=99", "nowhere>=1", 'gradio>=99; extra == "demo"']
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: required)
    text = "\n".join(doctor.report(offline=True))
    assert "is older than 99; run make setup" in text and "miss  nowhere is not installed" in text
    assert "gradio" not in text and "wandb" not in text
    monkeypatch.setattr(doctor, "in_own_folder", lambda: False)
    text = "\n".join(doctor.report(offline=True))
    assert "older than 99; run: pip install 'numpy>=99'" in text and "run make" not in text


def test_a_dialbench_that_is_not_installed_says_so(bare, monkeypatch):
    def gone(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "requires", gone)
    assert "miss  dialbench is not installed, so" in "\n".join(doctor.report(offline=True))


def test_every_package_that_is_imported_is_declared_and_pinned():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [
        one
        for name in ("demo", "onnx", "ray", "slurm")
        for one in declared["optional-dependencies"][name]
    ]
    known = {re.match(r"[\w-]+", one)[0] for one in [*declared["dependencies"], *extras]}
    imported = set()
    for file in (file for name in OWN for file in (ROOT / name).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                imported.add(node.module.partition(".")[0])
    imported -= {*OWN, *sys.stdlib_module_names}
    offers = importlib.metadata.packages_distributions()
    found = {one: {name.replace("_", "-") for name in offers.get(one, ())} for one in imported}
    assert [one for one, names in sorted(found.items()) if not names & known] == []
    pinned = (ROOT / "constraints.txt").read_text().replace("_", "-").lower()
    assert [one for one in sorted(known) if f"\n{one}==" not in pinned] == []


def test_whatever_a_dependency_asks_for_is_pinned_for_this_python():
    pinned = {}
    for line in (ROOT / "constraints.txt").read_text().split("\n"):
        if line and (one := Requirement(line)) and (not one.marker or one.marker.evaluate()):
            pinned[canonicalize_name(one.name)] = one
    unpinned = set()
    for name in pinned:
        # Of other systems, or what some machines leave out.
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            for text in importlib.metadata.requires(name) or ():
                asked = Requirement(text)
                if not asked.marker or asked.marker.evaluate({"extra": ""}):
                    unpinned |= {canonicalize_name(asked.name)} - {*pinned}
    assert not unpinned


def test_a_torch_that_does_not_import_is_a_bad_line_not_a_crash(bare, monkeypatch):
    def broken(name):
        raise RuntimeError("operator torchvision::nms does not exist\nmore")

    monkeypatch.setattr(importlib, "import_module", broken)
    lines = [line for line in doctor.report(offline=True) if line.startswith("BAD")]
    assert lines[0] == (
        "BAD   torch does not import (operator torchvision::nms does not exist); run make setup"
    )


def test_a_package_that_is_gone_hides_nothing_else(bare, monkeypatch):
    monkeypatch.setitem(sys.modules, "benchmark.data", None)
    lines = doctor.report(offline=True)
    assert [one for one in lines if "image sets cannot be looked at (import of" in one]
    assert "DIALBENCH_WEIGHTS is not set" in lines[-5] and len(lines) > 10


def test_wrong_folders_and_files_are_bad_lines(bare, monkeypatch):
    monkeypatch.setenv("DIALBENCH_DATA", str(bare / "nowhere"))
    monkeypatch.setenv("DIALBENCH_WEIGHTS", str(bare / "nowhere"))
    assert sum(line.startswith("BAD") for line in doctor.report(offline=True)) == 2
    (bare / "modelparameters.mat").write_bytes(b"<html>")
    monkeypatch.setenv("DIALBENCH_WEIGHTS", str(bare))
    monkeypatch.delenv("DIALBENCH_DATA")
    bad = [line for line in doctor.report(offline=True) if line.startswith("BAD")]
    assert len(bad) == 1 and "modelparameters.mat is damaged" in bad[0]
    assert doctor.main(offline=True) == 1


def test_a_closed_network_is_said_and_how_to_do_without(bare, monkeypatch):
    monkeypatch.setattr(assets, "unreachable", lambda url: "no route")
    text = "\n".join(doctor.report())
    assert "note  download.pytorch.org: no connection (no route)" in text
    assert "put vgg19-dcbb9e9d.pth" in text and "downloaded when needed" not in text


def test_nothing_is_downloaded_by_the_doctor(bare, monkeypatch):
    monkeypatch.setattr(assets, "unreachable", lambda url: "")
    monkeypatch.setattr(assets, "_download", lambda asset: 1 / 0)
    assert "downloaded when needed" in "\n".join(doctor.report())


def test_local_sets_are_listed(bare, monkeypatch):
    folder = bare / "test" / "mine"
    folder.mkdir(parents=True)
    (folder / "a.png").write_bytes(b"x")
    monkeypatch.setenv("DIALBENCH_DATA", str(bare))
    lines = doctor.report(offline=True)
    assert "ok    test sets in DIALBENCH_DATA: mine" in lines
    assert "note  train sets in DIALBENCH_DATA: none" in lines
