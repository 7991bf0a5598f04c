"""The command line: what is asked for, and one clear line for what cannot be done."""

import json
import re
import subprocess
import sys

import pytest

from benchmark import cli, tasks
from benchmark.errors import UserError
from benchmark.planning.request import request_of
from benchmark.verbs import bench


def asked(*words: str):
    top, _ = cli.parser()
    return request_of(top.parse_args(["run", *words]))


HEAVY = (
    *("torch", "lightning", "torchmetrics", "lpips", "pyiqa", "wandb", "datasets", "pandas"),
    *("matplotlib", "scipy", "skimage", "sklearn", "safetensors"),
)


@pytest.mark.parametrize("word", ["--help", "list"])
def test_help_and_list_import_nothing_heavy(word):
    code = (
        "import sys, contextlib\nfrom benchmark.cli import main\n"
        "with contextlib.suppress(SystemExit): main([sys.argv[1]])\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, word], capture_output=True, text=True)
    assert "sr" in done.stdout
    assert not {*HEAVY} & {*done.stdout.splitlines()[-1].split()}


def test_a_run_says_what_it_is_of_before_anything_heavy_is_imported(home):
    code = "import sys\nsys.modules['torch'] = None\nfrom benchmark.cli import main\nmain(sys.argv[1:])"
    words = ["run", "denoise", "--preset", "smoke", "--set", "steps=2", "--methods", "dni,ftn"]
    words += ["--seeds", "0,1"]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)
    assert done.stdout == (
        "denoise, preset smoke:steps=2, backbone small:blocks=2:width=8, seeds 0, 1: dni, ftn\n"
    )
    assert "torch" in done.stderr


def test_names_may_be_separated_by_commas_or_spaces():
    for words in (["--methods", "dni,ftn"], ["--methods", "dni", "ftn"], ["--methods", "dni ftn"]):
        assert [one.method for one in asked("sr", *words).methods] == ["dni", "ftn"]


def test_specifications_are_made_canonical():
    request = asked("sr", "--methods", "ftn:groups=4,dni", "--backbone", "small:width=8:blocks=2")
    assert [one.method for one in request.methods] == ["ftn:groups=4", "dni"]
    assert request.backbone == "small:blocks=2:width=8"


def test_physical_values_become_levels():
    axis = tasks.get("denoise").space.axes[0]
    values = f"{axis.start:g},{(axis.start + axis.end) / 2:g},{axis.end:g}"
    assert asked("denoise", "--physical", values).levels == ((0.0,), (0.5,), (1.0,))
    assert asked("dejpeg", "--physical", "80,40,10").levels == ((0.0,), (0.571429,), (1.0,))


def test_a_method_file_joins_the_methods(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("")
    chosen = asked("sr", "--methods", "floor", "--method", f"{file}:k=3").methods
    assert [(one.method, one.file) for one in chosen] == [("floor", None), ("mine:k=3", str(file))]


@pytest.mark.parametrize("folder", [".pyenv/m", "a.py", "x.py.d"])
def test_a_method_file_may_lie_in_any_folder(folder, tmp_path):
    file = tmp_path / folder / "mine.py"
    file.parent.mkdir(parents=True)
    file.write_text("")
    for options in ("", ":k=3", ":k=3:name=other.py"):
        (chosen,) = asked("sr", "--methods", f"{file}{options}").methods
        assert (chosen.method, chosen.file) == (f"mine{options}", str(file))


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ("run srr", "did you mean 'sr'"),
        ("rnu sr", "did you mean 'run'"),
        ("run sr --methods ftm", "did you mean 'ftn'"),
        ("run sr --methods ../benchmark/store", "unknown method '../benchmark/store'"),
        ("run sr --methods external/ffdnet", "unknown method 'external/ffdnet'"),
        ("run sr --backbone ../../benchmark/store", "unknown backbone"),
        ("run sr --preset laptob", "did you mean 'laptop'"),
        ("run sr --backbone smal", "did you mean 'small'"),
        ("run sr --set stepps=3", "did you mean 'steps'"),
        ("run sr --set backbone=rrdb", "name the backbone with --backbone"),
        ("run sr --set steps", "give a value, as in steps=450"),
        ("run sr --set steps=many", "steps=many: give a whole number"),
        ("run sr --set lr=", "lr=: give a number"),
        ("run sr --set lr=nan", "lr=nan: give a number from 0 to 1,000,000,000"),
        ("run sr --set steps=-1", "steps=-1: give a number from 0 to"),
        (f"run sr --set steps=1{'0' * 20}", "0: give a number from 0 to 1,000,000,000"),
        ("run sr --set precision=16-mixed", "bf16-mixed"),
        ("run sr --levels 0,2", r"\[0, 1\]"),
        ("run sr --levels zero", r"--levels zero: a level is 1 number from 0 to 1 .* like 0\.25"),
        ("run denoise --levels 0/1", r"1 number from 0 to 1 \(sigma\); give it like 0\.25"),
        ("run blur-noise --levels 1", r"2 numbers from 0 to 1 \(blur/sigma\).* like 0\.25/0\.25"),
        ("run denoise --physical nan", r"--physical nan: a level is 1 number \(sigma\).* like 80"),
        ("run blur-noise --physical 2", r"2 numbers \(blur/sigma\); give it like 4/50"),
        ("run style-3 --physical x", "like 1/0"),
        ("run denoise --physical 500", "sigma"),
        ("run denoise --levels 25", r"outside \[0, 1\].* or sigma with --physical 25"),
        ("run denoise --levels 500", "give values from 0 to 1$"),
        ("run sr --levels 0 --physical 0", "not allowed with"),
        ("run sr --seeds one", "--seeds"),
        ("run sr --jobs 0", "--jobs"),
        ("run sr --engine lokal", "did you mean 'local'"),
        ("run sr --method nowhere.py", r"nowhere\.py"),
        ("run sr --method dni", "names go to --methods"),
        ("run sr --method .pyenv/mine", "names go to --methods"),
        ("run sr --method mine.py:k", "mine.py:k=3"),
        ("run sr --force ftn --methods dni", "--force"),
        ("run sr --methods ,", "no method"),
        ("train sr --wandb", "leave out --wandb"),
        ("analyze experts --wandb", "leave out --wandb"),
        ("report sr --dry-run", "--dry-run"),
        ("export sr --wandb", "--wandb"),
        ("demo sr --dry-run", "--dry-run"),
        ("publish sr --force dni", "--force"),
        ("board submit sr --dry-run", "--dry-run"),
        ("board verify . --mode exakt", "did you mean 'exact'"),
        ("board verify . --weights nowhere", "no such folder"),
        ("board verify . --draw -1", "a number from 0 to 9223372036854775808"),
        ("board verify . --draw 9223372036854775809", "a number from 0 to 9223372036854775808"),
        ("run", "TASK"),
        ("run sr --presett x", "--presett"),
        ("job nowhere.json", r"nowhere\.json"),
        ("data --train builtin", "data check --train"),
        ("data list --test builtin", "data check --test"),
        ("run sr --levels=--", "--levels=--: give a value"),
        ("board pull place --boards=--", "--boards=--: give a value"),
    ],
)
def test_bad_usage_is_one_line_and_exit_2(words, part, capsys, home, monkeypatch):
    monkeypatch.setattr(bench, "Store", lambda: pytest.fail("this was accepted"))
    assert cli.main(words.split()) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("dialbench: ")
    assert re.search(part, error)


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["run", "sr", "--backbone", ""], "names nothing"),
        (["run", "sr", "--train", ""], "--train names no image set"),
        (["run", "sr", "--test", ","], "--test names no image set"),
        (["data", "check", "--test", " "], "--test names no image set"),
        (["data", "--train", "builtin"], "--train is for check, verify and manifest; use"),
        (["run", "sr", "--force", ""], "--force names no method"),
        (["size", "sr", "--preset", ""], "--preset names none"),
        (["analyze", "experts", "--task", ""], "unknown task ''"),
    ],
)
def test_an_option_that_is_given_empty_does_not_become_the_default(
    words, part, capsys, home, monkeypatch
):
    for name in ("_planner", "Store"):
        monkeypatch.setattr(bench, name, lambda: pytest.fail("this was accepted"))
    assert cli.main(words) == 2
    assert part in capsys.readouterr().err


@pytest.mark.parametrize("variable", ["DIALBENCH_HOME", "DIALBENCH_DATA", "DIALBENCH_WEIGHTS"])
def test_a_variable_with_the_home_of_nobody_is_refused(variable, capsys, home, monkeypatch):
    monkeypatch.setenv(variable, "~nobody.of.this.name/x")
    assert cli.main(["doctor", "--offline"]) == 2
    assert "~nobody.of.this.name/x: nobody here has such a home" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        "run sr --test ~nobody.of.this.name",
        "board check --base ~nobody.of.this.name",
        "board pull ~nobody.of.this.name",
    ],
)
def test_an_option_with_the_home_of_nobody_is_refused(words, capsys, home):
    assert cli.main(words.split()) == 2
    assert "nobody here has such a home" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[31mb", "a\u202eb", "a\udcffb"])
def test_what_a_terminal_acts_on_is_spelled_out_in_a_message(name, capsys, home, tmp_path):
    for words in (["run", name], ["import", "ffdnet", str(tmp_path / name)]):
        assert cli.main(words) == 2
        error = capsys.readouterr().err
        assert error.isprintable() is False and error[:-1].isprintable()
        assert ascii(name)[1:-1] in error


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_methods_none_of_which_takes_the_task_are_bad_usage(more, capsys, home):
    words = ["run", "filter-rtv2", "--preset", "smoke", *more]
    assert cli.main([*words, "--methods", "adafm,cfsnet"]) == 2
    reason = "skipped: takes one control axis, not 2"
    assert f"adafm: {reason}; cfsnet: {reason}" in capsys.readouterr().err
    assert cli.main([*words, "--methods", "adafm,floor", "--dry-run"]) == 0
    assert "adafm: skipped" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("verb", "offered"), [("run", True), ("sweep", True), ("train", False), ("analyze", False)]
)
def test_the_mirror_is_offered_where_there_are_results_to_mirror(verb, offered, capsys):
    with pytest.raises(SystemExit):
        cli.main([verb, "--help"])
    assert ("--wandb" in capsys.readouterr().out) == offered


def test_the_help_of_results_names_the_document_it_writes(capsys):
    with pytest.raises(SystemExit):
        cli.main(["board", "results", "--help"])
    assert "default: docs/results.md" in capsys.readouterr().out


def test_sets_are_separated_by_commas_alone():
    request = asked("sr", "--test", "my photographs, others,", "--train", "builtin")
    assert (request.test, request.train) == (("my photographs", "others"), ("builtin",))


def test_a_path_that_cannot_be_used_is_named(home, capsys):
    assert cli.main(["run", "sr", "--methods", "floor", "--test", "/" + "x" * 300]) == 2
    assert capsys.readouterr().err.endswith("x cannot be used: File name too long\n")


def test_debug_shows_where_an_error_comes_from():
    with pytest.raises(UserError):
        cli.main(["run", "srr", "--debug"])


def test_list_names_everything(capsys):
    assert cli.main(["list"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in ("denoise", "hypernet", "experts", "resnet16", "smoke"))


def test_data_lists_the_sets(capsys, home):
    assert cli.main(["data"]) == 0
    assert "builtin" in capsys.readouterr().out


def test_a_job_file_runs_by_itself(home, tmp_path, capsys):
    from benchmark import plan
    from benchmark.planning import jobs
    from benchmark.store import Store

    request = asked("sr", "--preset", "smoke", "--methods", "floor", "--offline", "--levels", "0")
    (job,) = plan.make(request, Store()).jobs()
    file = tmp_path / "job.json"
    file.write_text(jobs.to_json(job))
    assert cli.main(["job", str(file)]) == 0
    (cell,) = (home / "cells" / "sr").glob("*.json")
    rows = json.loads(cell.read_text())["rows"]
    assert {row[0] for row in rows} == {"astronaut", "chelsea", "flower"}


@pytest.mark.parametrize("words", ["run denoise --dry-run", "doctor --offline"])
def test_a_working_folder_that_was_removed_is_one_sentence(words, tmp_path, monkeypatch, capsys):
    """Otherwise it is torch that ends the process, with the words 'cannot load'."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert cli.main(words.split()) == 2
    assert "the working folder has been removed" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        "run sr --dry-run",
        "run sr --preset gpu --dry-run",
        "report sr",
        "size sr",
        "export sr",
        "publish sr",
    ],
)
def test_verbs_that_only_look_download_nothing(words, home, monkeypatch):
    from benchmark import assets

    asked = []
    monkeypatch.setattr(assets, "_attempts", set())
    monkeypatch.setattr(assets, "_download", lambda asset: asked.append(asset.name))
    monkeypatch.setattr(assets, "_candidates", lambda asset: [])
    cli.main([*words.split(), "--methods", "floor"])
    assert asked == []


def test_only_missing_says_what_is_done_anyway_and_goes_with_no_force(home, capsys):
    words = ["run", "sr", "--preset", "smoke", "--methods", "floor", "--offline", "--dry-run"]
    assert cli.main([*words, "--only-missing"]) == 0
    with_it = capsys.readouterr().out
    assert cli.main(words) == 0 and capsys.readouterr().out == with_it
    assert cli.main([*words, "--only-missing", "--force", "floor"]) == 2


@pytest.mark.parametrize(
    ("words", "where"),
    [
        ("report sr --force dni", "dialbench report --help"),
        ("board build --offline", "dialbench board build --help"),
        ("data check --offline", "dialbench data check --help"),
    ],
)
def test_an_unknown_option_leads_to_the_help_that_lists_options(words, where, home, capsys):
    assert cli.main(words.split()) == 2
    assert capsys.readouterr().err.endswith(f"see {where}\n")
    with pytest.raises(SystemExit) as stopped:
        cli.main(where.split()[1:])
    assert stopped.value.code == 0
