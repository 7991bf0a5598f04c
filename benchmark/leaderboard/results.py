"""``docs/results.md``: text by people, tables and figures by the boards.

Between ``<!-- table TASK -->`` and ``<!-- end -->`` stands what the entries of a task make, with the
commands that give the numbers again. A figure inside a sentence stands between
``<!-- TASK SET METHOD METRIC LEVEL -->`` and ``<!-- / -->``, where LEVEL may also be ``mean``, ``merit``,
``gap``, ``coverage`` or ``dial`` (of the headline metric). Everything else is left as it is.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmark import records
from benchmark.errors import JobError, UserError
from benchmark.leaderboard import build, entry, folder, loaded, rows, shipped
from benchmark.leaderboard.board import asked, safe
from benchmark.leaderboard.faults import SHOWN, Fault, shown
from benchmark.leaderboard.standings import RANKED, newest
from benchmark.metrics.records import METRICS
from benchmark.report import words

if TYPE_CHECKING:
    from benchmark.leaderboard.standings import Group, Standing
    from benchmark.tasks import Task

TABLE = re.compile(r"<!-- table (\S+) -->\n(?:(?!<!-- table ).)*?<!-- end -->", re.DOTALL)
FIGURE = re.compile(r"<!-- ((?:[^\s<>]+ ){4}[^\s<>]+) -->[^<]*<!-- / -->")
NEW = """# Results

What the entries of the [leaderboards](../leaderboards) say; `dialbench board results` writes tables and figures anew.
"""
DERIVED = ("mean", "merit", "gap", "coverage", "dial")


class Line(NamedTuple):
    """One entry on one test set.

    Args:
        standing: Where it stands.
        means: Mean over seeds and images by metric and level, the dial at the true level.
    """

    standing: Standing
    means: Mapping[str, Mapping[str, float]]


def text(old: str, root: Path) -> str:
    """Returns the document with tables and figures as the entries make them.

    Args:
        old: The document as it is; empty for a new one.
        root: The folder of leaderboards.

    Raises:
        JobError: If an entry is not as it must be, or there is no such figure.
        UserError: If there is no such folder.
    """
    old = old or NEW
    begun, whole = old.count("<!-- table "), TABLE.findall(old)
    if begun != len(whole):
        raise JobError("a table of the document has no '<!-- end -->'; put one below it")
    # What only looks like a figure would keep its number for ever.
    before, end, _ = FIGURE.sub("", old).partition("<!-- / -->")
    if end:
        begun = before[-SHOWN:].rpartition("\n")[2]
        raise JobError(
            f"'{shown(begun)}' before a '<!-- / -->' is no figure; write "
            "'<!-- TASK SET METHOD METRIC LEVEL -->' and its number"
        )
    found = {task.resolve(): groups for task, groups in build.each(root, build.compared) if groups}
    lines = {task.name: list(_lines(task, groups)) for task, groups in found.items()}
    for name in lines:
        if f"<!-- table {name} -->\n" not in old:
            old = f"{old.rstrip()}\n\n## {name}\n\n<!-- table {name} -->\n<!-- end -->\n"
    for name in TABLE.findall(old):
        if name not in lines:
            raise JobError(f"there are no entries of {shown(name)}; remove its table")
    old = TABLE.sub(
        lambda at: f"<!-- table {at[1]} -->\n{_section(at[1], lines[at[1]])}\n<!-- end -->", old
    )
    return FIGURE.sub(lambda at: f"<!-- {at[1]} -->{_figure(at[1], lines)}<!-- / -->", old)


def write(path: Path, root: Path) -> bool:
    """Writes the document and tells whether it changed.

    Raises:
        UserError: If what is there is no text; it is left alone.
    """
    try:
        old = path.read_text(encoding="utf-8") if path.is_file() else ""
    except UnicodeDecodeError:
        raise UserError(f"{path} is no text; name a document with --out") from None
    new = text(old, root)
    if new != old:
        records.write_alone(path, new.encode())
    return new != old


def _lines(task: Path, groups: Sequence[Group]) -> Iterator[Line]:
    """Yields the entries of a task in its newest version, in the order of its board."""
    for group in newest(groups):
        for one in group.standings:
            yield Line(one, _means(task / folder.ENTRIES / one.entry.id, one))


def _means(path: Path, standing: Standing) -> dict[str, dict[str, float]]:
    try:
        values = rows.by_key(loaded.load(path)[1], standing.entry.layout)
    except Fault as fault:
        raise JobError(str(fault)) from None
    found: dict[str, dict[str, list[float]]] = {}
    for (metric, name, _, level, dial, _), value in values.items():
        if name == standing.question.dataset and level == dial:
            found.setdefault(metric, {}).setdefault(level, []).append(value)
    return {
        metric: {level: statistics.fmean(own) for level, own in levels.items()}
        for metric, levels in found.items()
    }


def _section(name: str, lines: Sequence[Line]) -> str:
    """Returns the tables of a task: one for each test set, levels across."""
    task = lines[0].standing.entry.task
    sets: dict[tuple, list[Line]] = {}
    for line in lines:
        sets.setdefault(line.standing.question[:4], []).append(line)
    parts = []
    for own in sets.values():
        widest = max(own, key=lambda line: len(line.standing.question.levels))
        parts += [f"**{safe(asked(widest.standing))}**", _table(own, task)]
        parts.append(
            "```\n" + "\n".join([*commands(own), f"dialbench board results # {name}"]) + "\n```"
        )
    return "\n\n".join(parts)


def _table(lines: Sequence[Line], task: Task) -> str:
    """Returns one line for each entry: headline by level, the other metrics at both ends, the dial."""
    from benchmark.analysis.scores import in_order
    from benchmark.report.strip import few

    every_level = in_order(level for line in lines for level in line.standing.question.levels)
    levels = few(every_level, task)
    name = words.metric_name(task.headline)
    columns = [(f"{name} at {_level(level, task)}", level) for level in levels]
    if len(levels) < len(every_level):
        # Of several dials there are too many levels to show.
        columns.insert(0, (f"{name}, mean of {len(every_level)} levels", "mean"))
    ends = list(dict.fromkeys((levels[0], levels[-1])))
    others = [
        one for one in task.metrics if one != task.headline and any(one in x.means for x in lines)
    ]
    merits = ["merit"] if task.perception else []
    heads = ["rank", "method", "preset", "status", *(words.merit(task) for _ in merits)]
    heads += [head for head, _ in columns]
    heads += [f"{words.metric_name(one)} at {_level(end, task)}" for one in others for end in ends]
    heads += ["gap to experts", "coverage", "dial quality", "folded", "MACs"]
    every = []
    for line in lines:
        one, facts = line.standing, line.standing.entry.facts
        cells = [words.NULL if one.rank is None else str(one.rank), facts["method"]]
        cells += [facts["preset"], one.entry.status]
        points = [(task.headline, where) for where in merits]
        points += [(task.headline, where) for _, where in columns]
        points += [(metric, end) for metric in others for end in ends]
        cells += [_number(line, *point) for point in points]
        cells += [_number(line, task.headline, name) for name in ("gap", "coverage", "dial")]
        cells += [f"{facts['cost']['params_folded']:,}", f"{facts['cost']['macs'] / 1e9:.2f} G"]
        every.append([safe(cell) for cell in cells])
    rule = [":--" if head in ("method", "preset", "status") else "--:" for head in heads]
    return "\n".join(f"| {' | '.join(line)} |" for line in ([*map(safe, heads)], rule, *every))


def _level(level: str, task: Task) -> str:
    return words.physical(task, level) if words.has_physical(task) else level


def _number(line: Line, metric: str, where: str) -> str:
    """Returns a figure of an entry as it is shown."""
    one, digits = line.standing, METRICS[metric].digits
    if where == "merit":
        digits = words.merit_digits(one.entry.task)
    if where in DERIVED and metric == one.metric:
        return words.number(getattr(one, where), 2 if where in ("coverage", "dial") else digits)
    return words.number(line.means.get(metric, {}).get(where, float("nan")), digits)


def commands(lines: Sequence[Line]) -> list[str]:
    """Returns the commands that train, score and hand in these entries again."""
    found: dict[tuple[tuple[str, ...], str], list[str]] = {}
    for line in lines:
        facts = line.standing.entry.facts
        found.setdefault((entry.options(facts), _kept(facts)), []).append(facts["method"])
    return [
        f"dialbench {verb} {' '.join(words)} --methods {' '.join(dict.fromkeys(methods))}{more}"
        for (words, kept), methods in found.items()
        for verb, more in (("run", ""), ("board submit", kept))
    ]


def _kept(facts: Mapping[str, Any]) -> str:
    """Returns how the weights of an entry were handed in, where that was not by default."""
    weights = facts["weights"]
    if not weights:
        return ""
    if weights[0]["url"]:
        return f" --weights {weights[0]['url'].rpartition('/')[0]}"
    if not weights[0]["file"]:
        return " --weights none"
    if weights[0]["precision"] != "float16":
        return " --weights copy"
    size = sum({one["sha256"]: one["bytes"] for one in weights}.values())
    return "" if size <= shipped.SMALL else " --weights half"


def _figure(address: str, lines: Mapping[str, Sequence[Line]]) -> str:
    """Returns the figure at ``TASK SET METHOD METRIC LEVEL``; claimed entries have none.

    Raises:
        JobError: If there is none, or more than one.
    """
    task, dataset, method, metric, where = address.split(" ")
    found = {
        _number(line, metric, where)
        for line in lines.get(task, ())
        if (line.standing.question.dataset, line.standing.entry.facts["method"])
        == (dataset, method)
        and line.standing.entry.status in RANKED
        and metric in line.means
    } - {words.NULL}
    if len(found) != 1:
        many = "more than one" if found else "no"
        raise JobError(f"there is {many} figure '{shown(address)}' on the boards")
    return found.pop()


def command(path: Path, root: Path) -> str:
    """Returns what the command says after writing.

    Raises:
        UserError: If the folder for the document is not there, or what is there is no document.
    """
    if not path.resolve().parent.is_dir():
        raise UserError(f"there is no folder {path.parent} to write into")
    if path.is_dir():
        raise UserError(f"{path} is a folder; name a document with --out")
    return f"{path}: {'written' if write(path, root) else 'up to date'}"
