"""What a user asks for, from the options of the command line. This module imports no torch."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark import config, discovery, spec, tasks
from benchmark.config import Preset
from benchmark.control import Level, parse_level
from benchmark.engines import engine
from benchmark.errors import UserError

FILE = re.compile(r"(.+?\.py)((?::\w+=[^:]*)*)")
"""A method file and its options; folders on the way may be called anything, like ``.pyenv``."""


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


def request_of(args: argparse.Namespace) -> Request:
    """Returns the request behind the options; every name is checked before torch is loaded.

    Raises:
        UserError: If a name, number or option is wrong.
    """
    task = tasks.get(args.task)
    engine(args.engine)
    if args.jobs is not None and args.jobs < 1:
        raise UserError(f"--jobs {args.jobs}: give 1 or more")
    preset = config.preset(args.preset, args.set)
    backbone = str(spec.parse(args.backbone or preset.backbone))
    discovery.backbone_source(backbone)
    methods = _choices(args)
    force = tuple(str(spec.parse(name)) for name in names_in(args.force))
    for name in force:
        if name not in [one.method for one in methods]:
            raise UserError(f"--force {name}: it is not among the methods of this run")
    levels, seeds = _levels(args), _seeds(args.seeds)
    if args.matrix and not task.has_true_level:
        raise UserError(
            f"--matrix needs a task whose images have a true level, which those of {args.task} have not"
        )

    if args.matrix and task.dial != "level":
        raise UserError(f"--matrix needs a dial that is set by hand; {args.task} sets its own")

    return Request(
        args.task,
        methods,
        preset,
        backbone,
        seeds,
        levels,
        sets_in(args.train),
        sets_in(args.test),
        args.offline,
        force,
        args.matrix,
        args.allow_leaks,
    )


def _choices(args: argparse.Namespace) -> tuple[Choice, ...]:
    """Returns every method asked for, each once."""
    names = discovery.default_methods() if args.methods is None else names_in(args.methods)
    found: list[Choice] = []
    for name in (*names, *args.method):
        if name in args.method and not FILE.fullmatch(name):
            raise UserError(f"--method {name}: give a file like mine.py:k=3; names go to --methods")
        found.append(choice_of(name))
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
    return Choice(method, str(file.resolve()))


def names_in(texts: Sequence[str]) -> tuple[str, ...]:
    """Returns the names in texts that separate them by commas or spaces."""
    return tuple(dict.fromkeys(" ".join(texts).replace(",", " ").split()))


def sets_in(text: str) -> tuple[str, ...]:
    """Returns the image sets in a text that separates them by commas; folders may hold spaces."""
    return tuple(dict.fromkeys(one.strip() for one in text.split(",") if one.strip()))


def _levels(args: argparse.Namespace) -> tuple[Level, ...] | None:
    space = tasks.get(args.task).space
    if args.levels is not None:
        found = tuple(space.check(parse_level(text)) for text in names_in([args.levels]))
    elif args.physical is not None:
        found = tuple(space.level_of(parse_level(text)) for text in names_in([args.physical]))
    else:
        return None
    if not found:
        raise UserError("no level was given; write for example --levels 0,0.5,1")
    return found


def _seeds(text: str) -> tuple[int, ...]:
    try:
        seeds = tuple(int(one) for one in names_in([text]))
    except ValueError:
        seeds = ()
    if not seeds or min(seeds) < 0:
        raise UserError(f"--seeds {text}: give whole numbers of 0 or more, like 0,1")
    return seeds
