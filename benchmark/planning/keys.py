"""Keys of stages and cells: digests of everything that determines a result, and of nothing else."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

from benchmark import config, degradations, tasks
from benchmark.config import PRESETS, Preset
from benchmark.control import Level, level_text
from benchmark.data.filtered import operator_digest
from benchmark.data.sources import ImageSet
from benchmark.objectives.choice import resolved
from benchmark.planning.jobs import Point, SweepJob, TrainJob
from benchmark.registry.digest import digest, known_digest, package_digest
from benchmark.registry.discovery import backbone_source, package_of, source_of
from benchmark.tasks import Objective, Task

TRAINING_CODE = (
    "benchmark.build",
    "benchmark.control",
    "benchmark.data.filtered",
    "benchmark.data.patches",
    "benchmark.data.pictures",
    "benchmark.data.sources",
    "benchmark.degradations",
    "benchmark.method",
    "benchmark.metrics.colour",
    "benchmark.metrics.perceptual",
    "benchmark.objectives",
    "benchmark.precision",
    "benchmark.tasks.base",
    "benchmark.texture",
    "benchmark.train",
    "benchmark.training.batch",
    "benchmark.training.learner",
    "benchmark.training.recorded",
    "benchmark.training.stage",
    "benchmark.tuning",
)
METHOD_CODE = ("baselines", "benchmark.method", "benchmark.tuning", "methods")
SCORING_CODE = (
    "baselines.external.noise_estimator",
    *("benchmark.control", "benchmark.data", "benchmark.degradations", "benchmark.metrics"),
    *("benchmark.objectives", "benchmark.precision", "benchmark.scoring.blind"),
    *("benchmark.scoring.dialling", "benchmark.scoring.forward", "benchmark.sweep"),
    *("benchmark.tasks.base", "benchmark.texture", "benchmark.tuning.spatial"),
)

MEANING = (
    "benchmark.control:Axis",
    "benchmark.control:ControlSpace",
    *(f"benchmark.tasks.base:Task.{name}" for name in ("base", "conditions", "has_true_level")),
)
"""Where the code begins that gives levels their meaning: it is called on objects, not by name."""

DIALS = ("benchmark.sweep:dial_of", "benchmark.tuning.spatial:mapped")
"""Where the code begins that sets the dial, in tasks that compare dials."""

BUDGET = ("batch", "patch", "patch_sr", "lr", "schedule", "precision", "critic_width")
"""Preset fields that determine a training run, besides its number of steps."""


SILENT = ("checkpoint_every", "devices", "points", "workers")
"""Preset fields that are no part of its name."""


def preset_text(preset: Preset) -> str:
    """Returns a preset's name with what was changed in it: ``laptop:steps=300``.

    What changes no number is left out, and on how many devices a stage was trained: they share every
    batch, and the weights say the rest. Levels are told one by one wherever they count.
    """
    own = PRESETS.get(preset.name, preset)
    changed = [
        f"{key}={value}"
        for key, value in sorted(vars(preset).items())
        if value != vars(own)[key] and key not in SILENT
    ]
    return ":".join([preset.name, *changed])


def preset_of(text: str) -> Preset:
    """Returns the preset behind ``preset_text``.

    Raises:
        UserError: If it is one of another version.
    """
    name, *changes = text.split(":")
    return config.preset(name, changes)


def train_key(job: TrainJob, set_digests: tuple[str, ...]) -> str:
    """Returns the key of a stage.

    Of a plain network, neither the method that asks for it nor the stage's name matters.

    Args:
        job: The stage; its own ``key`` is not looked at.
        set_digests: Content digests of the training sets.
    """
    from benchmark.train import steps_of

    task, stage, plain = tasks.get(job.task), job.stage, job.method is None
    objective = resolved(task.objective, job.preset.perceptual, job.offline)
    return digest(
        {
            "task": training_digest(task, objective, set_digests),
            "trains": stage.trains,
            "levels": stage.levels,
            "optimizer": stage.optimizer,
            "steps": steps_of(stage, job.preset, task),
            "budget": {name: getattr(job.preset, name) for name in BUDGET},
            "crops": job.preset.crops if task.operator else None,
            "seed": job.seed,
            "backbone": [job.backbone, backbone_digest(job.backbone)],
            "start": job.start_key,
            "name": None if plain else stage.name,
            "method": None if plain else method_digest(job.method, job.method_file, job.backbone),
        }
    )


def training_digest(task: Task, objective: Objective, set_digests: tuple[str, ...]) -> str:
    """Returns what all stages of a task share: its facts, its training images, the code involved.

    Args:
        task: The task.
        objective: The objective in force, with a perceptual term if there is one.
        set_digests: Content digests of the training sets.
    """
    code = known_digest(
        (
            "benchmark.train:train_stage",
            *MEANING,
            *_degradations(task),
            *_terms(objective),
        ),
        TRAINING_CODE,
    )
    return digest([task.training_facts(), objective, list(set_digests), code, *_software(task)])


def _terms(objective: Objective) -> list[str]:
    """Returns where the code of an objective's terms and targets begins."""
    terms = sorted({term.name for end in objective.ends for term in end})
    targets = sorted({term.target for end in objective.ends for term in end})
    return [
        *(f"benchmark.objectives:TERMS[{name}]" for name in terms),
        *(f"benchmark.objectives.targets:TARGETS[{name}]" for name in targets),
    ]


def _degradations(task: Task) -> list[str]:
    """Returns where the code of a task's degradations begins."""
    names = [name for name in (task.degradation, task.spared) if name]
    return [f"benchmark.degradations:DEGRADATIONS[{name}]" for name in names]


def _software(task: Task) -> list[str]:
    """Returns what degraded images and operators' outputs depend on besides the code that asks."""
    found = [degradations.get(task.degradation).software()]
    return [*found, operator_digest(task.operator)] if task.operator else found


def backbone_digest(backbone: str) -> str:
    """Returns the digest of a backbone's code."""
    return known_digest((backbone_source(backbone),), METHOD_CODE)


def method_digest(method: str, file: str | None, backbone: str) -> str:
    """Returns the digest of a method: code, hyper-parameters and backbone."""
    code = known_digest((source_of(method, Path(file) if file else None),), METHOD_CODE)
    package = None if file else package_of(method)
    known = [method, code, backbone, backbone_digest(backbone)]
    return digest([*known, package_digest(package)] if package else known)


def scoring_digest(task: Task) -> str:
    """Returns the digest of everything but weights and data that determines a score."""
    code = known_digest(
        (
            "benchmark.data.patches:clean_pixels",
            "benchmark.data.samples:Samples",
            "benchmark.scoring.forward:ready",
            "benchmark.scoring.forward:scored",
            *MEANING,
            *_degradations(task),
            f"benchmark.objectives.targets:TARGETS[{task.target}]",
            "benchmark.metrics.scorer",
            *(DIALS if task.compares_dials else ()),
            *(_terms(task.objective) if "objective" in task.metrics else ()),
        ),
        SCORING_CODE,
    )
    return digest([task.scoring_facts(), code, *_software(task)])


def sweep_key(job: SweepJob) -> str:
    """Returns the key of a sweep, whatever its levels."""
    return digest(
        [
            scoring_digest(tasks.get(job.task)),
            method_digest(job.method, job.method_file, job.backbone),
            job.stage_keys,
            preset_text(job.preset),
            job.seed,
            job.dataset,
        ]
    )


_text_of = functools.lru_cache(1 << 14)(level_text)
"""Sweeps of a campaign share their levels."""


def cell_keys(job: SweepJob, task: Task, weights: str, images: ImageSet) -> Callable[[Point], str]:
    """Returns what gives the key of each cell of a sweep, by its true level and the dial's.

    With the dial set to the true level the key is the same whether the rest of the matrix is wanted.

    Args:
        job: The sweep.
        task: Its task.
        weights: ``digest.weights_digest`` of the stages.
        images: The test set.
    """
    shared = digest(
        {
            "weights": weights,
            "method": method_digest(job.method, job.method_file, job.backbone),
            "scoring": scoring_digest(task),
            "dataset": [images.name, images.digest],
            "run": [preset_text(job.preset), job.seed],
        }
    )

    def key(point: Point) -> str:
        return digest([shared, *map(_text_of, point)])

    return key


def picture_key(task: Task, images: ImageSet, image: str, level: Level | None) -> str:
    """Returns the key of an input picture at a level, or of the clean picture (None).

    Noise depends on the name of the set too, not on its images alone.
    """
    text = "" if level is None else level_text(level)
    return digest([scoring_digest(task), [images.name, images.digest], image, text])
