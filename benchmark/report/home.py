"""The index of all reports: what each says of itself in ``about.json``, as one table."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Collection, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from benchmark.analysis.scores import in_order
from benchmark.metrics.records import METRICS
from benchmark.report import words
from benchmark.report.derived import Derived
from benchmark.report.grids import Cell, Grid, Line
from benchmark.report.html import frame, table
from benchmark.report.series import Series, labels

if TYPE_CHECKING:
    import pandas as pd

    from benchmark.tasks import Task

FACTS = (
    ("summary", "what"),
    ("sets", "data sets"),
    ("levels", "levels"),
    ("methods", "methods"),
    ("preset", "preset"),
    ("ranked", "ranked by"),
    ("leaders", "rank 1"),
    ("value", "mean over levels"),
)
"""What ``about.json`` holds besides the task, and the headings of the index."""


def pair(every: Sequence[Series], derived: Derived) -> list[int]:
    """Returns the two series that the page compares first: the best ranked methods."""
    order = sorted(
        range(len(every)),
        key=lambda at: (
            every[at].baseline,
            min(
                (r or 99 for (one, _), (r, _) in derived.ranks.items() if one == every[at]),
                default=99,
            ),
        ),
    )
    return order[:2]


def about(task: Task, preset: str, long: pd.DataFrame, derived: Derived) -> bytes:
    """Returns ``about.json``.

    Args:
        task: The task.
        preset: The budget, as text.
        long: Output of ``averages.means``.
        derived: Output of ``derive``.
    """
    sets = sorted(long["dataset"].unique()) if len(long) else []
    levels = in_order(long["level"]) if len(long) else []
    contest = {one for one, _ in derived.ranks}
    names = labels(contest)
    first = sets[:1]
    ranks = {one: placed for (one, name), placed in derived.ranks.items() if [name] == first}
    leaders = [one for one, (rank, _) in ranks.items() if rank == 1 and len(ranks) > 1]
    own = long[(long["metric"] == task.headline) & long["dataset"].isin(first)]
    means = {
        one: own.loc[
            (own[["method", "backbone", "preset"]] == list(one)).all(axis=1), "mean"
        ].mean()
        for one in contest
    }
    facts = {
        "task": task.name,
        "summary": task.summary,
        "sets": ", ".join(sets),
        "levels": len(levels),
        "methods": len(contest),
        "preset": preset,
        "ranked": words.merit_name(task),
        "leaders": ", ".join(names[one] for one in leaders) or _unranked(ranks.values()),
        "value": f"{METRICS[task.headline].label} {_value(task, means, leaders)}",
    }
    return (json.dumps(facts, indent=1) + "\n").encode()


def _unranked(places: Collection[tuple[int | None, str]]) -> str:
    """Returns why nobody leads on the first data set."""
    known = dict.fromkeys(reason for _, reason in places if reason)
    reasons = list(known) or (["there is one method"] if places else [])
    return "; ".join(f"nobody: {reason}" for reason in reasons)


def _value(task: Task, means: dict[Series, float], leaders: list[Series]) -> str:
    """Returns the mean of those who lead, or where nobody does, how far methods lie apart."""
    known = [mean for mean in means.values() if math.isfinite(mean)]
    if leaders or not known:
        mean = statistics.fmean(means[one] for one in leaders) if leaders else math.nan
        return words.fixed(task.headline, mean)
    ends = (words.fixed(task.headline, end) for end in (min(known), max(known)))
    return " to ".join(dict.fromkeys(ends))


def home(folder: Path) -> str:
    """Returns the page over all reports in a folder."""
    lines, links = [], []
    for path in sorted(folder.glob("*/about.json")):
        facts = facts_of(path.parent)
        # It is the first file of a report and the page the last: one that was cut off has no page.
        if facts is None or not (path.parent / "index.html").is_file():
            continue
        cells = tuple(Cell(str(facts.get(key, ""))) for key, _ in FACTS)
        lines.append(Line(str(facts["task"]), cells))
        href = quote(f"{path.parent.name}/index.html")
        links.append(f'<a href="{href}">{escape(str(facts["task"]))}</a>')
    grid = Grid("Reports", tuple(("", name) for _, name in FACTS), tuple(lines))
    body = [
        "<p>One page for every task that was run; ranks are those of the first data set. Means are of "
        "those with rank 1; where nobody has it, the lowest and the highest of all methods.</p>",
        f'<div class="text">{table(grid, "task", links)}</div>',
    ]
    return frame("dialbench reports", body)


def facts_of(folder: Path) -> dict[str, Any] | None:
    """Returns what the report in a folder says of itself, or None if there is no report."""
    try:
        facts = json.loads((folder / "about.json").read_bytes())
    except (OSError, ValueError):
        return None
    return facts if isinstance(facts, dict) and "task" in facts else None
