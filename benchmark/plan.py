"""Planning: what is wanted, less what is stored, as an ordered graph of jobs."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from benchmark import assets, build, collector, tasks
from benchmark.amount import amount
from benchmark.control import Level
from benchmark.data.pairs import default_tests, open_test
from benchmark.data.sources import ImageSet, anywhere, default_sets, open_set
from benchmark.errors import Failure, JobError, UserError, utf8_names
from benchmark.metrics.needs import needed
from benchmark.metrics.scorer import availability
from benchmark.planning import keys, methods
from benchmark.planning.jobs import Job, Point, SweepJob, TrainJob
from benchmark.planning.leakage import Pair, leaks
from benchmark.planning.request import Request
from benchmark.planning.trained import trained_with
from benchmark.registry.digest import digest, weights_digest
from benchmark.store import Cell, Store
from benchmark.tasks import Task
from benchmark.train import steps_of


@dataclass
class Plan:
    """The jobs behind a request, in an order in which they could run one by one.

    Args:
        request: What was asked for, with sets filled in.
        task: The task.
        levels: Levels to score.
        images: The test sets by name.
        training: The training sets.
        trains: Every stage by key, stored or not.
        users: Methods that use each stage.
        sweeps: Every sweep by key, with all levels wanted.
        stored: Keys of the stages that are stored.
        missing: Points of the level x dial matrix without a complete cell, by sweep key.
        complete: The cells that are complete, by sweep key and point; they are not read again.
        failures: Methods that cannot run because something is wrong with them.
        skipped: Methods that do not take the task, and what else limits a method's results.
        forced: Keys of stages and of cells to forget before running.
    """

    request: Request
    task: Task
    levels: tuple[Level, ...]
    images: dict[str, ImageSet]
    training: tuple[ImageSet, ...] = ()
    trains: dict[str, TrainJob] = field(default_factory=dict)
    users: dict[str, list[str]] = field(default_factory=dict)
    sweeps: dict[str, SweepJob] = field(default_factory=dict)
    stored: set[str] = field(default_factory=set)
    missing: dict[str, tuple[Point, ...]] = field(default_factory=dict)
    complete: dict[tuple[str, Point], Cell] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    skipped: list[Failure] = field(default_factory=list)
    forced: tuple[set[str], set[str]] = field(default_factory=lambda: (set(), set()))

    def jobs(self, train: bool = True, sweep: bool = True) -> list[Job]:
        """Returns the jobs to run: stages that are not stored, then sweeps with missing cells."""
        found: list[Job] = []
        if train:
            found += [job for key, job in self.trains.items() if key not in self.stored]
        if sweep:
            found += [
                job.only(self.missing[key]) for key, job in self.sweeps.items() if self.missing[key]
            ]
        return found

    def steps(self, key: str) -> int:
        """Returns the training steps of a stage."""
        job = self.trains[key]
        return steps_of(job.stage, job.preset, self.task)

    @property
    def notes(self) -> list[Failure]:
        """What is to be said of methods, each once: what is wrong with them, what limits them."""
        return list(dict.fromkeys([*self.failures, *self.skipped]))

    @property
    def unfit(self) -> list[Failure]:
        """What is left out: methods that something is wrong with, or that do not take the task."""
        there = {job.method for job in self.sweeps.values()}
        skipped = [one for one in self.skipped if one.method not in there]
        return list(dict.fromkeys([*self.failures, *skipped]))

    def leaks(self, store: Store, say: Callable[[str], None] = lambda text: None) -> list[Pair]:
        """Returns the training images that show what is tested, and notes them for the report."""
        if not self.trains:
            return []
        found = leaks(self.training, list(self.images.values()), store, say)
        if found:
            images = amount(
                len({pair.first for pair in found}), "image that shows", "images that show"
            )
            text = f"trained on {images} what is tested; see 'dialbench data check'"
            users = dict.fromkeys(name for names in self.users.values() for name in names)
            self.skipped += [Failure(one, self.request.backbone, None, text) for one in users]
        return found

    def begin(self, store: Store, sweep: bool = True) -> None:
        """Records broken methods, forgets outdated failures and what ``--force`` names.

        Args:
            store: The store.
            sweep: Whether cells are going to be scored; if not, none is forgotten.
        """
        for choice in self.request.methods:
            key = digest(["plan", self.task.name, choice.method, self.request.backbone])
            broken = [one for one in self.failures if one.method == choice.method]
            if broken:
                store.write_failure(key, broken[0])
            else:
                store.clear_failure(key)
        for key in (*self.stored, *(one for one, points in self.missing.items() if not points)):
            store.clear_failure(key)
        for key in self.forced[0]:
            store.forget_stage(key)
        for key in self.forced[1] if sweep else ():
            store.forget_cell(self.task.name, key)


@collector.paused()
def make(request: Request, store: Store, train: bool = True) -> Plan:
    """Plans a request.

    Args:
        request: What was asked for.
        store: What is there.
        train: Whether missing stages may be trained; if not, ``--force`` leaves those that are there.

    Raises:
        UserError: If a name, option, level or set is wrong.
    """
    task = tasks.get(request.task)
    sets = tuple(anywhere(one, "train") for one in request.train) or default_sets(task, "train")
    plan = tested(dataclasses.replace(request, train=sets))
    request, training = plan.request, plan.training
    set_digests = tuple(one.digest for one in training)
    try:
        build.build_backbone(request.backbone, task, request.seeds[0])
    except JobError as error:
        raise UserError(str(error)) from error
    asked = [(one, methods.asked(plan, one)) for one in request.methods]
    for seed in request.seeds:
        for choice, needs in asked:
            if needs is not None:
                methods.add(plan, store, choice, seed, set_digests, needs)
    if not train:
        plan.forced[0].clear()
    look_up(plan, store)
    return plan


def tested(request: Request) -> Plan:
    """Returns a plan without methods: its sets, opened, and levels.

    Args:
        request: What was asked for, its training sets among it if any matter.

    Raises:
        UserError: If a set is wrong.
    """
    task = tasks.get(request.task)
    test = tuple(anywhere(one, "test") for one in request.test) or default_tests(task)
    request = dataclasses.replace(request, test=test)
    if request.offline:
        assets.close_hub((*request.train, *request.test))
    crop, offline, count = request.preset.crop, request.offline, len(request.test)
    found = _opened(
        [
            *(functools.partial(open_test, task, one, crop, offline) for one in request.test),
            *(functools.partial(open_set, one, "train", offline=offline) for one in request.train),
        ]
    )
    tests = dict(zip(request.test, found[:count], strict=True))
    training = tuple(found[count:])
    _named_apart("test", tests)
    _named_apart("training", dict(zip(request.train, training, strict=True)))
    return Plan(request, task, levels_of(request, task), tests, training)


def looked_at(request: Request, store: Store, train: bool = True) -> Plan:
    """Plans a request for what only looks at the store: nothing is downloaded."""
    with assets.as_they_are():
        return make(request, store, train)


def _opened(sets: Sequence[Callable[[], ImageSet]]) -> list[ImageSet]:
    """Opens sets of images; what is wrong with several is told at once."""
    found, wrong = [], {}
    for one in sets:
        try:
            with utf8_names():
                images = one()
                images.name.encode()
            found.append(images)
        except UserError as error:
            wrong.setdefault(str(error), error)
    if len(wrong) == 1:
        raise next(iter(wrong.values()))
    if wrong:
        raise UserError("; ".join(wrong))
    return found


def _named_apart(kind: str, sets: Mapping[str, ImageSet]) -> None:
    """Refuses sets of one name: nothing could say which is meant."""
    names: dict[str, str] = {}
    for asked, one in sets.items():
        if names.setdefault(one.name, asked) != asked:
            raise UserError(
                f"the {kind} sets {names[one.name]} and {asked} are both called '{one.name}'; rename "
                "one folder"
            )


def levels_of(request: Request, task: Task) -> tuple[Level, ...]:
    """Returns the levels that a request asks for: its own, the preset's, or the task's grid."""
    if request.levels is not None:
        return tuple(dict.fromkeys(task.space.check(level) for level in request.levels))
    if request.preset.points:
        points = request.preset.points
        return task.space.lattice(points if task.space.d < 3 else min(points, 3))
    return task.grid


def look_up(plan: Plan, store: Store) -> None:
    """Fills in which stages are stored and which cells are missing."""
    for key in plan.trains:
        if key not in plan.forced[0] and store.read_stage(key) is not None:
            plan.stored.add(key)
    available = availability(plan.task.metrics, plan.request.offline, store)
    imported = needed(plan.task.metrics, store)
    for key, job in plan.sweeps.items():
        redo = job.method in plan.request.force
        waits = not plan.forced[0].isdisjoint(job.stage_keys.values())
        missing = []
        for point, cell_key, cell in cells(plan, job, store):
            wanted = plan.task.metrics_at(*point)
            if redo and cell_key:
                plan.forced[1].add(cell_key)
            if redo or waits or cell is None or cell.without(wanted, available, imported):
                missing.append(point)
            else:
                plan.complete[key, point] = cell
        plan.missing[key] = tuple(missing)


def cells(
    plan: Plan, job: SweepJob, store: Store
) -> Iterator[tuple[Point, str | None, Cell | None]]:
    """Yields (point, key, cell) of a sweep; the key is None while a stage is not stored."""
    hashes: dict[str, str] = {}
    for name, stage_key in job.stage_keys.items():
        stage = store.read_stage(stage_key)
        if stage is None:
            yield from ((point, None, None) for point in job.points())
            return
        hashes[name] = stage.weights_sha256
    weights, images = weights_digest(hashes), plan.images[job.dataset]
    key_of = keys.cell_keys(job, plan.task, weights, images)
    for point in job.points():
        known = plan.complete.get((job.key, point))
        key = known.key if known else key_of(point)
        yield point, key, known or store.read_cell(plan.task.name, key)


def stored_cells(plan: Plan, store: Store) -> list[Cell]:
    """Returns the stored cells of a plan, ordered by method, dataset, seed and level."""
    order = {choice.method: index for index, choice in enumerate(plan.request.methods)}
    jobs = sorted(
        plan.sweeps.values(),
        key=lambda job: (order[job.method], plan.request.test.index(job.dataset), job.seed),
    )
    with collector.paused():
        return [cell for job in jobs for _, _, cell in cells(plan, job, store) if cell is not None]


def stored_jobs(plan: Plan, store: Store) -> list[SweepJob]:
    """Returns one job of every method that is trained: of its seeds the first that is."""
    found: dict[str, SweepJob] = {}
    for job in plan.sweeps.values():
        if all(store.read_stage(key) is not None for key in job.stage_keys.values()):
            found.setdefault(job.method, job)
    return list(found.values())


def untrained(plan: Plan) -> str:
    """Returns what to say of a method that is not trained."""
    return (
        f"nothing is trained for this; run 'dialbench train {plan.task.name}' first, with the same "
        "options"
    )


def nothing_there(plan: Plan, store: Store) -> str:
    """Returns what to say where no method of a plan can be used."""
    unfit = [str(one) for one in plan.unfit]
    # No training helps a network that is to be imported, or one that does not take the task.
    helps = any(job.stage_keys for job in plan.sweeps.values()) or not unfit
    told = [untrained(plan), trained_with(plan.task, store, plan.trains.values())] if helps else []
    return "; ".join([*told, *unfit])


def failures(plan: Plan, store: Store) -> list[Failure]:
    """Returns what gave no result, with reasons: methods, stages and sweeps."""
    recorded = [store.read_failure(key) for key in plan.sweeps]
    return [*plan.failures, *plan.skipped, *(one for one in recorded if one is not None)]
