"""What a user asks for, from Python or the options of the command line.

This module imports no torch.
"""

from __future__ import annotations

import argparse
import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark import config, tasks
from benchmark.amount import amount
from benchmark.config import Preset
from benchmark.control import ControlSpace, Level, level_text, parse_level
from benchmark.errors import LevelError, UserError
from benchmark.records import expanded
from benchmark.registry import discovery, spec
from benchmark.registry.edited import reread
from benchmark.registry.engines import engine

FILE = re.compile(r"(.+?\.py)((?::\w+=[^:]*)*)")
"""A method file and its options; folders on the way may be called anything, like ``.pyenv``."""


SEEDS = "--seeds {}: give whole numbers of 0 or more, like 0,1"


@dataclass(frozen=True)
class Choice:
    """One method to run: its canonical specification, and its file if it is not discovered."""

    method: str
    file: str | None = None


@dataclass(frozen=True)
class Request:
    """What a user wants.

    Args:
        task: Task name.
        methods: The methods and baselines.
        preset: The budget.
        backbone: Backbone specification.
        seeds: Seeds.
        levels: Levels to score, or None for the preset's grid.
        train: Training sets, or none for the task's own.
        test: Test sets, or none for the task's own.
        offline: Whether downloads are forbidden.
        force: Method specifications whose own stages and cells are redone.
        matrix: Whether every level is also scored with the dial set to every other one.
        allow_leaks: Whether training images may show what is tested.
        backbone_named: Whether the backbone was named, be it the preset's or another.

    Raises:
        UserError: If a matrix is asked for of a task whose dial cannot be set wrong.
    """

    task: str
    methods: tuple[Choice, ...]
    preset: Preset
    backbone: str
    seeds: tuple[int, ...] = (0,)
    levels: tuple[Level, ...] | None = None
    train: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    offline: bool = False
    force: tuple[str, ...] = ()
    matrix: bool = False
    allow_leaks: bool = False
    backbone_named: bool = False

    def __post_init__(self) -> None:
        # Here, so that no request becomes one with a matrix unchecked: cells would be false.
        if self.matrix and (reason := no_matrix(self.task)):
            raise UserError(f"--matrix {reason}")


def no_matrix(task: str) -> str:
    """Returns what a level x dial matrix needs that a task has not, or nothing if it has all."""
    about = tasks.get(task)
    if not about.has_true_level:
        return f"needs a task whose images have a true level, which those of {task} have not"
    if about.dial != "level":
        return f"needs a dial that is set by hand, and {task} sets its own"
    return ""


def wanted(
    task: str,
    methods: Sequence[str] | None = None,
    *,
    preset: str = "laptop",
    changes: Sequence[str] = (),
    backbone: str | None = None,
    seeds: Sequence[int] = (0,),
    levels: Sequence[Level | float] | None = None,
    train: Sequence[str] = (),
    test: Sequence[str] = (),
    offline: bool = False,
    force: Sequence[str] = (),
    matrix: bool = False,
    allow_leaks: bool = False,
) -> Request:
    """Returns a request; every name is checked before torch is loaded.

    Args:
        task: Task name.
        methods: Methods and baselines, like ``ftn:groups=4``, or their files; None means the default.
        preset: Name of the budget.
        changes: What is changed in it, like ``steps=300``.
        backbone: Backbone, like ``small:width=32``; None means the preset's.
        seeds: Seeds, 0 or more.
        levels: As ``Request`` has them, and what follows too; where there is one dial, numbers do.
        train: Training sets.
        test: Test sets.
        offline: Whether downloads are forbidden.
        force: Methods to redo.
        matrix: Whether to score every level with the dial set wrong, too.
        allow_leaks: Whether training images may show what is tested.

    Raises:
        UserError: If a name, number or option is wrong.
    """
    for name, value in (
        *(("methods", methods), ("changes", changes), ("train", train)),
        *(("test", test), ("force", force)),
    ):
        if isinstance(value, str):
            raise UserError(f"{name}='{value}': give a list, like ['{value}']")
    if isinstance(seeds, int):
        raise UserError(f"seeds={seeds}: give a list, like [{seeds}]")
    about = tasks.get(task)
    budget = config.preset(preset, changes)
    chosen = str(spec.parse(budget.backbone if backbone is None else backbone))
    discovery.backbone_source(chosen)
    choices = _choices(discovery.default_methods() if methods is None else methods)
    redone = tuple(str(spec.parse(name)) for name in force)
    for name in redone:
        if name not in [one.method for one in choices]:
            raise UserError(f"--force {name}: it is not among the methods of this run")
    if levels is not None and not levels:
        raise UserError("no level was given; write for example --levels 0,0.5,1")
    if any(type(one) is not int or one < 0 for one in seeds) or not seeds:
        raise UserError(SEEDS.format(",".join(map(str, seeds))))
    return Request(
        task,
        choices,
        budget,
        chosen,
        tuple(seeds),
        None if levels is None else tuple(_asked(about.space, one) for one in levels),
        tuple(train),
        tuple(test),
        offline,
        redone,
        matrix,
        allow_leaks,
        backbone is not None,
    )


def _asked(space: ControlSpace, level: Level | float) -> Level:
    """Returns a level that is asked for: in the range, and not between values that have names.

    Raises:
        LevelError: If it is not.
    """
    point = space.check(level)
    for axis, value in zip(space.axes, point, strict=True):
        there = axis.line(0) if axis.names else []
        if there and min(abs(value - one) for one in there) > 1e-4:
            have = (f"{level_text((one,))} ({axis.text(axis.physical(one))})" for one in there)
            raise LevelError(
                f"level {level_text(point)}: there is no {axis.name} at {level_text((value,))}; "
                f"choose from: {', '.join(have)}"
            )
    return point


def request_of(args: argparse.Namespace) -> Request:
    """Returns the request behind the options of the command line.

    Raises:
        UserError: If a name, number or option is wrong.
    """
    engine(args.engine)
    if args.jobs is not None and args.jobs < 1:
        raise UserError(f"--jobs {args.jobs}: give 1 or more")
    for name in args.method:
        if not FILE.fullmatch(name):
            raise UserError(f"--method {name}: give a file like mine.py:k=3; names go to --methods")
    redone = names_in(args.force)
    if args.force and not redone:
        raise UserError("--force names no method; name one, or leave --force out")
    named = discovery.default_methods() if args.methods is None else names_in(args.methods)
    return wanted(
        args.task,
        (*named, *args.method),
        preset=args.preset,
        changes=args.set,
        backbone=args.backbone,
        seeds=_seeds(args.seeds),
        levels=_levels(args),
        train=sets_in("--train", args.train),
        test=sets_in("--test", args.test),
        offline=args.offline,
        force=redone,
        matrix=args.matrix,
        allow_leaks=args.allow_leaks,
    )


def _choices(names: Sequence[str]) -> tuple[Choice, ...]:
    """Returns every method asked for, each once."""
    found = [choice_of(name) for name in names]
    if not found:
        raise UserError("no method was named; give --methods a,b or leave it out for all")
    files: dict[str, str | None] = {}
    for one in found:
        if files.setdefault(one.method, one.file) != one.file:
            raise UserError(
                f"{files[one.method]} and {one.file} are both called '{one.method}'; rename one file"
            )
    return tuple(dict.fromkeys(found))


def choice_of(name: str) -> Choice:
    """Returns the method that ``name`` or ``path/to/file.py`` means, with options like ``:k=3``.

    Raises:
        UserError: If there is no such method or file, or the file takes another method's name.
    """
    found = FILE.fullmatch(name)
    if found is None:
        method = str(spec.parse(name))
        discovery.source_of(method)
        return Choice(method)
    file = Path(found[1])
    discovery.source_of("", file)
    method = str(spec.parse(file.stem + found[2]))
    known = [entry.name for entry in discovery.entries() if entry.group != "network"]
    if file.stem in known:
        raise UserError(f"{file}: the name '{file.stem}' is taken; rename the file")
    reread(file.resolve())
    return Choice(method, str(file.resolve()))


def names_in(texts: Sequence[str]) -> tuple[str, ...]:
    """Returns the names in texts that separate them by commas or spaces."""
    return tuple(dict.fromkeys(" ".join(texts).replace(",", " ").split()))


def sets_in(option: str, text: str | None) -> tuple[str, ...]:
    """Returns the image sets that an option separates by commas; folders may hold spaces.

    Raises:
        UserError: If the option was given and names none (an empty variable of a shell must not
            become the default), or one begins with the home of nobody.
    """
    found = tuple(dict.fromkeys(one.strip() for one in (text or "").split(",") if one.strip()))
    if text is not None and not found:
        raise UserError(f"{option} names no image set; name one, or leave {option} out")
    for one in found:
        expanded(one)
    return found


def _levels(args: argparse.Namespace) -> tuple[Level, ...] | None:
    space = tasks.get(args.task).space
    if args.levels is not None:
        texts = names_in([args.levels])
        found = tuple(_numbers("--levels", text, args.task) for text in texts)
        for point in found:
            if max(point) > 1 and _are_physical(point, space):
                names, text = "/".join(axis.name for axis in space.axes), level_text(point)
                raise LevelError(
                    f"level {text} lies outside [0, 1]; give values from 0 to 1, "
                    f"or {names} with --physical {text}"
                )
        return found
    if args.physical is not None:
        found = (_numbers("--physical", text, args.task) for text in names_in([args.physical]))
        return tuple(space.level_of(one) for one in found)
    return None


def _are_physical(values: Sequence[float], space: ControlSpace) -> bool:
    """Whether numbers that are no level are one's physical values."""
    with contextlib.suppress(LevelError):
        space.level_of(values)
        return True
    return False


def _numbers(option: str, text: str, task: str) -> tuple[float, ...]:
    """Returns the numbers of a level in an option, one for each dial of a task.

    Raises:
        UserError: If they are others; the message shows what one looks like.
    """
    space, physical = tasks.get(task).space, option == "--physical"
    with contextlib.suppress(UserError):
        point = parse_level(text)
        if len(point) == space.d:
            return point
    names = "/".join(axis.name for axis in space.axes)
    example = space.physical(space.end) if physical else (0.25,) * space.d
    what = f"{amount(space.d, 'number')}{'' if physical else ' from 0 to 1'} ({names})"
    raise UserError(f"{option} {text}: a level is {what}; give it like {level_text(example)}")


def _seeds(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(one) for one in names_in([text]))
    except ValueError:
        raise UserError(SEEDS.format(text)) from None
