"""A mirror of results in Weights & Biases: one run per method, backbone and seed, one of the report.

Online where the user is logged in, offline else (``wandb sync`` uploads it later); ``WANDB_MODE``
and ``WANDB_PROJECT`` are honoured and nothing ever asks for a login. Results are only read, so the
mirror can be made, left out or made again at any time. Run ids are stable, and a ledger beside the
mirror remembers what each run holds: what is there already is not logged twice.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmark import records
from benchmark.amount import amount
from benchmark.control import parse_level
from benchmark.errors import UserError, unknown
from benchmark.mirrored import LOSSES, Mirrored, Models, runs

if TYPE_CHECKING:
    from benchmark.results import Results
    from benchmark.tasks import Task

PROJECT = "dialbench"
MODES = ("online", "offline", "disabled", "dryrun")
"""What ``WANDB_MODE`` may say, in these letters; the last is an old word for offline."""
LEDGER = "mirrored.json"
START_SECONDS = 30
FINISH_SECONDS = 300
"""How long an unreachable server may hold a run up; what it did not get stays on the disk."""


class Said(NamedTuple):
    """What was done in one line, and how many runs could not be mirrored."""

    text: str
    failed: int = 0


def ready() -> None:
    """Checks, without importing wandb, what would otherwise be found out after all training.

    Raises:
        UserError: If wandb is not installed, or ``WANDB_MODE`` is none that it knows.
    """
    found = importlib.util.find_spec("wandb")
    # Offline runs of others leave folders called wandb, which Python takes for packages.
    if found is None or found.origin is None:
        raise UserError("to mirror results wandb is needed; run pip install wandb")
    mode = os.environ.get("WANDB_MODE") or MODES[0]
    if mode not in MODES:
        raise UserError(unknown("WANDB_MODE", mode, MODES))


def mirror(
    results: Results,
    task: Task,
    out: Path,
    trained: Models | None = None,
    offline: bool = False,
    training: Mapping[str, Any] | None = None,
) -> Said:
    """Mirrors results into Weights & Biases.

    Args:
        results: What the store collected.
        task: The task; it names the group.
        out: Folder of the report, which gets the local files of the mirror (``out/wandb``).
        trained: The trained methods: their weights files, for artifacts, and losses.
        offline: Whether to write files only, for ``wandb sync``.
        training: What they were trained on and with (``mirrored.training``).

    Returns:
        What was done, or why it was not. Trouble with Weights & Biases never raises: the results
        themselves are safe in the store.
    """
    wanted = runs(results, task, trained or {}, out, training)
    try:
        with _staged(out / "wandb"):
            return _mirror(wanted, task, out, offline)
    except ImportError:
        text = "W&B: not mirrored; wandb is not installed, so run pip install wandb"
    except Exception as error:  # noqa: BLE001 - a mirror must never cost the user the results
        text = f"W&B: not mirrored; {_reason(error)}"
    return Said(text, len(wanted))


@contextlib.contextmanager
def _staged(folder: Path) -> Iterator[None]:
    """Keeps what waits to be uploaded below the report; in the user's home it would stay for good."""
    if "WANDB_DATA_DIR" in os.environ:
        yield
        return
    os.environ["WANDB_DATA_DIR"] = str(folder)
    try:
        yield
    finally:
        del os.environ["WANDB_DATA_DIR"]


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
    for known in ledger.values():
        # Written down, as the copy that says so may be gone the next time.
        if known.get("copy") and _uploaded(folder / known["copy"]):
            known["uploaded"] = known["digests"]
    logged, failed, troubles = 0, 0, []
    for one in wanted:
        known, digests = ledger.get(one.id, {}), one.digests()
        waiting = [path for path in _offline_folders(folder, one.id) if not _uploaded(path)]
        # What the server has for good: history cannot be taken back, so only changes are added to it.
        kept = known.get("uploaded", {})
        waits = mode == "offline" and waiting and known.get("digests") == digests
        if kept == digests or waits:
            continue
        for path in waiting:
            shutil.rmtree(path, ignore_errors=True)
            known.pop("copy", None)
        try:
            try:
                _log(wandb, one, task, out, mode, silent, digests, kept)
            except Exception as error:
                if mode == "offline":
                    raise
                troubles.append(f"W&B could not be reached, so offline ({_reason(error)})")
                mode = "offline"
                _forget(wandb, folder, one.id)
                wandb.setup(settings=silent)
                _log(wandb, one, task, out, mode, silent, digests, kept)
        except Exception as error:  # noqa: BLE001 - the other runs are still worth mirroring
            failed += 1
            troubles.append(f"{one.name} failed ({_reason(error)})")
            continue
        logged += 1
        uploaded = digests if mode == "online" else kept
        ledger[one.id] = {"name": one.name, "digests": digests, "uploaded": uploaded}
        if mode == "offline":
            ledger[one.id]["copy"] = _offline_folders(folder, one.id)[-1].name
        _write(folder / LEDGER, ledger)
    _write(folder / LEDGER, ledger)
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


def _write(path: Path, ledger: dict[str, Any]) -> None:
    records.write(path, json.dumps(ledger, indent=1, sort_keys=True).encode())


def _offline_folders(folder: Path, run: str) -> list[Path]:
    return sorted(folder.glob(f"offline-run-*-{run}"))


def _uploaded(copy: Path) -> bool:
    """Returns whether an offline copy was uploaded, which wandb writes down beside it."""
    return any(copy.glob("*.synced"))


def _log(
    wandb: Any,
    one: Mirrored,
    task: Task,
    out: Path,
    mode: str,
    settings: Any,
    digests: dict[str, str],
    kept: dict[str, str],
) -> None:
    run = wandb.init(
        project=os.environ.get("WANDB_PROJECT") or PROJECT,
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
        # Charts need a number across, which the text of several dials is not.
        across = "level" if task.space.d == 1 else "point"
        logged = [*one.levels.values(), *one.pictures.values()]
        _define(run, across, {key for entry in logged for key in entry})
        _define(run, "training_step", {f"loss/{stage}" for stage in one.losses})
        if kept.get(LOSSES) != digests[LOSSES]:
            for stage, losses in one.losses.items():
                for step, loss in losses:
                    run.log({"training_step": step, f"loss/{stage}": loss})
        for point, (level, numbers) in enumerate(one.levels.items()):
            if kept.get(level) == digests[level]:
                continue
            images = {
                key: wandb.Image(path)
                for key, path in one.pictures.get(level, {}).items()
                if Path(path).is_file()
            }
            run.log({**_where(task, level, point), **numbers, **images})
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


def _define(run: Any, across: str, keys: set[str]) -> None:
    """Tells what numbers are drawn against."""
    if keys:
        run.define_metric(across)
    for key in sorted(keys):
        run.define_metric(key, step_metric=across)


def _where(task: Task, level: str, point: int) -> dict[str, float | str]:
    """Returns a level as a number; of several dials, its text, its place in the table and each dial."""
    if task.space.d == 1:
        return {"level": float(level)}
    names = (f"level/{axis.name}" for axis in task.space.axes)
    dials = zip(names, parse_level(level), strict=True)
    return {"level": level, "point": point, **dict(dials)}


def _chart(wandb: Any, one: Mirrored) -> Any:
    across, up = one.axes
    line = "method" if one.kind == "report" else "data set"
    table = wandb.Table(columns=[across, up, "level", line], data=[*map(list, one.curve)])
    return wandb.plot.line(
        table, across, up, stroke=line, title=f"{up} against {across}: {one.name}"
    )
