"""``dialbench board check`` on the command line."""

import subprocess
import sys

import pytest

from benchmark import cli


def test_the_command_prints_one_line_a_fault_and_fails(put, boards, capsys):
    path = put()
    assert cli.main(["board", "check", str(path)]) == 0
    assert "1 entry, all good" in capsys.readouterr().out
    (path / "x").write_text("")
    assert cli.main(["board", "check", str(path)]) == 1
    said = capsys.readouterr()
    assert said.err == f"sr/{path.name}/x: unknown file\n" and "1 fault" in said.out
    assert cli.main(["board", "check", str(boards / "none")]) == 2


def test_checking_imports_neither_torch_nor_pandas(put):
    path = put()
    code = (
        "import sys\nfrom benchmark.cli import main\n"
        "assert main(['board', 'check', sys.argv[1]]) == 0\nprint(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
    assert not {"torch", "pandas", "safetensors"} & {*done.stdout.split()}
    assert "numpy" in done.stdout


@pytest.mark.parametrize("words", [["verify"], ["push", "--to", "./elsewhere"]])
def test_a_folder_that_is_no_entry_is_one_sentence(words, put, boards, capsys):
    action, *more = words
    put()
    for path in (boards / "sr", boards / "sr" / "entries", boards / "none"):
        assert cli.main(["board", action, str(path), *more]) == 2
        error = capsys.readouterr().err
        assert "give the folder of an entry" in error and error.count("\n") == 1
    assert cli.main(["board", "check", str(boards / "sr" / "entries")]) == 2
    error = capsys.readouterr().err
    assert "give the folder above it, or one entry" in error and error.count("\n") == 1
