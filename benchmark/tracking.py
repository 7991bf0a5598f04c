"""A mirror of results in Weights & Biases: one run per method, backbone and seed, one of the report.

Online where the user is logged in, offline else (``wandb sync`` uploads it later); ``WANDB_MODE``
and ``WANDB_PROJECT`` are honoured and nothing ever asks for a login. Results are only read, so the
mirror can be made, left out or made again at any time. Run ids are stable, and a ledger beside the
mirror remembers what each run holds: what is there already is not logged twice.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmark import store
from benchmark.amount import amount
from benchmark.mirrored import Mirrored, Models, runs

if TYPE_CHECKING:
    from benchmark.report.results import Results
    from benchmark.tasks import Task

PROJECT = "dialbench"
LEDGER = "mirrored.json"
START_SECONDS = 30
FINISH_SECONDS = 300
"""How long an unreachable server may hold a run up; what it did not get stays on the disk."""


class Said(NamedTuple):
    """What was done in one line, and how many runs could not be mirrored."""

    text: str
    failed: int = 0


def mirror(
    results: Results, task: Task, out: Path, weights: Models | None = None, offline: bool = False
) -> Said:
    """Mirrors results into Weights & Biases.

    Args:
        results: What the store collected.
        task: The task; it names the group.
        out: Folder of the report, which gets the local files of the mirror (``out/wandb``).
        weights: Weights files of the methods, for their artifacts.
        offline: Whether to write files only, for ``wandb sync``.

    Returns:
        What was done, or why it was not. Trouble with Weights & Biases never raises: the results
        themselves are safe in the store.
    """
    wanted = runs(results, task, weights or {}, out)
    try:
        return _mirror(wanted, task, out, offline)
    except ImportError:
        text = "W&B: not mirrored; wandb is not installed, so run pip install wandb"
    except Exception as error:  # noqa: BLE001 - a mirror must never cost the user the results
        text = f"W&B: not mirrored; {_reason(error)}"
    return Said(text, len(wanted))


def _mirror(wanted: Sequence[Mirrored], task: Task, out: Path, offline: bool) -> Said:
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
        return Said("W&B: nothing was mirrored, since WANDB_MODE is disabled")
    mode = "offline" if offline else mode
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
    said = (
        f"W&B: {amount(logged, 'run')} mirrored {mode}, {len(wanted) - logged - failed} unchanged"
    )
    if mode == "offline" and logged:
        said += f"; upload with: wandb sync {folder}/offline-run-*"
    return Said("; ".join([said, *troubles]), failed)


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
        job_type=one.kind or None,
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
        for name, (columns, lines) in one.tables.items():
            for key, part in pieces(name, lines, wandb.Table.MAX_ROWS):
                run.log({key: wandb.Table(columns=columns, data=part, allow_mixed_types=True)})
        if files := {name: path for name, path in one.files.items() if path.is_file()}:
            run.log_artifact(_artifact(wandb, one, task, files))
        run.summary.update(one.summary)
        code = 0
    finally:
        run.finish(exit_code=code)


def pieces(name: str, lines: list, most: int) -> Iterator[tuple[str, list]]:
    """Yields the parts of a table, ``rows``, ``rows-2`` and so on: wandb cuts longer ones off."""
    for at in range(0, max(1, len(lines)), most):
        yield (f"{name}-{at // most + 1}" if at else name), lines[at : at + most]


def _artifact(wandb: Any, one: Mirrored, task: Task, files: dict[str, Path]) -> Any:
    """Returns the weights of a run, or the files of the report.

    The name is stable, so the same files are the same version, however often they are sent.
    """
    kind = "report" if one.kind == "report" else "model"
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", f"{task.name}-{one.config['method']}")[:80]
    facts = {key: one.config[key] for key in ("task", "version", "method", "preset")}
    artifact = wandb.Artifact(f"{name}-{one.id}", type=kind, metadata=facts)
    for file, path in files.items():
        # Weights in the store never change, so wandb need not copy them; reports do.
        policy = "immutable" if kind == "model" else "mutable"
        artifact.add_file(str(path), name=file, policy=policy)
    return artifact


def _number(level: str) -> float | str:
    """Returns a level of one axis as a number; of several axes, as its text."""
    try:
        return float(level)
    except ValueError:
        return level


def _chart(wandb: Any, one: Mirrored) -> Any:
    across, up = one.axes
    line = "method" if one.kind == "report" else "data set"
    table = wandb.Table(columns=[across, up, "level", line], data=[*map(list, one.curve)])
    return wandb.plot.line(
        table, across, up, stroke=line, title=f"Perception and distortion: {one.name}"
    )
