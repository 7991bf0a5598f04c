"""Whether an entry is true: computed again, first the canary, then rows, then if asked the training."""

from __future__ import annotations

import secrets
import shutil
import statistics
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.amount import amount
from benchmark.errors import JobError, UserError
from benchmark.leaderboard import canary, check, entry, folder, loaded, proof, rows, sampling
from benchmark.leaderboard.entry import Entry
from benchmark.leaderboard.faults import Fault
from benchmark.metrics import records
from benchmark.registry.engines import engine

if TYPE_CHECKING:
    from benchmark.leaderboard.recompute import Subject
    from benchmark.store import Store

MODES = ("canary", *proof.MODES)
BIAS = 0.1
"""Part of what one value may differ by that the mean over many may: values that round the other way on
another machine differ up and down, those that somebody raised do not."""
NAMED = 10
"""Rows that differ and are named; the others are counted."""

Say = Callable[[str], None]


@dataclass
class Outcome:
    """What was found.

    Args:
        faults: What is wrong, one line each; none if the entry is true as far as was looked.
        record: What ``verified.json`` is to hold; None for the canary alone.
        text: What was done, in one line.
    """

    faults: list[str] = field(default_factory=list)
    record: dict[str, Any] | None = None
    text: str = ""


def verify(
    path: Path,
    mode: str,
    store: Store,
    draw: int | None = None,
    held: Path | None = None,
    offline: bool = False,
    say: Say = lambda text: None,
) -> Outcome:
    """Computes an entry again and compares; writes nothing.

    Args:
        path: The entry's folder.
        mode: One of ``MODES``.
        store: Where outputs of operators are kept.
        draw: Seed of the draw of images and levels; by default one that nobody can foresee, so
            that nobody knows beforehand which rows will be looked at.
        held: A folder of weights, for entries that have them elsewhere.
        offline: Whether downloads are forbidden.
        say: Takes a line about what is going on.

    Raises:
        UserError: If the entry cannot be computed again here.
        JobError: If computing fails.
    """
    from benchmark.leaderboard.recompute import Subject

    path = path.resolve()
    found = check.faults(path, path.parent.parent.name, path.name)
    # A record of an earlier verification may be out of date; that is why this is done.
    found = [one for one in found if not one.startswith(f"{proof.NAME}:")]
    if found:
        return Outcome(found)
    text = folder.read(path / entry.NAME, folder.SIZES[entry.NAME])
    one = Entry(entry.parse(text).facts, loaded.status_known(path))
    subject = Subject(path, one, store, held, offline)
    say("canary")
    outcome = Outcome()
    seen = _canary(subject, outcome)
    done = f"canaries the same in every pixel: {seen['same_pixels']} of {seen['levels']}"
    outcome.text = f"{done}, the others within {seen['largest']:g} of 255"
    if mode == "canary" or outcome.faults:
        return outcome
    _names(subject, outcome)
    _costs(subject, outcome)
    _budget(subject, outcome)
    _leaks(subject, outcome)
    draw = secrets.randbits(32) if draw is None else draw
    compared = _rows(subject, mode, draw, outcome, say)
    means = None
    if mode == "retrain" and not outcome.faults:
        say("training again")
        means = _means(one, _values(path, one), _retrained(subject), outcome)
    outcome.text = _told(means or compared, "means" if means else "values")
    if not outcome.faults:
        outcome.record = _record(subject, mode, draw, seen, compared, means)
    return outcome


def _values(path: Path, one: Entry) -> dict[rows.Key, float]:
    """Returns the values that an entry claims."""
    return rows.by_key(folder.read(path / rows.NAME, folder.SIZES[rows.NAME]), one.layout)


def _canary(subject: Subject, outcome: Outcome) -> dict[str, Any]:
    """Compares the first image at every level."""
    from benchmark.data.patches import to_pixels

    one = subject.entry
    text = folder.read(subject.path / canary.NAME, folder.SIZES[canary.NAME])
    told = canary.parse(text, one)
    part = sampling.Part(told["seed"], told["set"], (0,))
    largest, same = 0.0, 0
    for level, output in subject.outputs(part, one.layout.levels):
        pixels = to_pixels(output)
        if pixels.shape[:2] != (told["height"], told["width"]):
            outcome.faults.append(f"canary: level {level} has another size")
            continue
        own, claimed = canary.of_pixels(pixels), told["levels"][level]
        same += own["pixels_sha256"] == claimed["pixels_sha256"]
        pairs = zip(sum(own["blocks"], []), sum(claimed["blocks"], []), strict=True)
        apart = max(abs(a - b) for a, b in pairs)
        largest = max(largest, apart)
        if apart > proof.BLOCK:
            outcome.faults.append(
                f"canary: level {level}: its weights give another image, {apart:.3f} of 255 apart "
                f"({proof.BLOCK:g} is allowed)"
            )
    return {
        "levels": len(one.layout.levels),
        "same_pixels": same,
        "largest": round(largest, 6),
        "allowed": proof.BLOCK,
    }


def _names(subject: Subject, outcome: Outcome) -> None:
    """Compares names with those of a run: under two names copies of one method would count as two."""
    found = subject.names()
    outcome.faults += [
        f"{name}: {told} is {found[name] or 'empty'} here; it has to be handed in under that name"
        for name in found
        if (told := subject.entry.facts[name]) != found[name]
    ]


def _costs(subject: Subject, outcome: Outcome) -> None:
    """Compares parameters and arithmetic; times are of the machine that took them."""
    from benchmark.scoring import cost

    claimed, task = subject.entry.facts["cost"], subject.entry.task
    method = subject.method(subject.entry.layout.seeds[0])
    found = cost.of_method(method, method.tuned(cost.last_level(method, task)))
    outcome.faults += [
        f"cost: {name} is {claimed[name]}, but {found[name]} here"
        for name in ("folds", "params_stored", "params_folded", "macs")
        if claimed[name] != found[name]
    ]


def _budget(subject: Subject, outcome: Outcome) -> None:
    """Compares the budget with that of the preset, which boards compare methods by."""
    told, budget = subject.entry.facts["budget"], subject.budget()
    if budget and not subject.entry.facts["training"]:
        outcome.faults.append("training: no set is named, though its stages are trained here")
    for name, allowed in budget.items():
        if told[name] not in allowed:
            outcome.faults.append(
                f"budget: {name} is {told[name]}, but its preset has {allowed[0]}"
            )


def _leaks(subject: Subject, outcome: Outcome) -> None:
    """Looks for tested images among those trained on, where these are at hand."""
    from benchmark.leaderboard.entered import training_set
    from benchmark.planning.leakage import leaks

    training = []
    for about in subject.entry.facts["training"]:
        found = training_set(about)
        if found is None:
            continue
        training.append(found)
        if len(found.pictures) != about["images"]:
            outcome.faults.append(
                f"training: {about['name']} has {len(found.pictures)} images, not {about['images']}"
            )
    shown = {pair.first for pair in leaks(training, list(subject.sets.values()), subject.store)}
    if shown:
        images = amount(len(shown), "image that shows", "images that show")
        outcome.faults.append(f"training: {images} what is tested, like {min(shown)}")


def _rows(subject: Subject, mode: str, draw: int, outcome: Outcome, say: Say) -> dict[str, Any]:
    """Compares rows, and returns what was compared for each metric."""
    layout = subject.entry.layout
    claimed = _values(subject.path, subject.entry)
    chosen = sampling.drawn(subject.entry, mode, draw)
    for name, _ in layout.sets:
        images = {
            (part.seed, at) for part, _ in chosen if part.dataset == name for at in part.pictures
        }
        say(f"{amount(len(images), 'image')} of {name}")
    compared = _Compared(dict(zip(layout.metrics, layout.counts(), strict=True)))
    for part, levels in chosen:
        for key, value in subject.rows(part, levels):
            metric, name, _, level, dial, _ = key
            # What a board takes means of: what is raised there may not be made up for elsewhere.
            pools = [""] if level == dial else [" with the dial set wrong"]
            pools += [f" on {name}{pools[0]}"] if len(layout.sets) > 1 else []
            compared.add(metric, key, claimed[key], value, pools)
    return compared.close("row", outcome)


def _means(
    one: Entry,
    claimed: Mapping[rows.Key, float],
    found: Mapping[rows.Key, float],
    outcome: Outcome,
) -> dict[str, Any]:
    """Compares means over seeds and images at every level (and dial)."""
    pools: dict[tuple, list[tuple[float, float]]] = {}
    for key, value in claimed.items():
        metric, name, _, level, dial, _ = key
        if key not in found:
            raise JobError(f"training again gave no {metric} of {name} at level {level}")
        pools.setdefault((metric, name, level, dial), []).append((value, found[key]))
    counts = {metric: sum(key[0] == metric for key in pools) for metric in one.layout.metrics}
    compared = _Compared(counts, proof.RETRAINED)
    for key, pairs in pools.items():
        own, theirs = (statistics.fmean(column) for column in zip(*pairs, strict=True))
        compared.add(key[0], key, own, theirs)
    return compared.close("mean", outcome)


class _Compared:
    """Differences by metric, and those that are too large.

    Args:
        counts: How many values there are of every metric.
        times: How many tolerances a difference may have.
    """

    def __init__(self, counts: Mapping[str, int], times: float = 1):
        self.facts = {
            metric: {
                "compared": 0,
                "of": count,
                "largest": 0.0,
                "allowed": records.get(metric).moves * times,
            }
            for metric, count in counts.items()
        }
        self.far: list[str] = []
        self.apart: dict[tuple[str, str], list[float]] = {}

    def add(
        self,
        metric: str,
        key: Iterable[object],
        claimed: float,
        found: float,
        pools: Iterable[str] = (),
    ) -> None:
        """Takes a value, and the words for the pools whose mean is held closer than values are."""
        about, apart = self.facts[metric], abs(claimed - found)
        about["compared"] += 1
        about["largest"] = max(about["largest"], round(apart, 6))
        for pool in pools:
            self.apart.setdefault((metric, pool), []).append(claimed - found)
        if apart > about["allowed"]:
            self.far.append(
                f"{','.join(map(str, key))}: the entry says {claimed:.6f}, computed again it is "
                f"{found:.6f} ({apart:.6f} apart, {about['allowed']:g} is allowed)"
            )

    def close(self, what: str, outcome: Outcome) -> dict[str, Any]:
        for (metric, pool), differences in self.apart.items():
            apart = statistics.fmean(differences)
            most = self.facts[metric]["allowed"] * max(BIAS, len(differences) ** -0.5)
            if abs(apart) > most:
                self.far.append(
                    f"{metric}{pool}: on average the entry differs by {apart:+.6f} from what is "
                    f"computed again, where {most:g} is allowed"
                )
        outcome.faults += [f"{what} {text}" for text in self.far[:NAMED]]
        if len(self.far) > NAMED:
            outcome.faults.append(f"and {len(self.far) - NAMED} more {what}s")
        return self.facts


def _told(compared: Mapping[str, Mapping[str, Any]], what: str) -> str:
    parts = [
        f"{metric} {one['compared']} of {one['of']}, largest difference {one['largest']:.6f}"
        for metric, one in compared.items()
    ]
    return f"{what}: {'; '.join(parts)}"


def _retrained(subject: Subject) -> dict[rows.Key, float]:
    """Returns the values of an entry after its training was done again, in a store of its own."""
    import tempfile

    from benchmark import engines
    from benchmark import plan as planning
    from benchmark.control import parse_level
    from benchmark.leaderboard.stored import Incomplete, numbers, scored
    from benchmark.planning.request import Choice, Request
    from benchmark.store import IMPORTED, Store

    facts = subject.entry.facts
    if not facts["training"]:
        raise UserError("it was not trained here, so it can be reproduced but not retrained")
    choice = Choice(facts["method"])
    request = Request(
        task=facts["task"],
        methods=(choice,),
        preset=subject.preset,
        backbone=facts["backbone"],
        seeds=tuple(facts["seeds"]),
        levels=tuple(map(parse_level, facts["levels"])),
        train=tuple(one["name"] for one in facts["training"]),
        test=tuple(one["name"] for one in facts["sets"]),
        offline=subject.offline,
        matrix=facts["crossed"],
    )
    with tempfile.TemporaryDirectory() as home:
        store = Store(home)
        store.prepare()
        imported = subject.store.home / IMPORTED
        if imported.is_dir():
            shutil.copytree(imported, store.home / IMPORTED)
        plan = planning.make(request, store)
        sets = [(one.name, one.digest, len(one.pictures)) for one in plan.training]
        told = [(one["name"], one["digest"], one["images"]) for one in facts["training"]]
        if sets != told:
            raise UserError("its training sets hold other images here")
        failed = engines.run(engine("local"), plan.jobs(), store, None)
        if failed:
            raise JobError(f"training again failed: {next(iter(failed.values()))}")
        try:
            return numbers(plan, scored(planning.make(request, store), store, choice))[2]
        except Incomplete as error:
            raise JobError(f"training again gave no rows: {error}") from None


def _record(
    subject: Subject,
    mode: str,
    draw: int,
    seen: Mapping[str, Any],
    compared: Mapping[str, Any],
    means: Mapping[str, Any] | None,
) -> dict[str, Any]:
    import torch

    import benchmark
    from benchmark.store import now

    try:
        sums = loaded.sums(subject.path)
    except Fault as fault:
        raise JobError(str(fault)) from None
    return {
        "schema": proof.SCHEMA,
        "mode": mode,
        "files": sums,
        "draw": draw,
        "canary": seen,
        "rows": compared,
        "means": means,
        "code": subject.code(),
        "software": {
            "harness": benchmark.__version__,
            "torch": torch.__version__,
            "device": "cpu",
        },
        "created_utc": now(),
    }
