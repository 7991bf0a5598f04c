"""Jobs: the unit of work that every engine runs, as plain data with a JSON form.

A train job is one stage; a sweep job is the missing cells of one (weights, dataset). Each needs
nothing but the store, so a job file can be run anywhere with ``python -m benchmark job FILE``.
This module imports no torch.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.config import Preset
from benchmark.control import Level
from benchmark.errors import Failure, UserError
from benchmark.training.stage import Adam, Anchors, At, Sparse, Stage, Uniform

Point = tuple[Level, Level]
"""A cell of the level x dial matrix: the true level, and the level that the dial is set to."""


@dataclass(frozen=True)
class TrainJob:
    """One stage of training.

    Args:
        key: Identifies the stage by everything that determines it.
        task: Task name.
        method: Method specification, or None for a plain network that no method owns.
        method_file: File of a method that is not discovered by name.
        backbone: Backbone specification.
        stage: What is trained.
        preset: The budget.
        seed: Seed of initialisation, patches and noise.
        train_sets: Names of the training sets.
        start_key: Key of the stage whose weights this one starts from, or None.
        offline: Whether downloads are forbidden.
    """

    key: str
    task: str
    method: str | None
    method_file: str | None
    backbone: str
    stage: Stage
    preset: Preset
    seed: int
    train_sets: tuple[str, ...]
    start_key: str | None
    offline: bool = False


@dataclass(frozen=True)
class SweepJob:
    """The missing cells of one method's weights on one dataset.

    Args:
        key: Identifies the method, its stages and the dataset, whatever the levels.
        task: Task name.
        method: Method specification.
        method_file: File of a method that is not discovered by name.
        backbone: Backbone specification.
        preset: The budget.
        seed: Seed the weights were trained with.
        stage_keys: Key of every stage of the method, by stage name.
        dataset: Name of the test set.
        levels: Levels to score with the dial set to them.
        offline: Whether downloads are forbidden.
        crossed: Points to score where the dial is set to another level than the true one.
    """

    key: str
    task: str
    method: str
    method_file: str | None
    backbone: str
    preset: Preset
    seed: int
    stage_keys: dict[str, str]
    dataset: str
    levels: tuple[Level, ...]
    offline: bool = False
    crossed: tuple[Point, ...] = ()

    def points(self) -> tuple[Point, ...]:
        """Returns every cell of this sweep by true level, at each first that with the dial at it."""
        every = (*((level, level) for level in self.levels), *self.crossed)
        return tuple(sorted(every, key=lambda one: (one[0], one[0] != one[1], one[1])))

    def only(self, points: Iterable[Point]) -> SweepJob:
        """Returns this sweep with no more than the cells given."""
        points = tuple(points)
        return dataclasses.replace(
            self,
            levels=tuple(level for level, dial in points if level == dial),
            crossed=tuple((level, dial) for level, dial in points if level != dial),
        )


Job = TrainJob | SweepJob

KINDS = {
    one.__name__: one
    for one in (TrainJob, SweepJob, Stage, At, Anchors, Uniform, Sparse, Adam, Preset)
}


def failure_of(job: Job, reason: str, trace: str = "") -> Failure:
    """Returns the failure of a job: its method's, or the plain network's, which several may share."""
    plain = isinstance(job, TrainJob) and job.method is None
    name = f"{job.stage.name} network" if plain else str(job.method)
    return Failure(name, job.backbone, job.seed, reason, trace)


def to_json(job: Job) -> str:
    """Returns a job as JSON text."""
    return json.dumps(_encoded(job), indent=1, sort_keys=True)


def from_json(text: str) -> Job:
    """Returns the job that ``to_json`` wrote.

    Raises:
        UserError: If the text is not a job of this version.
    """
    try:
        job = _decoded(json.loads(text))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise UserError("this is not a job of this version of dialbench") from error
    if not isinstance(job, Job):
        raise UserError("this is not a job; write job files with 'dialbench run'")
    return job


def read(path: Path) -> Job:
    """Reads a job file.

    Raises:
        UserError: If there is no such file, or it holds no job.
    """
    try:
        return from_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); check the path") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: this is not a job, and no text") from None
    except UserError as error:
        raise UserError(f"{path}: {error}") from error.__cause__


def _encoded(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        fields = {one.name: _encoded(getattr(value, one.name)) for one in dataclasses.fields(value)}
        return {"type": type(value).__name__, **fields}
    if isinstance(value, dict):
        return {key: _encoded(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_encoded(one) for one in value]
    return value


def _decoded(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_decoded(one) for one in value)
    if not isinstance(value, dict):
        return value
    kind = KINDS.get(value.get("type", ""))
    if kind is None and all(isinstance(one, str) for one in value.values()):
        return value  # keys of stages, which may have any name
    if kind is None:
        raise KeyError(value.get("type"))
    fields = {key: _decoded(one) for key, one in value.items() if key != "type"}
    return At(*fields["level"]) if kind is At else kind(**fields)
