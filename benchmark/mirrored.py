"""What is mirrored in Weights & Biases: one run per method, backbone and seed, and one of the report.

Everything comes from the tables that the store collected and from the weights in the store; nothing
here touches Weights & Biases.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import math
import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmark.registry.digest import digest
from benchmark.results import CLEAN, INPUT, Results, as_texts

if TYPE_CHECKING:
    import pandas as pd

    from benchmark.plan import Plan
    from benchmark.report.series import Series
    from benchmark.store import Store
    from benchmark.tasks import Task

SCORING = ("name", "backbone", "points", "crop", "timing", "workers", "checkpoint_every")
"""Fields of a preset that say nothing about training, or stand in a run's config by themselves."""


LOSSES = "losses"
"""Where ``Mirrored.digests`` has the one of losses; no level is called so."""


class Model(NamedTuple):
    """What is known of a trained method.

    Args:
        files: Its weights files by name.
        losses: Steps and training losses, by stage.
        facts: Precision and device that each stage was trained with, and how long it took.
    """

    files: Mapping[str, Path]
    losses: Mapping[str, Sequence[tuple[int, float]]] = {}
    facts: Mapping[str, Any] = {}


Models = Mapping[tuple[str, str, str, int], Model]
"""Those of every (method, backbone, preset, seed)."""
ROWS = ("dataset", "image", "level", "set_level", "metric", "value", "status", "reason")
"""Columns of the table of a run."""


@dataclass(frozen=True)
class Mirrored:
    """What one run is to hold.

    Args:
        kind: What it is the run of: a preset, or ``report``.
        id: Stable id: the same weights, judged on the same task and data sets, are the same run.
        name: Name to show.
        line: Its name among others of the same results.
        config: Facts that do not depend on the level.
        levels: Per level text: the numbers to log, by key.
        pictures: Per level text: path by key, such as ``set5/restored``.
        curve: (distortion, perception, level, line) points; empty without both metrics.
        axes: Labels of distortion and perception.
        summary: Numbers of the whole run.
        tables: Columns and lines of each table, by name.
        files: Files of its artifact by name: the weights of its stages, or the report.
        losses: Steps and training losses, by stage.
    """

    id: str
    name: str
    line: str
    kind: str
    config: dict[str, Any]
    levels: dict[str, dict[str, float]]
    pictures: dict[str, dict[str, str]]
    curve: list[tuple[float, float, str, str]]
    axes: tuple[str, str]
    summary: dict[str, float]
    tables: dict[str, tuple[list[str], list[list[Any]]]] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    losses: dict[str, list[tuple[int, float]]] = field(default_factory=dict)

    def digests(self) -> dict[str, str]:
        """Returns a digest per level, one of the losses, and of the rest under an empty text."""
        rest = [self.config, self.curve, self.axes, self.summary, self.tables, sums(self.files)]
        levels = {
            level: digest(
                [numbers, [Path(one).name for one in self.pictures.get(level, {}).values()]]
            )
            for level, numbers in self.levels.items()
        }
        return {
            **levels,
            LOSSES: digest(json.loads(json.dumps(self.losses))),
            "": digest(json.loads(json.dumps(rest))),
        }


def sums(files: Mapping[str, Path]) -> dict[str, str]:
    """Returns the SHA-256 of files that are there, by name."""
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in sorted(files.items())
        if path.is_file()
    }


def models(plan: Plan, store: Store) -> dict[tuple[str, str, str, int], Model]:
    """Returns the trained methods of a plan, as far as they are stored."""
    from benchmark.planning.keys import preset_text

    found = {}
    for job in plan.sweeps.values():
        files, losses, facts = {}, {}, {}
        for name, key in job.stage_keys.items():
            path, stage = store.weights_path(key), store.read_stage(key)
            if path is None or stage is None:
                continue
            files[f"{name}.safetensors"] = path
            losses[name] = stage.facts.get("losses", [])
            known = ("steps", "seconds", "precision", "device")
            facts[name] = {one: stage.facts[one] for one in known if one in stage.facts}
        key = (job.method, job.backbone, preset_text(job.preset), job.seed)
        found[key] = Model(files, losses, facts)
    return found


def training(plan: Plan) -> dict[str, Any]:
    """Returns what all methods of a plan were trained on, and the budget they had.

    Nothing is said of what was trained elsewhere: entries of leaderboards, networks of others.
    """
    if not plan.trains and any(job.stage_keys for job in plan.sweeps.values()):
        return {}
    fields = dataclasses.asdict(plan.request.preset)
    budget = {name: value for name, value in fields.items() if name not in SCORING}
    sets = {one.name: one.digest for one in plan.training} if plan.trains else {}
    return {"sets": [*sets], "digests": [*sets.values()], **budget}


def runs(
    results: Results,
    task: Task,
    trained: Models,
    report: Path,
    training: Mapping[str, Any] | None = None,
) -> list[Mirrored]:
    """Returns what is to be mirrored.

    Args:
        results: What the store collected.
        task: The task; it names the group.
        trained: Its methods.
        report: The folder of its report, which may not be there.
        training: What ``training`` returns.
    """
    from benchmark.analysis.scores import in_order
    from benchmark.report.averages import KEYS, costs, means, metric_ids
    from benchmark.report.curves import pair, scored_metrics
    from benchmark.report.series import Series, labels, ordered

    every = ordered(
        Series(*map(str, key))
        for key in zip(*(as_texts(results.rows[name]) for name in KEYS[:3]), strict=True)
    )
    names = labels(every)
    short = short_names(metric_ids(results, task))
    sets = set_keys([*results.rows["dataset"].unique(), *results.pictures["dataset"].unique()])
    across, up = pair(scored_metrics(means(results), task)) or ("", "")
    axes = (short.get(across, ""), short.get(up, ""))
    spent = {Series(*line[:3]): line for line in costs(results).itertuples(index=False)}
    found = []
    for one in every:
        mine = results.rows[
            (results.rows["method"] == one.method)
            & (as_texts(results.rows["backbone"]) == one.backbone)
            & (as_texts(results.rows["preset"]) == one.preset)
        ]
        for seed in sorted(mine["seed"].unique().tolist()):
            own = Results(mine[mine["seed"] == seed], results.costs, results.pictures)
            long = means(own)
            finite = long["mean"].map(math.isfinite)
            levels: dict[str, dict[str, float]] = {}
            # One without any number still is a level: another is not the first instead of it.
            for level in in_order(long["level"]):
                part = long[finite & (long["level"] == level)]
                levels[level] = {
                    f"{sets[dataset]}/{short[metric]}": float(mean)
                    for dataset, metric, mean in zip(
                        part["dataset"], part["metric"], part["mean"], strict=True
                    )
                }
            config = _config(own, task, one, seed)
            cost = spent.get(one)
            model = trained.get((*one, int(seed)), Model({}))
            if model.files:
                config["training"] = {**(training or {}), "stages": dict(model.facts)}
            judged = [config["weights_sha256"], config["dataset"]]
            found.append(
                Mirrored(
                    id=digest([task.name, task.version, *one, seed, *judged])[:16],
                    name=" · ".join(filter(None, (task.name, *one, f"seed {seed}"))),
                    line=f"{names[one]} · seed {seed}",
                    kind=one.preset,
                    config=config,
                    levels=levels,
                    pictures=_pictures(results, one, seed, sets),
                    curve=_curve(levels, axes),
                    axes=axes,
                    summary=_summary(levels, cost._asdict() if cost is not None else {}, task),
                    tables={"rows": _lines(own.rows[list(ROWS)])},
                    files=dict(model.files),
                    losses={name: [*map(tuple, one)] for name, one in model.losses.items()},
                )
            )
    return [*found, _report(results, task, found, axes, report, training or {})] if found else []


def _report(
    results: Results,
    task: Task,
    found: list[Mirrored],
    axes: tuple[str, str],
    folder: Path,
    training: Mapping[str, Any],
) -> Mirrored:
    """Returns the run that holds what compares the methods: the table, one chart, the report.

    Its id does not depend on who is compared, so that a method more does not make another report.
    """
    from benchmark.report.averages import table

    several = len({dataset for one in found for *_, dataset in one.curve}) > 1
    curve = [
        (across, up, level, f"{one.line} · {dataset}" if several else one.line)
        for one in found
        for across, up, level, dataset in one.curve
    ]
    config = {"task": task.name, "version": task.version, "kind": task.kind, "method": "report"}
    presets = sorted({one.kind for one in found})
    sets = sorted({name for one in found for name in one.config["dataset"]})
    config |= {"preset": ", ".join(presets), "dataset": sets, "training": dict(training)}
    config["compares"] = [one.name for one in found]
    files = sorted(path for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []
    name = " · ".join(filter(None, (task.name, "report", *presets)))
    return Mirrored(
        id=digest([task.name, task.version, "report", presets, sets, dict(training)])[:16],
        name=name,
        line=name,
        kind="report",
        config={**config, "runs": [one.id for one in found]},
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


def short_names(metrics: Sequence[str]) -> dict[str, str]:
    """Returns a key per metric id; a release is in it only where it tells two of them apart."""
    short = [metric.partition("@")[0] for metric in metrics]
    return {
        metric: _plain(metric if short.count(name) > 1 else name)
        for metric, name in zip(metrics, short, strict=True)
    }


def set_keys(names: Iterable[str]) -> dict[str, str]:
    """Returns a key per data set, numbered where names differ only in what no key can hold."""
    found: dict[str, str] = {}
    # Those that are keys as they are come first, so that they stay what they are.
    for name in sorted(set(names), key=lambda name: (_plain(name) != name, name)):
        key = _plain(name) or "set"
        numbered = (f"{key}-{at}" for at in itertools.count(2))
        taken = found.values()
        found[name] = next(one for one in itertools.chain([key], numbered) if one not in taken)
    return found


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
        sorted(zip(null["metric"].astype(str), as_texts(null["reason"]), strict=True))
    )
    return facts


def _pictures(
    results: Results, one: Series, seed: Any, sets: Mapping[str, str]
) -> dict[str, dict[str, str]]:
    """Returns paths by level and key: the restored picture, its input and the clean image."""
    pictures = results.pictures
    own = (
        (pictures["method"] == one.method)
        & (as_texts(pictures["backbone"]) == one.backbone)
        & (as_texts(pictures["preset"]) == one.preset)
        & (pictures["seed"] == seed)
    )
    found: dict[str, dict[str, str]] = {}
    for line in pictures[own].sort_values(["dataset", "image", "level"]).itertuples():
        same = pictures[(pictures["dataset"] == line.dataset) & (pictures["image"] == line.image)]
        given = same[(same["method"] == INPUT) & (same["level"] == line.level)]
        clean = same[same["method"] == CLEAN]
        here = found.setdefault(str(line.level), {})
        key = sets[line.dataset]
        here.setdefault(f"{key}/restored", str(line.path))
        for name, paths in (("input", given["path"]), ("clean", clean["path"])):
            for path in paths:
                here.setdefault(f"{key}/{name}", str(path))
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


def _summary(
    levels: dict[str, dict[str, float]], cost: dict[str, Any], task: Task
) -> dict[str, float]:
    """Returns the costs, and every number at the first and the last level and on average.

    The average is that of reports: over all levels but those that leave images as they are, and
    there is none where a level has no number.
    """
    from benchmark.control import level_text
    from benchmark.report.averages import COSTS

    numbers = {
        name: float(cost[name]) for name in COSTS if name in cost and math.isfinite(cost[name])
    }
    ends = list(levels)
    for name, level in (("start", ends[:1]), ("end", ends[-1:])):
        for one in level:
            numbers |= {f"{name}/{key}": value for key, value in levels[one].items()}
    harmless = {level_text(level) for level in task.harmless}
    counted = [values for level, values in levels.items() if level not in harmless]
    everywhere = set.intersection(*map(set, counted)) if counted else set()
    for key in sorted(everywhere):
        numbers[f"mean/{key}"] = statistics.fmean(values[key] for values in counted)
    return numbers
