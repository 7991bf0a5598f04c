"""Tables, curves and pages from collected results. Reads results only; imports no torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from benchmark.results import Results
    from benchmark.tasks import Task

__all__ = ["index", "table", "write"]


def table(results: Results, task: Task) -> pd.DataFrame:
    """Returns one line per method, data set and level; see ``benchmark.report.averages``."""
    from benchmark.report.averages import table as averaged

    return averaged(results, task)


def write(results: Results, task: Task, preset: str, out: Path, trained_on: str = "") -> None:
    """Writes the report into a folder; the same results give the same bytes.

    Files: ``rows.csv``, ``table.{csv,md,tex}``, ``dial.csv`` (figures of dial quality), ``stats.csv``
    (intervals), ``pairs.csv`` (paired comparisons), ``pd_curve.{svg,png}``,
    ``levels_<metric>.{svg,png}``, ``matrix.{svg,png}`` where dials were set wrong, ``strip.png``,
    ``map.png`` where a level was set for every pixel,
    ``about.json`` (the line of the report in the index of all reports) and ``index.html``. Each is
    replaced in one step; figures of what has no values any more are
    removed.

    Args:
        results: The results of one task.
        task: The task.
        preset: The budget, as text.
        out: The folder.
        trained_on: The training sets, as text, where networks were trained.

    Raises:
        JobError: If a file cannot be written.
    """
    from benchmark import records
    from benchmark.report.averages import costs, means
    from benchmark.report.curves import curves, titles
    from benchmark.report.derived import derive
    from benchmark.report.gallery import gallery
    from benchmark.report.heat import heat
    from benchmark.report.heat import title as heat_title
    from benchmark.report.home import about, pair
    from benchmark.report.latex import latex
    from benchmark.report.maps import maps
    from benchmark.report.markdown import markdown
    from benchmark.report.matrices import matrices
    from benchmark.report.page import page
    from benchmark.report.plots import cost_data, plots, rules, series_of
    from benchmark.report.strip import strip
    from benchmark.report.summary import document

    derived = derive(results, task)
    content = document(results, task, preset, derived, trained_on)
    long = means(results)
    figures = {**curves(long, task), **heat(derived.found, task)}
    every = series_of(long)
    data = {
        **plots(long, task, derived.found),
        "costs": cost_data(costs(results), every),
        "pair": pair(every, derived),
        "gallery": gallery(results, task, long, every),
    }
    shown = {**titles(long, task), "matrix": heat_title(task)}
    drawings = {
        name: (shown[name.removesuffix(".svg")], blob)
        for name, blob in figures.items()
        if name.endswith(".svg")
    }
    order = [
        "dataset",
        "method",
        "backbone",
        "preset",
        "seed",
        "level",
        "set_level",
        "metric",
        "image",
    ]
    rows = results.rows.sort_values(order, kind="stable")
    files = {
        # First, so that the folder is known for a report's if the others cannot be written.
        "about.json": about(task, preset, long, derived),
        "rows.csv": _csv(rows),
        "table.csv": _csv(table(results, task)),
        "dial.csv": _csv(derived.dials),
        "stats.csv": _csv(derived.stats),
        "pairs.csv": _csv(derived.pairs),
        "table.md": markdown(content).encode(),
        "table.tex": latex(content).encode(),
        **figures,
        "strip.png": strip(results, task),
        **maps(results, task),
    }
    names = sorted(name for name in files if name != "about.json")
    html = page(content, drawings, data, rules(long), matrices(derived.found, task), names)
    files["index.html"] = html.encode()
    for name, blob in files.items():
        records.write(out / name, blob)
    for path in (*out.glob("levels_*"), *out.glob("matrix.*")):
        if path.suffix in (".svg", ".png") and path.name not in files:
            path.unlink(missing_ok=True)


def index(home: Path) -> Path:
    """Writes the page that leads to all reports in a folder, and returns it.

    Raises:
        JobError: If it cannot be written.
    """
    from benchmark import records
    from benchmark.report.home import home as page

    path = home / "index.html"
    records.write(path, page(home).encode())
    return path


def _csv(lines: pd.DataFrame) -> bytes:
    return lines.to_csv(index=False, lineterminator="\n").encode()
