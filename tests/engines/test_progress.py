"""What a run shows of its jobs, on terminals and in logs."""

import io
import os
import re
import shutil

import pytest

from benchmark.engines import progress as showing
from benchmark.engines.progress import Progress

ROWS, COLUMNS = 24, 80


class Screen(io.StringIO):
    """A terminal: its rows, and the lines that have left it at the top for good."""

    def __init__(self):
        super().__init__()
        self.rows, self.at, self.gone = [""], 0, []

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        for part in re.split(r"(\n|\x1b\[\d+A|\x1b\[J)", text):
            if part == "\n":
                self.at += 1
                if self.at == len(self.rows):
                    self.rows.append("")
                if len(self.rows) > ROWS:
                    self.gone.append(self.rows.pop(0))
                    self.at -= 1
            elif part.endswith("A"):
                self.at = max(0, self.at - int(part[2:-1]))
            elif part == "\x1b[J":
                self.rows[self.at :] = [""]
            elif part:
                assert len(part) < COLUMNS, "a line that breaks is two"
                self.rows[self.at] = part
        return super().write(text)


@pytest.fixture
def clock(monkeypatch):
    """Sets what time it is."""

    def at(seconds: float) -> None:
        monkeypatch.setattr(showing.time, "monotonic", lambda: seconds)

    at(0)
    monkeypatch.setattr(shutil, "get_terminal_size", lambda: os.terminal_size((COLUMNS, ROWS)))
    return at


def test_more_jobs_than_rows_leave_nothing_behind_but_what_is_done(clock):
    screen, names = Screen(), [f"train method-{number} start" for number in range(40)]
    progress = Progress(40, screen)
    for second, told in enumerate(("100", "200", "x" * 100), start=1):
        for name in names:
            if second == 1:
                progress.started(name)
        clock(second)
        for name in names:
            progress.update(name, told)
    assert screen.gone == []
    assert screen.rows[0].startswith("  train method-0 start: xxx")
    assert screen.rows[ROWS - 3] == "  ... and 19 more"
    for name in names:
        progress.finished(name)
    progress.close()
    whole = [*screen.gone, *screen.rows]
    assert whole[:-1] == [f"[{at}/40] {name} done (3 s)" for at, name in enumerate(names, 1)]
    assert whole[-1] == ""


def test_few_jobs_have_a_line_each(clock):
    screen = Screen()
    progress = Progress(2, screen)
    progress.started("one")
    clock(1)
    progress.started("two")
    assert screen.rows == ["  one", "  two", ""]
    progress.close()
    assert screen.rows == [""]


def test_a_thousand_jobs_draw_a_few_times_a_second(clock):
    screen = Screen()
    progress = Progress(1000, screen)
    for number in range(1000):
        clock(number / 1000)
        progress.started(f"{number}")
        progress.update(f"{number}", "1/100 steps")
    assert len(screen.getvalue()) < 10 * ROWS * COLUMNS


@pytest.mark.parametrize(("jobs", "least", "most"), [(1, 39, 40), (3, 110, 120), (1000, 590, 600)])
def test_a_log_gets_at_most_a_line_a_second_and_every_job_has_its_turn(clock, jobs, least, most):
    log = io.StringIO()
    progress = Progress(jobs, log)
    for number in range(jobs):
        progress.started(f"{number}")
    for second in range(600 if jobs < 1000 else 1600):
        clock(second)
        for number in range(jobs):
            progress.update(f"{number}", f"at {second}")
    lines = log.getvalue().splitlines()
    assert least <= len(lines) <= most
    assert len({line.partition(":")[0] for line in lines}) == min(jobs, len(lines))
    for number in range(jobs):
        progress.finished(f"{number}")
    assert log.getvalue().count(" done ") == jobs


def test_a_terminal_that_is_gone_ends_nothing(clock):
    class Gone(Screen):
        def write(self, text: str) -> int:
            raise OSError(5, "Input/output error")

    progress = Progress(1, Gone())
    progress.started("one")
    clock(1)
    progress.update("one", "1/2 steps")
    progress.finished("one")
    progress.close()
    assert progress.done == 1


def test_a_job_that_begins_or_goes_on_is_shown_at_once_and_notes_stay(clock):
    screen = Screen()
    progress = Progress(3, screen)
    progress.started("one")
    progress.started("two")
    progress.finished("one")
    assert screen.rows == ["[1/3] one done (0 s)", "  two", ""]
    progress.note("in the queue: 1 waiting")
    progress.started("three")
    assert screen.rows[1:] == ["in the queue: 1 waiting", "  two", "  three", ""]
    log = io.StringIO()
    Progress(1, log).note("in the queue")
    assert log.getvalue() == "in the queue\n"
