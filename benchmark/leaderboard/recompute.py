"""The numbers of an entry from its weights, by the same path as any sweep.

Nothing an entry holds is run: it names its method, which must be one of this repository or of an
installed package, and its weights are read as tensors whose hash it states.
"""

from __future__ import annotations

import functools
import hashlib
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from benchmark import config, keys, sweep
from benchmark.build import build_method, load_states
from benchmark.config import Preset
from benchmark.control import parse_level
from benchmark.data.samples import Samples
from benchmark.data.sources import ImageSet, open_set
from benchmark.discovery import create_method
from benchmark.errors import JobError, UserError
from benchmark.leaderboard import folder, weights
from benchmark.leaderboard.entry import Entry
from benchmark.leaderboard.faults import Fault
from benchmark.leaderboard.rows import Key
from benchmark.method import ControlMethod
from benchmark.metrics.scorer import Scorer
from benchmark.store import Store

PATIENCE = 20
"""Seconds to wait for a server that holds weights."""


class Part(NamedTuple):
    """Images of one test set under one seed."""

    seed: int
    dataset: str
    images: tuple[int, ...]


class Subject:
    """An entry with all that is needed to compute it again.

    Args:
        path: Its folder, which the referee found good.
        entry: The entry.
        store: Where outputs of operators are kept.
        held: A folder that holds weights as ``<sha256>.safetensors``, for entries without them.
        offline: Whether downloads are forbidden.

    Raises:
        UserError: If it cannot be computed again here; the message says why.
    """

    def __init__(
        self,
        path: Path,
        entry: Entry,
        store: Store,
        held: Path | None = None,
        offline: bool = False,
    ):
        self.path, self.entry, self.held, self.offline = path, entry, held, offline
        facts, task = entry.facts, entry.task
        if facts["task_version"] != task.version:
            raise UserError(
                f"it is of version {facts['task_version']} of {task.name}, which is at "
                f"{task.version} here; use the release of dialbench that had it"
            )
        for one in facts["weights"]:
            if not (one["file"] or one["url"] or held):
                raise UserError(
                    "its weights are not published, so it stays claimed; if you have them, name "
                    "their folder with --weights"
                )
        self.preset = preset_of(facts["preset"])
        self.samples = {
            one["name"]: Samples(_opened(one, self.preset, offline), task, store)
            for one in facts["sets"]
        }
        for one in facts["sets"]:
            if list(one["images"]) != names(self.samples[one["name"]]):
                raise UserError(f"its images of {one['name']} are not those of the set")
        self.method = functools.lru_cache(1)(self._method)
        self.scorer = functools.cache(
            lambda metrics: Scorer(metrics, task.protocol, offline=offline)
        )
        for metric, reason in self.scorer(entry.layout.metrics).unavailable().items():
            raise UserError(f"{metric} cannot be computed here: {reason}")

    def _method(self, seed: int) -> ControlMethod:
        facts, task = self.entry.facts, self.entry.task
        method = build_method(create_method(facts["method"]), facts["backbone"], task, seed)
        own = [one for one in facts["weights"] if one["seed"] == seed]
        stages = [stage.name for stage in method.stages(task)]
        if sorted(stages) != sorted(one["stage"] for one in own):
            raise JobError(
                f"its method has the stages {', '.join(stages) or 'none'}, but the entry has "
                f"weights of {', '.join(one['stage'] for one in own) or 'none'}"
            )
        load_states(method, task, {one["stage"]: self._tensors(one) for one in own})
        return method.eval().requires_grad_(False)

    def _tensors(self, about: Mapping[str, Any]) -> dict[str, Tensor]:
        from safetensors.torch import load

        name = f"{about['sha256']}.safetensors"
        if about["file"]:
            blob = folder.read(self.path / about["file"], folder.WEIGHTS)
        elif self.held and (self.held / name).is_file():
            blob = (self.held / name).read_bytes()
        elif about["url"] and not self.offline:
            blob = _downloaded(about["url"], about["bytes"])
        else:
            raise UserError(f"the weights of {about['stage']} are not here; --weights takes {name}")
        try:
            weights.check_header(blob, len(blob), name)
        except Fault as fault:
            raise UserError(str(fault)) from None
        if hashlib.sha256(blob).hexdigest() != about["sha256"]:
            raise UserError(f"the weights of {about['stage']} are not what their hash says")
        return load(blob)

    def outputs(self, part: Part, levels: Iterable[str]) -> Iterator[tuple[str, int, Tensor]]:
        """Yields (level, index, output (3, H, W)) of some images, the dial at the true level."""
        for level, _, index, output, _ in self._restored(part, [(one, one) for one in levels]):
            yield level, index, output

    def rows(self, part: Part, levels: Sequence[str]) -> Iterator[tuple[Key, float]]:
        """Yields keys and values of all rows of some images at some levels (and dials at them).

        Raises:
            JobError: If a value cannot be computed, or a network gives no sound image.
        """
        layout = self.entry.layout
        points = {metric: layout.points(metric) for metric in layout.metrics}
        every = [
            (level, dial)
            for level, dial in dict.fromkeys(one for own in points.values() for one in own)
            if level in levels and dial in levels
        ]
        for level, dial, index, _, scores in self._restored(part, every):
            image = self.samples[part.dataset].name(index)
            for metric, score in scores.items():
                key = (metric, part.dataset, part.seed, level, dial, image)
                if score.value is None:
                    raise JobError(f"row {','.join(map(str, key))}: no value here: {score.reason}")
                yield key, score.value

    def _restored(self, part: Part, points: Sequence[tuple[str, str]]) -> Iterator[tuple]:
        """Yields (level, dial, index, output, scores) of some images at some points."""
        samples, layout = self.samples[part.dataset], self.entry.layout
        method, device = self.method(part.seed), torch.device("cpu")
        sizes = [samples.clean(index).shape[1:] for index in part.images]
        groups = [[part.images[at] for at in group] for group in sweep.batches(sizes)]
        for level, dial in points:
            metrics = tuple(one for one in layout.metrics if (level, dial) in layout.points(one))
            network = sweep.ready(method.tuned(parse_level(dial)), device)
            at = parse_level(level)
            given = functools.partial(samples.degraded, level=at)
            for index, output, _, scores in sweep.scored(
                network, given, samples, at, groups, self.scorer(metrics), device
            ):
                yield level, dial, index, output, scores

    def code(self) -> dict[str, str]:
        """Returns digests of the code that computes the entry here."""
        facts = self.entry.facts
        return {
            "method": keys.method_digest(facts["method"], None, facts["backbone"]),
            "scoring": keys.scoring_digest(self.entry.task),
        }


def names(samples: Samples) -> list[str]:
    """Returns the names of the images of a test set, as rows have them."""
    return [samples.name(index) for index in range(len(samples))]


def preset_of(text: str) -> Preset:
    """Returns the preset behind ``benchmark.keys.preset_text``."""
    name, *changes = text.split(":")
    return config.preset(name, changes)


def _opened(about: Mapping[str, Any], preset: Preset, offline: bool) -> ImageSet:
    """Returns a test set of an entry, sure that it holds the same images."""
    found = open_set(about["name"], "test", crop=preset.crop, offline=offline)
    if found.digest != about["digest"]:
        raise UserError(
            f"the test set {about['name']} holds other images here (digest {found.digest}, the "
            f"entry has {about['digest']})"
        )
    return found


def _downloaded(url: str, size: int) -> bytes:
    """Returns a file of known size from a server, reading no more than that.

    Raises:
        JobError: If it cannot be had.
    """
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            return answer.read(size + 1)
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise JobError(f"the weights at {url} cannot be had: {error}") from None
