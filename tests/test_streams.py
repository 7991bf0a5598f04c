"""What the command line writes to, and what it does where that takes no more."""

import contextlib
import io
import os
import subprocess
import sys

import pytest

from benchmark import cli


def test_a_terminal_without_a_character_is_shown_its_number():
    code = "from benchmark.cli import main\nmain(['analyze', '--list'])"
    here = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=here)
    assert "R\\xb2, mean" in done.stdout and not done.stderr


def test_a_full_output_is_one_line_and_not_a_traceback():
    words = [sys.executable, "-u", "-m", "benchmark", "list"]
    with open("/dev/full", "w") as full:
        ended = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert ended.returncode == 1
    assert ended.stderr.startswith("dialbench: No space left") and ended.stderr.count("\n") == 1


@pytest.mark.parametrize("words", [["list"], ["run", "--help"], ["--version"]])
@pytest.mark.parametrize("reader", ["full", "gone"])
def test_what_waits_in_the_buffer_and_cannot_be_written_is_told_as_usual(words, reader):
    """Most outputs are shorter than the buffer, and meet the disk or the reader at the end only."""
    here = {name: text for name, text in os.environ.items() if name != "PYTHONUNBUFFERED"}
    into, out = os.pipe()
    os.close(into)
    with open("/dev/full" if reader == "full" else out, "w") as stream:
        ended = subprocess.run(
            [sys.executable, "-m", "benchmark", *words],
            stdout=stream,
            stderr=subprocess.PIPE,
            text=True,
            env=here,
            timeout=60,
        )
    told = "dialbench: No space left on device\n" if reader == "full" else ""
    assert (ended.returncode, ended.stderr) == (1, told)


class Tee:
    """What notebooks and loggers put in the place of a stream: it takes text, and is no file."""

    def __init__(self):
        self.text = ""

    def write(self, text: str) -> int:
        self.text += text
        return len(text)


@pytest.mark.parametrize(("words", "code"), [(["--version"], 0), (["list"], 0), (["nonsense"], 2)])
def test_streams_need_not_be_files(words, code, monkeypatch):
    out, error = Tee(), Tee()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", error)
    try:
        assert cli.main(words) == code
    except SystemExit as end:
        assert end.code == code
    assert bool(out.text) == (code == 0)
    assert error.text.count("\n") == (code != 0)


def test_a_full_file_that_a_caller_writes_to_stays_the_callers():
    """Else all that the caller writes there later would be lost without a word."""
    with pytest.raises(OSError, match="No space left"), open("/dev/full", "w") as full:
        with contextlib.redirect_stdout(full):
            assert cli.main(["list"]) == 1
        assert os.path.samestat(os.fstat(full.fileno()), os.stat("/dev/full"))
        print("more", file=full)


def test_where_there_is_no_stream_for_errors_they_are_not_told_among_the_output(
    monkeypatch, capsys
):
    with monkeypatch.context() as closed:
        closed.setattr(sys, "stderr", None)
        assert cli.main(["nonsense"]) == 2
        gone = io.StringIO()
        gone.close()
        closed.setattr(sys, "stderr", gone)
        assert cli.main(["nonsense"]) == 2
    assert capsys.readouterr().out == ""


def test_bad_usage_is_exit_2_also_where_nobody_can_be_told():
    words = [sys.executable, "-m", "benchmark", "nonsense"]
    with open("/dev/full", "w") as full:
        assert subprocess.run(words, stderr=full, timeout=60).returncode == 2
