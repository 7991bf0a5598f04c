"""The options that say which methods, levels, data and budget a verb is about."""

from __future__ import annotations

import argparse

from benchmark import config, tasks
from benchmark.registry.engines import OPTIONS


def selection(
    task: str | None = None, study: bool = False, works: bool = True, mirrors: bool = True
) -> argparse.ArgumentParser:
    """Returns the options that say which methods, levels, data and budget are meant.

    Args:
        task: How many tasks are named, as ``nargs`` says it; one by default.
        study: Whether a study is named instead of a task; it knows which task and methods it needs.
        works: Whether the verb trains or scores; one that only reads refuses what is about that, but
            for the engine and the leaks: it takes the words of the run, and does not speak of them.
        mirrors: Whether what it does can be mirrored; where it cannot, ``--wandb`` is not offered, and
            the verb says why.
    """
    one = argparse.ArgumentParser(add_help=False)
    if study:
        one.add_argument("name", metavar="NAME", nargs="?", help="the study; --list shows them")
        one.add_argument("--task", metavar="TASK", help="the task (default: the study's)")
    else:
        one.add_argument(
            "task",
            metavar="TASK",
            nargs=task,
            help=(
                f"one of: {', '.join(tasks.names())}; "
                "TASK@PROTOCOL judges it under another protocol"
            ),
        )
    one.add_argument(
        "--methods",
        nargs="+",
        metavar="NAME",
        help="methods and baselines, like dni,ftn:groups=4 (default: "
        + ("the study's)" if study else "eight methods, floor, blend, experts)"),
    )
    one.add_argument(
        "--method", action="append", default=[], metavar="FILE", help="a method file to add"
    )
    one.add_argument(
        "--preset",
        default="laptop",
        metavar="P,P" if task == "+" else "P",
        help=f"{', '.join(config.PRESETS)} (default: laptop)",
    )
    one.add_argument("--backbone", metavar="B", help="like small:width=32 (default: the preset's)")
    one.add_argument(
        "--seeds",
        default=None if study else "0",
        metavar="N,N",
        help="seeds (default: " + ("the study's)" if study else "0)"),
    )
    levels = one.add_mutually_exclusive_group()
    levels.add_argument(
        "--levels",
        metavar="T,T",
        help="levels from 0 to 1; with two dials 0/0.5 (default: the preset's)",
    )
    levels.add_argument(
        "--physical",
        metavar="V,V",
        help="levels in the task's unit, like 15,25,50; with two dials 2/25",
    )
    one.add_argument(
        "--matrix",
        action="store_true",
        help=f"{'also score' if works else 'the run also scored'} every level with the dial set wrong",
    )
    own = "those of the task that DIALBENCH_DATA holds, else builtin"
    for name, kind in (("--train", "training"), ("--test", "test")):
        one.add_argument(name, metavar="SET,SET", help=f"{kind} sets or folders (default: {own})")

    def of_work(text: str) -> str:
        return text if works else argparse.SUPPRESS

    one.add_argument(
        "--allow-leaks",
        action="store_true",
        help=of_work("run even if training images are in test sets"),
    )
    one.add_argument(
        "--engine",
        default="local",
        metavar="E",
        help=of_work(f"{', '.join(OPTIONS)}; with options like slurm:partition=gpu:chunk=4"),
    )
    one.add_argument(
        "--jobs",
        type=int,
        metavar="N",
        help=of_work("jobs at once (default: 2 on a CPU, 1 on a GPU, on clusters what fits)"),
    )
    one.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a setting of the preset, like steps=1000",
    )
    one.add_argument("--offline", action="store_true", help="never download anything")
    if not works:
        one.set_defaults(force=[], dry_run=False, wandb=False)
        return one
    redone = one.add_mutually_exclusive_group()
    redone.add_argument(
        "--force",
        action="append",
        default=[],
        metavar="NAME",
        help="redo a method of --methods, but for what it shares",
    )
    redone.add_argument(
        "--only-missing", action="store_true", help="do what is not stored yet (the default)"
    )
    one.add_argument("--dry-run", action="store_true", help="show what would be done, do nothing")
    one.add_argument(
        "--wandb",
        action="store_true",
        help="mirror the results to W&B" if mirrors else argparse.SUPPRESS,
    )
    return one
