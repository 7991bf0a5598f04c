"""What is mirrored in Weights & Biases: one run per method, backbone and seed, and one of the report.

Everything comes from the tables that the store collected and from the weights in the store; nothing
here touches Weights & Biases.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.planning.digest import digest
from benchmark.report.results import CLEAN, INPUT, Results

if TYPE_CHECKING:
    import pandas as pd

    from benchmark.plan import Plan
    from benchmark.report.series import Series
    from benchmark.store import Store
    from benchmark.tasks import Task

Models = Mapping[tuple[str, str, str, int], Mapping[str, Path]]
"""Weights files by stage, of every (method, backbone, preset, seed)."""
ROWS = ("dataset", "image", "level", "set_level", "metric", "value", "status", "reason")
"""Columns of the table of a run."""


@dataclass(frozen=True)
class Mirrored:
    """What one run is to hold.

    Args:
        kind: What it is the run of: a preset, or ``report``.
        id: Stable id: the same task, method, backbone, preset and seed give the same run.
        name: Name to show.
        config: Facts that do not depend on the level.
        levels: Per level text: the numbers to log, by key.
        pictures: Per level text: path by key, such as ``set5/restored``.
        curve: (distortion, perception, level, line) points; empty without both metrics.
        axes: Labels of distortion and perception.
        summary: Numbers of the whole run.
        tables: Columns and lines of each table, by name.
        files: Files of its artifact by name: the weights of its stages, or the report.
    """

    id: str
    name: str
    kind: str
    config: dict[str, Any]
    levels: dict[str, dict[str, float]]
    pictures: dict[str, dict[str, str]]
    curve: list[tuple[float, float, str, str]]
    axes: tuple[str, str]
    summary: dict[str, float]
    tables: dict[str, tuple[list[str], list[list[Any]]]] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)

    def digests(self) -> dict[str, str]:
        """Returns a digest per level, and of the rest under an empty text."""
        rest = [self.config, self.curve, self.axes, self.summary, self.tables, sums(self.files)]
        levels = {
            level: digest(
                [numbers, [Path(one).name for one in self.pictures.get(level, {}).values()]]
            )
            for level, numbers in self.levels.items()
        }
        return {**levels, "": digest(json.loads(json.dumps(rest)))}


def sums(files: Mapping[str, Path]) -> dict[str, str]:
    """Returns the SHA-256 of files that are there, by name."""
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in sorted(files.items())
        if path.is_file()
    }


def models(plan: Plan, store: Store) -> dict[tuple[str, str, str, int], dict[str, Path]]:
    """Returns the weights of every method of a plan, as far as they are stored."""
    from benchmark.planning.keys import preset_text

    return {
        (job.method, job.backbone, preset_text(job.preset), job.seed): {
            f"{stage}.safetensors": path
            for stage, key in job.stage_keys.items()
            if (path := store.weights_path(key))
        }
        for job in plan.sweeps.values()
    }


def runs(results: Results, task: Task, weights: Models, report: Path) -> list[Mirrored]:
    """Returns what is to be mirrored.

    Args:
        results: What the store collected.
        task: The task; it names the group.
        weights: Weights files of its methods.
        report: The folder of its report, which may not be there.
    """
    from benchmark.control import level_key
    from benchmark.report.averages import KEYS, costs, means, metric_ids
    from benchmark.report.curves import file_names, pair, scored_metrics
    from benchmark.report.series import Series, labels, ordered

    every = ordered(
        Series(*map(str, key))
        for key in zip(*(results.rows[name].fillna("") for name in KEYS[:3]), strict=True)
    )
    names = labels(every)
    stems = file_names(metric_ids(results, task))
    short = {metric: _plain(stem.removeprefix("levels_")) for metric, stem in stems.items()}
    across, up = pair(scored_metrics(means(results), task)) or ("", "")
    axes = (short.get(across, ""), short.get(up, ""))
    spent = {Series(*line[:3]): line for line in costs(results).itertuples(index=False)}
    found = []
    for one in every:
        mine = results.rows[
            (results.rows["method"] == one.method)
            & (results.rows["backbone"].fillna("") == one.backbone)
            & (results.rows["preset"].fillna("") == one.preset)
        ]
        for seed in sorted(mine["seed"].unique().tolist()):
            own = Results(mine[mine["seed"] == seed], results.costs, results.pictures)
            long = means(own)
            long = long[long["mean"].map(math.isfinite)]
            levels: dict[str, dict[str, float]] = {}
            for level in sorted(long["level"].unique(), key=level_key):
                part = long[long["level"] == level]
                levels[level] = {
                    f"{_plain(dataset)}/{short[metric]}": float(mean)
                    for dataset, metric, mean in zip(
                        part["dataset"], part["metric"], part["mean"], strict=True
                    )
                }
            config = _config(own, task, one, seed)
            cost = spent.get(one)
            found.append(
                Mirrored(
                    id=digest([task.name, task.version, *one, seed])[:16],
                    name=f"{names[one]} · seed {seed}",
                    kind=one.preset,
                    config=config,
                    levels=levels,
                    pictures=_pictures(results, one, seed),
                    curve=_curve(levels, axes),
                    axes=axes,
                    summary=_summary(levels, cost._asdict() if cost is not None else {}),
                    tables={"rows": _lines(own.rows[list(ROWS)])},
                    files=dict(weights.get((*one, int(seed)), {})),
                )
            )
    return [*found, _report(results, task, found, axes, report)] if found else []


def _report(
    results: Results, task: Task, found: list[Mirrored], axes: tuple[str, str], folder: Path
) -> Mirrored:
    """Returns the run that holds what compares the methods: the table, one chart, the report."""
    from benchmark.report.averages import table

    several = len({dataset for one in found for *_, dataset in one.curve}) > 1
    curve = [
        (across, up, level, f"{one.name} · {dataset}" if several else one.name)
        for one in found
        for across, up, level, dataset in one.curve
    ]
    config = {"task": task.name, "version": task.version, "kind": task.kind, "method": "report"}
    files = sorted(path for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []
    return Mirrored(
        id=digest([task.name, task.version, "report"])[:16],
        name=f"{task.name} · report",
        kind="report",
        config={**config, "preset": "report", "runs": [one.id for one in found]},
        levels={},
        pictures={},
        curve=curve,
        axes=axes,
        summary={},
        tables={"table": _lines(table(results, task))},
        files={path.name: path for path in files},
    )


def _lines(table: pd.DataFrame) -> tuple[list[str], list[list[Any]]]:
    """Returns the columns and lines of a table as plain values; what is missing is None."""
    columns = [str(name) for name in table.columns]
    lines = [[_value(one) for one in line] for line in table.itertuples(index=False)]
    return columns, lines


def _value(one: Any) -> Any:
    if hasattr(one, "item"):
        one = one.item()
    return None if isinstance(one, float) and not math.isfinite(one) else one


def _plain(name: str) -> str:
    """Returns a key that charts can address; a dot would mean a part of something."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", str(name)).strip("-")


def _config(own: Results, task: Task, one: Series, seed: Any) -> dict[str, Any]:
    facts = {"task": task.name, "version": task.version, "kind": task.kind, "seed": int(seed)}
    facts |= {"method": one.method, "backbone": one.backbone, "preset": one.preset}
    facts["metrics"] = sorted(own.rows["metric"].dropna().astype(str).unique().tolist())
    facts["axes"] = [f"{axis.name}: {axis.start:g} to {axis.end:g}" for axis in task.space.axes]
    for column in ("protocol", "dataset", "method_digest", "task_digest", "weights_sha256"):
        facts[column] = sorted(own.rows[column].dropna().astype(str).unique().tolist())
    for column in ("harness_version", "torch", "device"):
        facts[column] = ", ".join(sorted(own.rows[column].dropna().astype(str).unique()))
    null = own.rows[own.rows["status"] != "ok"]
    facts["unavailable"] = dict(
        sorted(zip(null["metric"].astype(str), null["reason"].fillna("").astype(str), strict=True))
    )
    return facts


def _pictures(results: Results, one: Series, seed: Any) -> dict[str, dict[str, str]]:
    """Returns paths by level and key: the restored picture, its input and the clean image."""
    pictures = results.pictures
    own = (
        (pictures["method"] == one.method)
        & (pictures["backbone"].fillna("") == one.backbone)
        & (pictures["seed"] == seed)
    )
    found: dict[str, dict[str, str]] = {}
    for line in pictures[own].sort_values(["dataset", "image", "level"]).itertuples():
        same = pictures[(pictures["dataset"] == line.dataset) & (pictures["image"] == line.image)]
        given = same[(same["method"] == INPUT) & (same["level"] == line.level)]
        clean = same[same["method"] == CLEAN]
        here = found.setdefault(str(line.level), {})
        here.setdefault(f"{_plain(line.dataset)}/restored", str(line.path))
        for name, paths in (("input", given["path"]), ("clean", clean["path"])):
            for path in paths:
                here.setdefault(f"{_plain(line.dataset)}/{name}", str(path))
    return found


def _curve(
    levels: dict[str, dict[str, float]], axes: tuple[str, str]
) -> list[tuple[float, float, str, str]]:
    sets = sorted({key.partition("/")[0] for numbers in levels.values() for key in numbers})
    return [
        (numbers[f"{dataset}/{axes[0]}"], numbers[f"{dataset}/{axes[1]}"], level, dataset)
        for dataset in sets
        for level, numbers in levels.items()
        if f"{dataset}/{axes[0]}" in numbers and f"{dataset}/{axes[1]}" in numbers
    ]


def _summary(levels: dict[str, dict[str, float]], cost: dict[str, Any]) -> dict[str, float]:
    """Returns the costs, and every number at the first and the last level."""
    from benchmark.report.averages import COSTS

    numbers = {
        name: float(cost[name]) for name in COSTS if name in cost and math.isfinite(cost[name])
    }
    ends = list(levels)
    for name, level in (("start", ends[:1]), ("end", ends[-1:])):
        for one in level:
            numbers |= {f"{name}/{key}": value for key, value in levels[one].items()}
    return numbers
