"""What the readable tables say, before it is written as Markdown, LaTeX or HTML."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmark.amount import amount
from benchmark.analysis.scores import in_order, pictures
from benchmark.control import level_text, parse_level
from benchmark.errors import Failure
from benchmark.metrics.records import METRICS
from benchmark.report import words
from benchmark.report.averages import KEYS, costs, means
from benchmark.report.derived import Derived, derive
from benchmark.report.dials import dial_grids, remarks
from benchmark.report.grids import Cell, Grid, Line, Notes, without_empty
from benchmark.report.series import Series, labels, ordered
from benchmark.results import Results

if TYPE_CHECKING:
    import pandas as pd

    from benchmark.tasks import Task

SPENT = (
    "parameters as stored and as folded at one level; MACs of a 256x256 input; ms/image is the "
    "median over the test images, whatever their size, and like switch, ms (setting another level) "
    "was taken on the run's machine while as many jobs as the run had shared it, so compare times "
    "within one run with --jobs 1 only"
)
NOT_TIMED = "ms per image: run times were not measured; presets other than smoke measure them."
NOT_SWITCHED = (
    "switch, ms: measured where run times are and one network takes several levels; not for floor, "
    "experts and level maps."
)
NO_CELL = "There is no result at this level; run again to fill it, or see the failures."
NO_EXPERT = "experts: no network was trained for this level; each answers at its own level only."
PAIRS = "images are degraded as they are, at a level that nobody knows; levels are where the dial stands"

PAIRED = (
    "methods in pairs, by values averaged over seeds: p-values (Wilcoxon) and intervals are over images "
    "and hold no variation over seeds. p_value is of one pair alone, p_holm is corrected for all pairs "
    "of a data set; seeds_agree is the share of seeds that order the two as their mean does"
)


@dataclass(frozen=True)
class Document:
    """Everything the readable tables say; ``remarks`` explain the tables of ``dials``."""

    title: str
    facts: tuple[tuple[str, str], ...]
    summaries: tuple[Grid, ...]
    dials: tuple[Grid, ...]
    remarks: tuple[str, ...]
    details: tuple[Grid, ...]
    notes: tuple[str, ...]
    failures: tuple[str, ...]

    @property
    def baselines(self) -> tuple[str, ...]:
        """The names of those that stand among the methods."""
        lines = [line for grid in self.summaries for line in grid.lines]
        return tuple(dict.fromkeys(line.label for line in lines if line.baseline))

    @property
    def competes(self) -> bool:
        """Whether some method is better than another, and printed bold."""
        lines = [line for grid in self.summaries for line in grid.lines]
        return any(cell.best for line in lines for cell in line.cells)


@dataclass(frozen=True)
class Scores:
    """The means of one data set, ready to look up."""

    task: Task
    series: tuple[Series, ...]
    levels: tuple[str, ...]
    found: dict[tuple[Series, str, str], tuple[float, float, str]]
    failed: dict[Series, str]

    def best(self, metric: str, level: str) -> str:
        """Returns the best method's value as printed, or an empty text with fewer than two."""
        values = [
            self.found[one, level, metric][0]
            for one in self.series
            if not one.baseline and (one, level, metric) in self.found
        ]
        values = [value for value in values if not math.isnan(value)]
        if len(values) < 2:
            return ""
        chosen = max(values) if METRICS[metric].higher_is_better else min(values)
        return words.number(chosen, METRICS[metric].digits)

    def cell(self, one: Series, metric: str, level: str, notes: Notes) -> Cell:
        """Returns one score; a null carries the note that says why."""
        if one in self.failed:
            return Cell(words.NULL, note=notes.number(self.failed[one]))
        if (one, level, metric) not in self.found:
            return Cell(words.NULL, note=notes.number(self._absent(one, metric)))
        mean, std, reason = self.found[one, level, metric]
        if math.isnan(mean):
            label = METRICS[metric].label
            return Cell(words.NULL, note=notes.number(f"{label}: {reason}"))
        best = self.best(metric, level) if not one.baseline else ""
        printed = words.number(mean, METRICS[metric].digits)
        return Cell(words.mean_and_deviation(metric, mean, std), best=printed == best)

    def _absent(self, one: Series, metric: str) -> str:
        if not any(key[2] == metric for key in self.found):
            return f"{METRICS[metric].label}: it was not scored; run again to fill it."
        return NO_EXPERT if one.family == "experts" else NO_CELL


def document(
    results: Results,
    task: Task,
    preset: str,
    derived: Derived | None = None,
    trained_on: str = "",
) -> Document:
    """Returns the summary per data set, the full tables and every note that belongs to them.

    Args:
        results: The results of one task.
        task: The task.
        preset: The budget, as text.
        derived: Output of ``derive`` if it is at hand.
        trained_on: The training sets, as text, where networks were trained.
    """
    derived = derived or derive(results, task)
    long, cost = means(results), costs(results)
    notes = Notes()
    summaries, details = [], []
    titles = {}
    for dataset in sorted(long["dataset"].unique()):
        scores = _scores(long[long["dataset"] == dataset], results, task, preset)
        title = f"{dataset} ({_size(results.rows, task, dataset)})"
        titles[dataset] = title
        ranks = {key[0]: placed for key, placed in derived.ranks.items() if key[1] == dataset}
        summaries.append(_summary(scores, title, cost, ranks, notes))
        details += _details(scores, title, notes)
    dials = dial_grids(derived.dials, titles, task.headline, notes)
    return Document(
        title=f"{task.name} v{task.version}: {task.summary}",
        facts=tuple(_facts(results, task, preset, long, trained_on, derived)),
        summaries=tuple(summaries),
        dials=tuple(dials),
        remarks=tuple(remarks(derived.dials, task.headline, dials)),
        details=tuple(details),
        notes=tuple(notes.texts),
        failures=tuple(_failed(failure) for failure in _in_order(results.failures)),
    )


def _size(rows: pd.DataFrame, task: Task, dataset: str) -> str:
    """Returns how many images a data set has, and how many cases where each is scored under several."""
    names = sorted(set(rows.loc[rows["dataset"] == dataset, "image"].map(str)))
    images = amount(len(pictures(names, task)), "image")
    return f"{images}, {amount(len(names), 'case')}" if task.unseen else images


def _in_order(failures: Sequence[Failure]) -> list[Failure]:
    places = ordered(Series(one.method, one.backbone, "") for one in failures)
    return sorted(
        failures,
        key=lambda one: (
            places.index(Series(one.method, one.backbone, "")),
            -1 if one.seed is None else one.seed,
            one.reason,
        ),
    )


def _failed(failure: Failure) -> str:
    seed = "" if failure.seed is None else f", seed {failure.seed}"
    where = f"{failure.backbone}{seed}".removeprefix(", ")
    return f"{failure.method}{f' ({where})' if where else ''}: {failure.reason}"


def _scores(long: pd.DataFrame, results: Results, task: Task, preset: str) -> Scores:
    columns = [*KEYS[:3], "level", "metric", "mean", "std", "reason"]
    found = {
        (Series(*line[:3]), line[3], line[4]): line[5:]
        for line in long[columns].itertuples(index=False, name=None)
    }
    present = {key[0] for key in found}
    failed: dict[Series, str] = {}
    for failure in _in_order(results.failures):
        one = Series(failure.method, failure.backbone, preset)
        if one not in present:
            word = "" if failure.reason.startswith("skipped:") else "Failed: "
            failed.setdefault(one, f"{word}{_failed(failure)}")
    levels = in_order(long["level"])
    return Scores(task, tuple(ordered([*present, *failed])), tuple(levels), found, failed)


def _summary(
    scores: Scores,
    title: str,
    cost: pd.DataFrame,
    ranks: dict[Series, tuple[int | None, str]],
    notes: Notes,
) -> Grid:
    task, levels = scores.task, scores.levels
    ends = list(dict.fromkeys((levels[0], levels[-1])))
    three = list(dict.fromkeys((levels[0], levels[len(levels) // 2], levels[-1])))
    columns: list[tuple[str, str]] = []
    cells: list[Callable[[Series], Cell]] = []
    if len(ranks) > 1:
        # Beside the names: what follows is often wider than a window.
        columns.append((RANK, words.merit(task)))
        cells.append(lambda one: _rank(ranks.get(one), notes))
    metrics = [task.headline, *(metric for metric in task.metrics if metric != task.headline)]
    for metric in metrics:
        heading = f"{words.metric_name(metric)} {words.arrow(metric)}"
        for level in three if metric == task.headline else ends:
            columns.append((heading, words.level_name(task, level)))
            cells.append(lambda one, m=metric, at=level: scores.cell(one, m, at, notes))
    spent = {Series(line.method, line.backbone, line.preset): line for line in cost.itertuples()}
    for name, key, scale, digits, untold in COST_COLUMNS:
        columns.append(("cost", name))
        cells.append(
            lambda one, k=key, by=scale, n=digits, why=untold: _cost(
                getattr(spent.get(one), k, None), by, n, why, notes
            )
        )
    columns.append(("cost", "folds"))
    cells.append(
        lambda one: Cell(words.yes_or_no(getattr(spent.get(one), "folds", None)) or words.NULL)
    )
    # Empty, the rank still says why there is none.
    return without_empty(Grid(title, tuple(columns), _lines(scores, cells)), (RANK,))


RANK = "rank"
COST_COLUMNS = (
    ("stored, M", "params_stored", 1e-6, 3, ""),
    ("folded, M", "params_folded", 1e-6, 3, ""),
    ("GMACs", "macs", 1e-9, 2, ""),
    ("ms/image", "ms_per_image", 1.0, 1, NOT_TIMED),
    ("switch, ms", "switch_ms", 1.0, 2, NOT_SWITCHED),
    ("steps", "train_steps", 1.0, 0, ""),
)
"""Heading, column of the costs, factor, decimals, and the note of a null."""


def _rank(placed: tuple[int | None, str] | None, notes: Notes) -> Cell:
    """Returns the rank of a method; baselines have none."""
    if placed is None:
        return Cell("")
    rank, reason = placed
    return Cell(str(rank)) if rank else Cell(words.NULL, note=notes.number(f"Rank: {reason}."))


def _cost(value: float | None, scale: float, digits: int, untold: str, notes: Notes) -> Cell:
    if value is None:
        return Cell(words.NULL)
    text = "0" if value == 0 else words.number(float(value) * scale, digits)
    return Cell(text, note=notes.number(untold) if untold and text == words.NULL else 0)


def _details(scores: Scores, title: str, notes: Notes) -> list[Grid]:
    grids = []
    for metric in scores.task.metrics:
        scored = [v[0] for key, v in scores.found.items() if key[2] == metric]
        if all(math.isnan(value) for value in scored):
            continue
        columns = [("", words.level_name(scores.task, level)) for level in scores.levels]
        cells = [
            lambda one, m=metric, at=level: scores.cell(one, m, at, notes)
            for level in scores.levels
        ]
        heading = f"{words.metric_name(metric)}, {words.better(metric)}, on {title}"
        grids.append(Grid(heading, tuple(columns), _lines(scores, cells)))
    return grids


def _lines(scores: Scores, cells: list[Callable[[Series], Cell]]) -> tuple[Line, ...]:
    names = labels(scores.series)
    return tuple(
        Line(names[one], tuple(cell(one) for cell in cells), one.baseline) for one in scores.series
    )


def _facts(
    results: Results,
    task: Task,
    preset: str,
    long: pd.DataFrame,
    trained_on: str,
    derived: Derived,
) -> list[tuple[str, str]]:
    rows = results.rows

    def distinct(column: str) -> str:
        return ", ".join(sorted({str(value) for value in rows[column].dropna() if str(value)}))

    sets = sorted(long["dataset"].unique())
    levels = in_order(long["level"])
    shown = [
        f"{level} ({words.physical(task, level)})" if words.has_physical(task) else level
        for level in levels
    ]
    name = words.axis_name(task)
    facts = [
        ("protocol", distinct("protocol") or task.protocol.id),
        (
            "data sets",
            ", ".join(f"{name} ({_size(rows, task, name)})" for name in sets),
        ),
        ("levels", f"{', '.join(shown)}; 0 is the start and 1 the end of {name}"),
        ("beyond training", _beyond(task, levels)),
        ("trained on", trained_on),
        ("dial", PAIRS if task.protocol.pairs else ""),
        ("reference", _reference(task)),
        ("cases", _cases(task)),
        ("preset", preset),
        ("backbone", distinct("backbone")),
        ("seeds", distinct("seed")),
        (
            "averages",
            f"over the images of a seed, then over seeds; ± is the deviation over seeds{_uneven(long)}",
        ),
        (
            "rank",
            f"1 + the number of methods that are better in {words.merit_rule(task)}: their paired "
            "difference has a 95 % bootstrap interval over images that excludes 0. Methods that "
            "cannot be told apart share a rank, unless a third is better than one of them alone"
            f"{_few(derived.stats)}",
        ),
        ("pairs.csv", PAIRED if len(derived.pairs) else ""),
        ("cost", SPENT),
        ("dialbench", distinct("harness_version")),
        ("torch", f"{distinct('torch')} on {distinct('device')}"),
    ]
    return [(key, value) for key, value in facts if value.strip()]


def _beyond(task: Task, levels: Sequence[str]) -> str:
    """Returns which levels training does not reach, and what methods answer there; or nothing."""
    there = [one for one in levels if not task.space.between(parse_level(one))]
    names = ", ".join(words.level_name(task, one) for one in there)
    first, last = (
        words.level_name(task, level_text(one)) for one in (task.space.first, task.space.last)
    )
    said = f"what is trained here goes from {first} to {last}, and beyond stays as it is at the nearer end"
    return f"{names}: {said}" if there else ""


def _uneven(long: pd.DataFrame) -> str:
    """Returns whose means are over fewer seeds than those of others of the same level and metric."""
    most = long.groupby(["dataset", "level", "metric"])["seeds"].transform("max")
    short = long.assign(most=most)[long["seeds"] < most].sort_values("seeds", kind="stable")
    short = short.drop_duplicates(KEYS[:3])
    found = {
        Series(*key): f"{seeds} of {of}"
        for *key, seeds, of in short[[*KEYS[:3], "seeds", "most"]].itertuples(index=False)
    }
    names = labels(ordered({Series(*key) for key in long[KEYS[:3]].itertuples(index=False)}))
    few = [f"{name} ({found[one]})" for one, name in names.items() if one in found]
    return f". Over fewer seeds, somewhere or throughout: {', '.join(few)}" if few else ""


def _few(stats: pd.DataFrame) -> str:
    """Returns a caution where sets have too few images for what is said about them."""
    sizes = stats.groupby("dataset")["images"].max()
    said = words.few_images({f" of {name}": count for name, count in sizes.items()})
    return f". {said}" if said else ""


def _reference(task: Task) -> str:
    """Returns what scores compare with, where it is not just the clean image."""
    if task.operator:
        several = any(axis.names for axis in task.space.axes)
        operator = "the level's operator" if several else f"the operator {task.operator}"
        return f"what {operator} makes of the clean image at the level"
    if task.target != "clean":
        target = task.target.replace("_", " ")
        return f"the clean image; metrics of the target compare with '{target}' at the level"
    return ""


def _cases(task: Task) -> str:
    """Returns the conditions every image is scored under, if there are any."""
    names = " and ".join(words.with_unit(axis.name, axis.unit) for axis in task.unseen)
    values = ", ".join(
        "/".join(axis.text(value) for axis, value in zip(task.unseen, case, strict=True))
        for case in task.cases
    )
    return f"every image at {names} {values}, which no dial sets" if names else ""
