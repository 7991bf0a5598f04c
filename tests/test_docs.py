"""Documents: links lead somewhere, commands parse, and figures are those of the code."""

import ast
import dataclasses
import inspect
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from benchmark import build, cli, config, studies, tasks
from benchmark.analysis.comparison import pairs_table, stats_table
from benchmark.analysis.dial import FIGURES
from benchmark.build import build_method
from benchmark.leaderboard import results
from benchmark.metrics.records import METRICS
from benchmark.registry import discovery
from benchmark.report.averages import COSTS
from benchmark.scoring import cost

ROOT = Path(__file__).parent.parent
STDLIB = sys.stdlib_module_names
PAGES = [
    *ROOT.glob("*.md"),
    *sorted((ROOT / "docs").glob("*.md")),
    *(ROOT / "benchmark").glob("*/*.md.txt"),
]
ROW = re.compile(
    r"^\| \[`(\w+)`\]\(.*?\).*?\| .*? \| .*? \| .*? \| ([\d,]+) \| ([\d,]+) \| ([\d.]+) \|$",
    re.MULTILINE,
)


def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def test_every_default_method_has_a_row_with_the_figures_of_the_code():
    rows = {name: found for name, *found in ROW.findall(text(ROOT / "docs" / "methods.md"))}
    assert {*discovery.default_methods()} <= {*rows}
    task = tasks.get("denoise")
    for name, (stored, folded, gmacs) in rows.items():
        method = build_method(build.create_method(name), "small", task, 0).eval()
        at = (method.only_levels(task) or (task.space.end,))[-1]
        found = cost.of_method(method, method.tuned(at))
        assert f"{found['params_stored']:,} {found['params_folded']:,}" == f"{stored} {folded}", (
            name
        )
        assert f"{found['macs'] / 1e9:.2f}" == gmacs, name


def test_every_method_of_ours_has_a_row():
    rows = {name for name, *_ in ROW.findall(text(ROOT / "docs" / "methods.md"))}
    ours = {
        entry.name
        for entry in discovery.entries()
        if entry.group != "network" and entry.path.endswith(".py") and not entry.imports
    }
    assert ours == rows | {"level_estimator"}, "level_estimator sets dials, and is no method to run"


def test_every_task_has_a_line_on_its_page_and_no_other_has():
    page = text(ROOT / "docs" / "tasks.md")
    (table,) = re.findall(r"\| task \| what the dial sets .*?\n\n", page, re.S)
    first = re.findall(r"^\|([^|]*)\|", table, re.M)
    assert sorted(re.findall(r"`([a-z0-9-]+)`", " ".join(first))) == tasks.names()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?:)([^)#]*)(?:#[^)]*)?\)", text(page)):
        assert not target or (page.parent / target).exists(), target


def anchors(page: Path) -> set[str]:
    """Returns what headings of a page are called in links, as GitHub does it."""
    heads = re.findall(r"^#+ (.*)$", text(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head).strip().lower().replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_into_a_page_lead_to_one_of_its_headings(page):
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#([^)]*)\)", text(page)):
        assert anchor in anchors(page.parent / target if target else page), f"{target}#{anchor}"


def test_every_setting_of_a_preset_is_told_with_its_value():
    page = text(ROOT / "docs" / "running.md")
    told = re.findall(r"^\| `(\w+)` \| .* \| (.*) \| (.*) \| (.*) \| (.*) \|$", page, re.MULTILINE)
    table = {name: values for name, *values in told}
    fields = [field.name for field in dataclasses.fields(config.Preset)]
    settings = [name for name in fields if name not in ("name", "backbone")]
    assert {*settings} <= {*table}
    for name in settings:
        values = (getattr(preset, name) for preset in config.PRESETS.values())
        shown = [
            f"{value:,}"
            if type(value) is int
            else str(value).lower()
            if value in (True, False)
            else str(value)
            for value in values
        ]
        assert table[name] == shown, name


def test_every_option_of_a_method_is_told_with_its_default():
    section = text(ROOT / "docs" / "methods.md").partition("## Options")[2].partition("\n## ")[0]
    told = set(re.findall(r"^\| `(\w+)` \| `(\w+)` \| *(\S*) *\| ", section, re.MULTILINE))
    named = [one.name for one in discovery.entries() if one.group != "network" and not one.error]
    assert told == {
        (name, option, str(about.default).lower())
        for name in named
        for option, about in inspect.signature(type(build.create_method(name))).parameters.items()
        if about.default is not about.empty
    }


def commands() -> list[tuple[str, str]]:
    """Returns (page, command) of every dialbench command in the blocks of all pages.

    A variable that a block of the page sets, such as LONGER="--train ...", is put in its place, and a
    name in that of a template's ``$name``.
    """
    found = []
    for page in PAGES:
        blocks = re.findall(r"^```\w*\n(.*?)^```", text(page), re.MULTILINE | re.DOTALL)
        variables = dict(re.findall(r'^([A-Z]+)="(.*)"$', "\n".join(blocks), re.MULTILINE))
        variables["name"] = "my_method"
        for block in blocks:
            for line in block.splitlines():
                for name, value in variables.items():
                    line = line.replace(f"${name}", value)
                for part in re.split(r"&&|>", line.partition("#")[0]):
                    words = re.sub(r"^\s*(\w+=\S+\s+)*", "", part)
                    if words.startswith("dialbench ") and "..." not in words:
                        found.append((page.name, words.strip()))
    return found


@pytest.mark.parametrize(("page", "command"), commands())
def test_a_command_of_a_page_is_one_that_can_be_given(page, command):
    words = shlex.split(command)[1:]
    top, _ = cli.parser()
    top.parse_args(words)


def test_a_package_says_of_itself_what_contributing_says_of_packages():
    said = text(ROOT / "benchmark" / "skeleton" / "README.md.txt").replace("$name", "my_method")
    (block,) = re.findall(r"^```\n(pip install .*?)^```", said, re.MULTILINE | re.DOTALL)
    assert block in text(ROOT / "CONTRIBUTING.md")


def test_methods_import_only_what_an_author_is_told_to_import():
    allowed = {"benchmark.method", "benchmark.control"}
    for file in (*(ROOT / "methods").glob("*.py"), *(ROOT / "baselines").glob("*.py")):
        for node in ast.parse(text(file)).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                module = node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
                own = module.partition(".")[0]
                assert module in allowed or own in ("torch", "baselines", *STDLIB), (file, module)


def test_every_figure_that_is_derived_is_told():
    section = text(ROOT / "docs" / "boards.md").partition("## Results")[2]
    assert all(f"`{name}`" in section for name in results.DERIVED)


def test_columns_of_tables_are_told_where_studies_are():
    page = text(ROOT / "docs" / "studies.md")
    rows = [f"| `{one.id}` | {one.title} | {one.meaning} |" for one in FIGURES.values()]
    assert "\n".join(rows) in page
    section = page.partition("## Columns of the tables")[2].partition("## What came out")[0]
    told = dict(re.findall(r"^\| (`[^|]*`) \| (.*) \|$", section, re.MULTILINE))
    assert set(re.findall(r"`([\w-]+)`", " ".join(told))) >= set(studies.names())
    named = told["`wrong-level`"]
    for column in ("loss", "psnr", "detail", "colour", "loss_too_strong", "detail_right"):
        assert f"`{column}`" in named, column


def test_every_metric_and_column_of_a_report_is_told():
    page = text(ROOT / "docs" / "reports.md")
    table = page.partition("## Metrics")[2].partition("## Columns")[0]
    assert set(METRICS) == set(
        re.findall(r"`([\w@.-]+)`", "".join(re.findall(r"\|.*?\|(.*?)\|", table)))
    )
    section = page.partition("## Columns")[2].partition("## For a talk")[0]
    told = {*re.findall(r"`([\w]+)`", section)}
    task = tasks.get("denoise")
    columns = {*COSTS, "folds", *stats_table({}).columns, *pairs_table({}, task).columns}
    assert columns - {"other_backbone", "other_preset"} <= told


def test_methods_link_the_papers_that_their_code_names():
    page = text(ROOT / "docs" / "methods.md")
    for file in (ROOT / "methods").glob("[a-z]*.py"):
        name = file.stem
        paper = build.create_method(name).paper
        assert re.search(
            rf"^\*\*{name}\*\* .*\[{paper}\]\(https://arxiv.org/abs/{paper}\)", page, re.M
        ), name


def test_whatever_lies_in_a_package_is_installed_with_it():
    tools = tomllib.loads(text(ROOT / "pyproject.toml"))["tool"]["setuptools"]
    installed = {
        file
        for package, globs in tools["package-data"].items()
        for one in globs
        for file in (ROOT / package.replace(".", "/")).glob(one)
    }
    tops = [one.rstrip("*") for one in tools["packages"]["find"]["include"]]
    # Not what editors and systems leave there.
    files = {
        one
        for top in tops
        for one in (ROOT / top).rglob("*")
        if one.is_file() and not re.search(r"/\.|~$", str(one.relative_to(ROOT)))
    }
    code = {one for one in files if one.suffix == ".py" and (one.parent / "__init__.py").is_file()}
    made = {one for one in files if one.parent.name == "__pycache__"}
    assert files - made == code | installed


def test_modules_that_say_they_import_no_torch_import_none():
    files = [file for file in (ROOT / "benchmark").rglob("*.py") if "no torch." in text(file)]
    says = [
        ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for file in sorted(files)
        if "mports no torch." in (ast.get_docstring(ast.parse(text(file))) or "")
    ]
    assert len(says) > 10
    code = f"import importlib, sys\nfor one in {says!r}:\n    importlib.import_module(one)\n"
    code += "    assert 'torch' not in sys.modules, one\n"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
