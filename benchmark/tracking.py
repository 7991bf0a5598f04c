"""A mirror of results in Weights & Biases: one run per method, backbone and seed.

Online where the user is logged in, offline else (``wandb sync`` uploads it later); ``WANDB_MODE``
and ``WANDB_PROJECT`` are honoured and nothing ever asks for a login. Results are only read, so the
mirror can be made, left out or made again at any time. Run ids are stable, and a ledger beside the
mirror remembers what each run holds: what is there already is not logged twice.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark import store
from benchmark.digest import digest
from benchmark.report.results import CLEAN, INPUT, Results

if TYPE_CHECKING:
    from benchmark.report.series import Series
    from benchmark.tasks import Task

PROJECT = "dialbench"
LEDGER = "mirrored.json"
START_SECONDS = 30
FINISH_SECONDS = 300
"""How long an unreachable server may hold a run up; what it did not get stays on the disk."""


@dataclass(frozen=True)
class Mirrored:
    """What one run is to hold.

    Args:
        id: Stable id: the same task, method, backbone, preset and seed give the same run.
        name: Name to show.
        config: Facts that do not depend on the level.
        levels: Per level text: the numbers to log, by key.
        pictures: Per level text: path by key, such as ``set5/restored``.
        curve: (distortion, perception, level, data set) points; empty without both metrics.
        axes: Labels of distortion and perception.
        summary: Numbers of the whole run.
    """

    id: str
    name: str
    config: dict[str, Any]
    levels: dict[str, dict[str, float]]
    pictures: dict[str, dict[str, str]]
    curve: list[tuple[float, float, str, str]]
    axes: tuple[str, str]
    summary: dict[str, float]

    def digests(self) -> dict[str, str]:
        """Returns a digest per level, and of the rest under an empty text."""
        rest = [self.config, self.curve, self.axes, self.summary]
        levels = {
            level: digest(
                [numbers, [Path(one).name for one in self.pictures.get(level, {}).values()]]
            )
            for level, numbers in self.levels.items()
        }
        return {**levels, "": digest(json.loads(json.dumps(rest)))}


def mirror(results: Results, task: Task, out: Path) -> str:
    """Mirrors results into Weights & Biases.

    Args:
        results: What the store collected.
        task: The task; it names the group.
        out: Folder for the local files of the mirror (``out/wandb``).

    Returns:
        One line that says what was done, or why it was not. Trouble with Weights & Biases never
        raises: the results themselves are safe in the store.
    """
    wanted = runs(results, task)
    try:
        return _mirror(wanted, task, out)
    except ImportError:
        return "W&B: not mirrored; wandb is not installed, so run pip install wandb"
    except Exception as error:  # noqa: BLE001 - a mirror must never cost the user the results
        return f"W&B: not mirrored; {_reason(error)}"


def runs(results: Results, task: Task) -> list[Mirrored]:
    """Returns what is to be mirrored, without touching Weights & Biases."""
    from benchmark.report.averages import KEYS, costs, means, metric_ids
    from benchmark.report.curves import file_names, pair, scored_metrics
    from benchmark.report.series import Series, labels, level_key, ordered

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
                    config=config,
                    levels=levels,
                    pictures=_pictures(results, one, seed),
                    curve=_curve(levels, axes),
                    axes=axes,
                    summary=_summary(levels, cost._asdict() if cost is not None else {}),
                )
            )
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


def _mirror(wanted: Sequence[Mirrored], task: Task, out: Path) -> str:
    import wandb

    silent = wandb.Settings(
        silent=True,
        console="off",
        disable_git=True,
        save_code=False,
        disable_job_creation=True,
        init_timeout=START_SECONDS,
        finish_timeout=FINISH_SECONDS,
        finish_timeout_raises=True,
        x_disable_stats=True,
        x_disable_meta=True,
        x_save_requirements=False,
    )
    wandb.setup(settings=silent)
    mode = _mode()
    if mode == "disabled":
        return "W&B: nothing was mirrored, since WANDB_MODE is disabled"
    folder = out / "wandb"
    folder.mkdir(parents=True, exist_ok=True)
    ledger = _read(folder / LEDGER)
    logged, failed, troubles = 0, 0, []
    for one in wanted:
        known = ledger.get(one.id, {})
        if mode == "offline":
            known = (
                known if _offline_folders(folder, one.id) or known.get("mode") == "online" else {}
            )
        if known.get("digests") == one.digests():
            continue
        kept = _kept(folder, one.id, known, mode)
        try:
            try:
                _log(wandb, one, task, out, mode, silent, kept)
            except Exception as error:
                if mode == "offline":
                    raise
                troubles.append(f"W&B could not be reached, so offline ({_reason(error)})")
                mode = "offline"
                _forget(wandb, folder, one.id)
                wandb.setup(settings=silent)
                _log(wandb, one, task, out, mode, silent, kept)
        except Exception as error:  # noqa: BLE001 - the other runs are still worth mirroring
            failed += 1
            troubles.append(f"{one.name} failed ({_reason(error)})")
            continue
        logged += 1
        ledger[one.id] = {"mode": mode, "name": one.name, "digests": one.digests()}
        store.write(folder / LEDGER, json.dumps(ledger, indent=1, sort_keys=True).encode())
    said = f"W&B: {logged} runs mirrored {mode}, {len(wanted) - logged - failed} unchanged"
    if mode == "offline" and logged:
        said += f"; upload with: wandb sync {folder}/offline-run-*"
    return "; ".join([said, *troubles])


def _forget(wandb: Any, folder: Path, run: str) -> None:
    """Ends a run that could not start, so that its id is free again."""
    wandb.teardown()
    for path in folder.glob(f"run-*-{run}"):
        shutil.rmtree(path, ignore_errors=True)


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _mode() -> str:
    """Returns ``online``, ``offline`` or ``disabled``; looks for a login but never asks for one."""
    import wandb

    chosen = os.environ.get("WANDB_MODE", "").lower()
    if chosen in ("online", "offline", "disabled"):
        return chosen
    if chosen == "dryrun":
        return "offline"
    return "online" if wandb.login(prompt=False, verify=False) else "offline"


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _offline_folders(folder: Path, run: str) -> list[Path]:
    return sorted(folder.glob(f"offline-run-*-{run}"))


def _kept(folder: Path, run: str, known: dict[str, Any], mode: str) -> dict[str, str]:
    """Returns what a run's history holds for good, and removes offline copies it replaces.

    History that has reached the server cannot be taken back, so only what changed is added to it;
    a copy that was never uploaded is simply written again.
    """
    sent = known.get("mode") == "online"
    for path in _offline_folders(folder, run):
        if any(path.glob("*.synced")):
            sent = True
        elif mode == "offline" or not sent:
            shutil.rmtree(path, ignore_errors=True)
    return known.get("digests", {}) if sent else {}


def _log(
    wandb: Any,
    one: Mirrored,
    task: Task,
    out: Path,
    mode: str,
    settings: Any,
    kept: dict[str, str],
) -> None:
    run = wandb.init(
        project=os.environ.get("WANDB_PROJECT", PROJECT),
        id=one.id,
        name=one.name,
        group=task.name,
        job_type=one.config["preset"] or None,
        tags=[one.config["method"].partition(":")[0][:64]],
        config=one.config,
        dir=str(out),
        mode=mode,
        resume="allow",
        reinit="create_new",
        settings=settings,
    )
    code = 1
    try:
        run.define_metric("level")
        logged = [*one.levels.values(), *one.pictures.values()]
        for key in sorted({key for entry in logged for key in entry}):
            run.define_metric(key, step_metric="level")
        digests = one.digests()
        for level, numbers in one.levels.items():
            if kept.get(level) == digests[level]:
                continue
            images = {
                key: wandb.Image(path)
                for key, path in one.pictures.get(level, {}).items()
                if Path(path).is_file()
            }
            run.log({"level": _number(level), **numbers, **images})
        if one.curve:
            run.log({"pd_curve": _chart(wandb, one)})
        run.summary.update(one.summary)
        code = 0
    finally:
        run.finish(exit_code=code)


def _number(level: str) -> float | str:
    """Returns a level of one axis as a number; of several axes, as its text."""
    try:
        return float(level)
    except ValueError:
        return level


def _chart(wandb: Any, one: Mirrored) -> Any:
    across, up = one.axes
    table = wandb.Table(columns=[across, up, "level", "data set"], data=[*map(list, one.curve)])
    return wandb.plot.line(
        table, across, up, stroke="data set", title=f"Perception and distortion: {one.name}"
    )
