"""The numbers of an entry from its weights, by the same path as any sweep.

Nothing an entry holds is run: it names its method, which must be one of this repository or of an
installed package, and its weights are read as tensors whose hash it states.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmark import assets, sweep, tasks
from benchmark.build import create_method
from benchmark.config import Preset
from benchmark.control import parse_level
from benchmark.data.samples import Samples
from benchmark.data.sources import ImageSet, open_set
from benchmark.errors import JobError, UserError
from benchmark.leaderboard import entered, naming
from benchmark.leaderboard.entry import Entry
from benchmark.leaderboard.rows import Key
from benchmark.leaderboard.sampling import Part
from benchmark.method import ControlMethod
from benchmark.metrics.scorer import Score, Scorer, availability
from benchmark.planning import keys
from benchmark.planning.jobs import SweepJob
from benchmark.registry.digest import digest
from benchmark.scoring import forward
from benchmark.scoring.dialling import ESTIMATOR
from benchmark.store import Store
from benchmark.train import steps_of
from benchmark.trained import loaded


class Subject:
    """An entry with all that is needed to compute it again.

    Args:
        path: Its folder, which the referee found good.
        entry: The entry.
        store: Where its weights are kept, as stages, and outputs of operators.
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
        self.path, self.entry, self.store = path, entry, store
        self.held, self.offline = held, offline
        facts, task = entry.facts, tasks.get(entry.facts["task"])
        entered.refuse(entry)
        for one in facts["weights"]:
            if not (one["file"] or one["url"] or held):
                raise UserError(
                    f"its weights are not published, so it stays {entry.status}; if you have them, "
                    "name their folder with --weights"
                )
        self.preset = keys.preset_of(facts["preset"])
        if offline:
            assets.close_hub(one["name"] for one in facts["sets"])
        self.sets = {one["name"]: _opened(one, self.preset, offline) for one in facts["sets"]}
        for one in facts["sets"]:
            if list(one["images"]) != _names(Samples(self.sets[one["name"]], task)):
                raise UserError(f"its images of {one['name']} are not those of the set")
        self.scorer = functools.cache(
            lambda metrics: Scorer(metrics, task.protocol, offline=offline)
        )
        for metric, reason in availability(entry.layout.metrics, offline, store).items():
            if reason:
                raise UserError(f"{metric} cannot be computed here: {reason}")
        self.method = functools.lru_cache(1)(self._method)

    def job(self, seed: int, dataset: str) -> SweepJob:
        """Returns the sweep that scored a test set with the weights of a seed."""
        facts = self.entry.facts
        stages = {
            one["stage"]: self._stored(one) for one in facts["weights"] if one["seed"] == seed
        }
        names = (facts["task"], facts["method"], None, facts["backbone"])
        return SweepJob("", *names, self.preset, seed, stages, dataset, (), self.offline)

    def _method(self, seed: int) -> ControlMethod:
        entered.bare(self.entry, seed)
        return loaded(self.job(seed, ""), self.entry.task, self.store)

    def names(self) -> dict[str, str]:
        """Returns what a run of the entry writes where the entry names what was run."""
        facts = self.entry.facts
        found = naming.names(facts["method"], None, facts["backbone"], self.entry.task)
        return {**found, "preset": keys.preset_text(self.preset)}

    def budget(self) -> dict[str, list[int | str]]:
        """Returns what training may have taken, by the preset; nothing for what is not trained here."""
        task, preset = self.entry.task, self.preset
        stages = list(self.method(self.entry.layout.seeds[0]).stages(task))
        if task.dial == "estimate":
            stages += create_method(ESTIMATOR).stages(tasks.get(task.base))
        steps = [steps_of(one, preset, task) for one in stages if not one.imported]
        if not steps:
            return {}
        return {
            "steps": [sum(steps)],
            "batch": [preset.batch],
            "patch": [preset.patch_sr if task.scale > 1 else preset.patch],
            # Half precision is asked for, not had, on most CPUs; stages may differ in that.
            "precision": [
                *(preset.precision, "32-true"),
                "-".join(sorted({preset.precision, "32-true"})),
            ],
        }

    def _stored(self, about: Mapping[str, Any]) -> str:
        """Puts weights into the store, unless they are there, and returns their key."""
        from safetensors.torch import load

        key = digest(["entry", about["sha256"]])
        if self.store.read_stage(key) is None:
            self.store.write_stage(
                key, load(entered.blob(self.path, about, self.held, self.offline)), {"steps": 0}
            )
        return key

    def outputs(self, part: Part, levels: Iterable[str]) -> Iterator[tuple[str, Tensor]]:
        """Yields (level, output (3, H, W)) of the first image of a part, the dial at the level."""
        for level in levels:
            for _, output, _ in self._restored(part, level, level, ()):
                yield level, output
                break

    def rows(self, part: Part, levels: Sequence[str]) -> Iterator[tuple[Key, float]]:
        """Yields keys and values of all rows of some images at some levels (and dials at them).

        Raises:
            JobError: If a value cannot be computed, or a network gives no sound image.
        """
        layout = self.entry.layout
        points = {metric: layout.points(metric) for metric in layout.metrics}
        for level, dial in dict.fromkeys(one for own in points.values() for one in own):
            if level not in levels or dial not in levels:
                continue
            metrics = tuple(one for one in layout.metrics if (level, dial) in points[one])
            for image, _, scores in self._restored(part, level, dial, metrics):
                for metric, score in scores.items():
                    key = (metric, part.dataset, part.seed, level, dial, image)
                    if score.value is None:
                        row = ",".join(map(str, key))
                        raise JobError(f"row {row}: no value here: {score.reason}")
                    yield key, score.value

    def _restored(
        self, part: Part, level: str, dial: str, metrics: tuple[str, ...]
    ) -> Iterator[tuple[str, Tensor, dict[str, Score]]]:
        """Yields (image, output, scores) of some pictures at one point, as a sweep does."""
        task, device = self.entry.task, torch.device("cpu")
        method, job = self.method(part.seed), self.job(part.seed, part.dataset)
        # The set keeps its name, which noise depends on.
        pictures = tuple(self.sets[part.dataset].pictures[at] for at in part.pictures)
        images = dataclasses.replace(self.sets[part.dataset], pictures=pictures)
        samples, at = Samples(images, task, self.store), parse_level(level)
        if task.compares_dials:
            setter = sweep.dial_of(job, task, method, samples, self.store, device)
            found = setter.scored(at, metrics)
        else:
            network = forward.ready(method.tuned(parse_level(dial)), device)
            given = functools.partial(samples.degraded, level=at)
            groups = forward.batches([samples.clean(n).shape[1:] for n in range(len(samples))])
            found = forward.scored(
                network, given, samples, at, groups, self.scorer(metrics), device
            )
        for index, output, _, scores in found:
            yield samples.name(index), output, scores

    def code(self) -> dict[str, str]:
        """Returns digests of the code that computes the entry here."""
        facts = self.entry.facts
        return {
            "method": keys.method_digest(facts["method"], None, facts["backbone"]),
            "scoring": keys.scoring_digest(self.entry.task),
        }


def _names(samples: Samples) -> list[str]:
    """Returns the names of the images of a test set, as rows have them."""
    return [samples.name(index) for index in range(len(samples))]


def _opened(about: Mapping[str, Any], preset: Preset, offline: bool) -> ImageSet:
    """Returns a test set of an entry, sure that it holds the same images."""
    found = open_set(about["name"], "test", crop=preset.crop, offline=offline)
    if found.digest != about["digest"]:
        raise UserError(
            f"the test set {about['name']} holds other images here (digest {found.digest}, the "
            f"entry has {about['digest']})"
        )
    return found
