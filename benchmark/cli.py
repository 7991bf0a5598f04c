"""The command line: words to verbs. Nothing heavy is imported before it is needed."""

from __future__ import annotations

import argparse
import contextlib
import errno
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import benchmark
from benchmark import streams
from benchmark.errors import JobError, UserError, not_installed, one_line, spelled, unknown
from benchmark.importing import KINDS
from benchmark.records import check_places
from benchmark.training.stopping import Stopped
from benchmark.verbs import bench, tools
from benchmark.verbs.selection import selection

BOARDS = Path("leaderboards")
BAD_PATH = (errno.ENOENT, errno.EACCES, errno.ENAMETOOLONG, errno.ENOTDIR, errno.ELOOP)
"""What is wrong with a path, rather than with the machine."""


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see {self.prog} --help")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """Ends after what --help and --version say, once that is written."""
        streams.finish()
        super().exit(status, message)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command line; returns 0 if all went well, 1 if something failed, 2 on bad usage."""
    command = argv is None
    argv = sys.argv[1:] if argv is None else list(argv)
    debug = "--debug" in argv
    streams.prepare()
    try:
        top, names = parser()
        check_places()
        for word in argv:
            # argparse takes a value of -- away, and hands on an empty list instead.
            if word.startswith("--") and word.endswith("=--"):
                raise UserError(f"{word}: give a value; see {top.prog} --help")
        first = next((word for word in argv if not word.startswith("-")), None)
        if first is not None and first not in names:
            raise UserError(unknown("verb", first, names))
        args, left = top.parse_known_args(argv)
        if left:
            # Of itself argparse would name the help of all verbs, where no option is.
            of = " ".join(filter(None, (top.prog, first, getattr(args, "action", ""))))
            raise UserError(f"unrecognized arguments: {' '.join(left)}; see {of} --help")
        code = args.verb(args)
        streams.finish()
        return code
    except (KeyboardInterrupt, Stopped) as stop:
        if command:
            # Ctrl-C twice in a hurry says the same once. Whoever called this from Python goes on.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        stopped = isinstance(stop, Stopped)
        text = f"{stop}; what is done is saved," if stopped else "interrupted;"
        streams.say(f"dialbench: {text} run the same command again to go on")
        return 128 + (stop.number if stopped else signal.SIGINT)
    except BrokenPipeError:
        return 1
    except (UserError, JobError) as error:
        if debug:
            raise
        streams.say(f"dialbench: {spelled(error)}")
        return 2 if isinstance(error, UserError) else 1
    except OSError as error:
        if debug:
            raise
        if error.filename is None:
            streams.say(f"dialbench: {error.strerror or one_line(error)}")
            return 1
        name = spelled(error.filename)
        streams.say(f"dialbench: {name} cannot be used: {error.strerror}")
        return 2 if error.errno in BAD_PATH else 1
    except Exception as error:
        if debug:
            raise
        # A Python without the project's packages is the usual reason.
        missing = not_installed(error) if isinstance(error, ModuleNotFoundError) else None
        text = missing or f"unexpected {one_line(error)}; add --debug to see where"
        streams.say(f"dialbench: {text}")
        return 1
    finally:
        with contextlib.suppress(OSError):
            streams.finish()


def parser() -> tuple[Parser, list[str]]:
    """Returns the parser of the whole command line, and its verbs."""
    debug = argparse.ArgumentParser(add_help=False)
    debug.add_argument(
        "--debug", action="store_true", default=argparse.SUPPRESS, help="show tracebacks"
    )
    wanted, stored = selection(), selection(works=False)
    top = Parser(prog="dialbench", description=benchmark.__doc__, parents=[debug])
    top.add_argument("--version", action="version", version=f"dialbench {benchmark.__version__}")
    commands = top.add_subparsers(metavar="VERB", required=True)

    def add(name: str, verb: Callable, text: str, *parents: argparse.ArgumentParser) -> Parser:
        one = commands.add_parser(name, help=text, description=text, parents=[debug, *parents])
        one.set_defaults(verb=verb)
        return one

    known = add("list", tools.list_all, "list tasks, methods, backbones, protocols and presets")
    known.add_argument(
        "--matrix",
        action="store_true",
        help="whether each method runs on each task and backbone, or why not (takes a while)",
    )
    known.add_argument("--json", action="store_true", help="the matrix as JSON")
    add("run", bench.run, "train what is missing, sweep the dial, write the report", wanted)
    add("train", bench.train, "train the stages that are missing", selection(mirrors=False))
    scored = add(
        "sweep",
        bench.sweep,
        "score what is trained at the levels that are missing, write the report",
        wanted,
    )
    _entries(scored)
    told = add("report", bench.report, "write the report from what is stored", stored)
    told.add_argument("--to", type=Path, metavar="FOLDER", help="default: runs/report/TASK")
    _entries(told)
    add(
        "size",
        bench.size,
        "hours and storage of a campaign, from what runs in the store took",
        selection(task="+", works=False),
    )
    demo = add("demo", bench.demo, "turn the dial of trained methods in a browser", stored)
    _entries(demo)
    demo.add_argument("--port", type=int, metavar="N", help="default: the first free from 7860")
    out = add(
        "export",
        bench.export,
        "write trained networks for other programs, one for each level",
        stored,
    )
    out.add_argument("--to", type=Path, metavar="FOLDER", help="default: runs/export/TASK")
    out.add_argument(
        "--onnx", action="store_true", help="as ONNX too, also one file that takes the level"
    )
    _entries(out)
    own = add("restore", bench.restore, "restore images of your own with trained methods", stored)
    own.add_argument("image", metavar="IMAGE", type=Path, nargs="+", help="an image file")
    own.add_argument("--to", type=Path, metavar="FOLDER", help="default: runs/restored/TASK")
    _entries(own)
    own.add_argument(
        "--calibrated",
        action="store_true",
        help="set the dial to what was best for a level (needs a run with --matrix)",
    )
    add(
        "publish",
        bench.publish,
        "mirror what is stored of a task, or of all, to Weights & Biases",
        selection(task="?", works=False),
    )
    study = add(
        "analyze",
        bench.analyze,
        "make a study of the papers from trained networks, training what is missing",
        selection(study=True, mirrors=False),
    )
    study.add_argument("--list", action="store_true", help="show the studies, one line each")
    kinds = ", ".join(KINDS)
    take = add(
        "import", tools.import_network, "import a network that others trained, to run it here"
    )
    take.add_argument("kind", metavar="KIND", help=f"one of: {kinds}")
    take.add_argument("files", metavar="FILE", type=Path, nargs="+", help="the authors' file")
    take.add_argument("--sigma", type=float, metavar="S", help="noise level that cdncnn is for")
    mix = add(
        "interpolate",
        tools.interpolate,
        "write the networks between two that others trained, from their files",
    )
    mix.add_argument("start", metavar="START", type=Path, help="the network at level 0")
    mix.add_argument("end", metavar="END", type=Path, help="the network at level 1")
    mix.add_argument(
        "--levels", default="0.25,0.5,0.75", metavar="T,T", help="default: %(default)s"
    )
    mix.add_argument(
        "--to", type=Path, metavar="FOLDER", help="default: runs/interpolated/START-END"
    )
    check = add("test", tools.test_method, "check that a method keeps the contract of all methods")
    check.add_argument("method", metavar="METHOD", help="a method, or its file like mine.py:k=3")
    check.add_argument("--backbone", metavar="B", help="the only backbone (default: small ones)")
    new = add("new", tools.new, "write a method that works, to be replaced by your own")
    new.add_argument("name", metavar="NAME", help="like my_method")
    new.add_argument(
        "--at", type=Path, default=Path(), metavar="FOLDER", help="where its folder goes"
    )
    new.add_argument(
        "--package", action="store_true", help="make the folder a package that pip can install"
    )
    data = add("data", tools.show_data, "show the image sets, or check what is in them")
    data.add_argument(
        "action",
        nargs="?",
        choices=("list", "check", "verify", "manifest"),
        default="list",
        help=(
            "check: find training images inside test sets, also cropped, resized or recompressed; "
            "verify: compare images with those that the boards were made with; manifest: print the "
            "digest of the pixels of every image"
        ),
    )
    data.add_argument("--train", metavar="SET,SET", help="default: all that are here")
    data.add_argument("--test", metavar="SET,SET", help="default: all that are here")
    stock = add("store", tools.show_store, "show what is stored, or clear some of it")
    stock.add_argument(
        "action", nargs="?", choices=("list", "clear"), default="list", help="default: list"
    )
    for name in ("task", "preset", "backbone", "methods", "seeds"):
        stock.add_argument(
            f"--{name}", metavar="NAME,NAME", help="only these; patterns like 'smoke*' too"
        )
    stock.add_argument("--days", type=int, metavar="N", help="only what is older than N days")
    stock.add_argument("--dry-run", action="store_true", help="show what would be cleared")
    doctor = add("doctor", tools.run_doctor, "check the installation, data and weights")
    doctor.add_argument(
        "pair", metavar="IMAGE", type=Path, nargs="*", help="two images to score in every way"
    )
    doctor.add_argument("--offline", action="store_true", help="never download anything")
    board = add("board", tools.board, "leaderboards: hand entries in, check them, build the boards")
    _board_actions(board, debug, stored)
    job = add("job", tools.run_job, "run one job file")
    job.add_argument("file", metavar="FILE", type=Path, help="a job written as JSON")
    return top, list(commands.choices)


def _entries(verb: Parser) -> None:
    """Adds the option that names entries of leaderboards to the parser of a verb."""
    verb.add_argument(
        "--entry",
        type=Path,
        action="append",
        default=[],
        metavar="FOLDER",
        help="the network of an entry of a leaderboard, instead of what is trained here",
    )


def _board_actions(
    board: Parser, debug: argparse.ArgumentParser, stored: argparse.ArgumentParser
) -> None:
    """Adds what ``board`` can do to its parser."""
    actions = board.add_subparsers(metavar="ACTION", required=True, dest="action")
    where: Any = {"metavar": "PATH", "type": Path, "nargs": "?", "default": BOARDS}

    def add(name: str, text: str, *parents: argparse.ArgumentParser) -> argparse.ArgumentParser:
        return actions.add_parser(name, help=text, description=text, parents=[debug, *parents])

    submit = add("submit", "write an entry for each method from what is stored", stored)
    submit.add_argument(
        "--boards", type=Path, default=BOARDS, metavar="FOLDER", help="default: leaderboards"
    )
    submit.add_argument(
        "--licence",
        default="",
        metavar="L",
        help="of the weights, like MIT (default: that of imported ones, else MIT)",
    )
    submit.add_argument(
        "--weights",
        default="auto",
        metavar="W",
        help=(
            "copy, half (rounded to float16 and scored again), none, or the https:// folder of "
            "<sha256>.safetensors; by default half up to 8 MiB, none beyond"
        ),
    )
    check = add("check", "check entries and boards: offline, running nothing of what they hold")
    check.add_argument("path", **where, help="all leaderboards, one task's, or one entry")
    check.add_argument(
        "--base", metavar="REF", help="a folder or git revision whose entries must not have changed"
    )
    check.add_argument(
        "--allow-status", action="store_true", help="statuses may differ from those of the base"
    )
    verify = add(
        "verify", "compute entries again from their weights, and record those that are true"
    )
    verify.add_argument("entry", metavar="ENTRY", type=Path, nargs="+", help="folders of entries")
    verify.add_argument(
        "--mode",
        default="fast",
        metavar="M",
        help=(
            "canary: one image; fast (default): 24 pairs of image and level; exact: everything; "
            "retrain: also the training"
        ),
    )
    verify.add_argument("--draw", type=int, metavar="N", help="draw the images of an earlier time")
    verify.add_argument(
        "--weights", type=Path, metavar="FOLDER", help="holds <sha256>.safetensors of the entry"
    )
    verify.add_argument("--offline", action="store_true", help="never download anything")
    places = "user/repository[@revision] on the Hugging Face hub, ./folder or file:///folder"
    push = add("push", "copy entries, weights and cards to the Hugging Face hub or to a folder")
    push.add_argument("entry", metavar="ENTRY", type=Path, nargs="+", help="folders of entries")
    push.add_argument("--to", metavar="PLACE", required=True, help=places)
    pull = add("pull", "copy entries from there, as far as the referee takes them")
    pull.add_argument("place", metavar="PLACE", help=places)
    pull.add_argument(
        "entry", metavar="ENTRY", nargs="?", default="", help="task, or task/id (default: all)"
    )
    pull.add_argument(
        "--boards", type=Path, default=BOARDS, metavar="FOLDER", help="default: leaderboards"
    )
    build = add("build", "build the boards from the entries")
    build.add_argument("path", **where, help="all leaderboards, or one task's")
    results = add("results", "write the tables and figures of docs/results.md from the entries")
    results.add_argument("path", **where, help="all leaderboards")
    results.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        default=Path("docs/results.md"),
        help="default: docs/results.md",
    )
    page = add("page", "write the boards as pages to look at, or to publish")
    page.add_argument("path", **where, help="all leaderboards, or one task's")
    page.add_argument("--out", type=Path, metavar="FOLDER", help="default: runs/boards")
