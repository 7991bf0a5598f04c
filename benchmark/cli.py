"""The command line: verbs to functions. Nothing heavy is imported before it is needed."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import benchmark
from benchmark import config, discovery, tasks
from benchmark.errors import JobError, UserError
from benchmark.importing import KINDS
from benchmark.metrics.protocol import PROTOCOLS
from benchmark.request import ENGINES, choice_of, request_of
from benchmark.store import Store

if TYPE_CHECKING:
    from benchmark.plan import Plan
    from benchmark.report.results import Results


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see {self.prog} --help")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command line; returns 0 if all went well, 1 if something failed, 2 on bad usage."""
    argv = sys.argv[1:] if argv is None else list(argv)
    debug = "--debug" in argv
    try:
        top, verbs = parser()
        first = next((word for word in argv if not word.startswith("-")), None)
        if first is not None and first not in verbs:
            raise UserError(discovery.unknown("verb", first, verbs))
        args = top.parse_args(argv)
        return args.verb(args)
    except KeyboardInterrupt:
        print("dialbench: interrupted; run the same command again to go on", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (UserError, JobError) as error:
        if debug:
            raise
        print(f"dialbench: {error}", file=sys.stderr)
        return 2 if isinstance(error, UserError) else 1
    except Exception as error:
        if debug:
            raise
        text = f"{type(error).__name__}: {error}".splitlines()[0]
        print(f"dialbench: unexpected {text}; add --debug to see where", file=sys.stderr)
        return 1


def parser() -> tuple[Parser, list[str]]:
    """Returns the parser of the whole command line, and its verbs."""
    debug = argparse.ArgumentParser(add_help=False)
    debug.add_argument(
        "--debug", action="store_true", default=argparse.SUPPRESS, help="show tracebacks"
    )
    wanted = _selection()
    top = Parser(prog="dialbench", description=benchmark.__doc__, parents=[debug])
    top.add_argument("--version", action="version", version=f"dialbench {benchmark.__version__}")
    verbs = top.add_subparsers(metavar="VERB", required=True)

    def add(name: str, verb: Callable, text: str, *parents: argparse.ArgumentParser) -> Parser:
        one = verbs.add_parser(name, help=text, description=text, parents=[debug, *parents])
        one.set_defaults(verb=verb)
        return one

    add("list", list_all, "list tasks, methods, backbones and presets")
    add("run", run, "train what is missing, sweep the dial, write the report", wanted)
    add("train", train, "train the stages that are missing", wanted)
    add("sweep", sweep, "score what is trained at the levels that are missing", wanted)
    add("report", report, "write the report from what is stored", wanted)
    add("publish", publish, "mirror what is stored to Weights & Biases", wanted)
    kinds = ", ".join(KINDS)
    take = add("import", import_network, "import a network that others trained, to run it here")
    take.add_argument("kind", metavar="KIND", help=f"one of: {kinds}")
    take.add_argument("files", metavar="FILE", type=Path, nargs="+", help="the authors' file")
    take.add_argument("--sigma", type=float, metavar="S", help="noise level that cdncnn is for")
    check = add("test", test_method, "check that a method keeps the contract of all methods")
    check.add_argument("method", metavar="METHOD", help="a method, or its file like mine.py:k=3")
    check.add_argument("--backbone", metavar="B", help="the only backbone (default: small ones)")
    add("data", show_data, "show the image sets that can be used")
    doctor = add("doctor", run_doctor, "check the installation, data and weights")
    doctor.add_argument("--offline", action="store_true", help="never download anything")
    job = add("job", run_job, "run one job file")
    job.add_argument("file", metavar="FILE", type=Path, help="a job written as JSON")
    return top, list(verbs.choices)


def _selection() -> argparse.ArgumentParser:
    """Returns the options that say which methods, levels, data and budget are meant."""
    one = argparse.ArgumentParser(add_help=False)
    one.add_argument(
        "task",
        metavar="TASK",
        help=f"one of: {', '.join(tasks.names())}; TASK@PROTOCOL judges it under another protocol",
    )
    one.add_argument(
        "--methods", nargs="+", metavar="NAME", help="methods and baselines, like dni,ftn:groups=4"
    )
    one.add_argument(
        "--method", action="append", default=[], metavar="FILE", help="a method file to add"
    )
    one.add_argument("--preset", default="laptop", metavar="P", help=", ".join(config.PRESETS))
    one.add_argument("--backbone", metavar="B", help="like small:width=32 (default: the preset's)")
    one.add_argument("--seeds", default="0", metavar="N,N", help="seeds (default: 0)")
    levels = one.add_mutually_exclusive_group()
    levels.add_argument("--levels", metavar="T,T", help="levels from 0 to 1; with two axes 0/0.5")
    levels.add_argument(
        "--physical", metavar="V,V", help="levels as physical values, like 15,25,50"
    )
    one.add_argument(
        "--matrix", action="store_true", help="also score every level with the dial set wrong"
    )
    one.add_argument("--train", default="", metavar="SET,SET", help="training sets")
    one.add_argument("--test", default="", metavar="SET,SET", help="test sets")
    one.add_argument("--engine", default="local", metavar="E", help=", ".join(ENGINES))
    one.add_argument("--jobs", type=int, metavar="N", help="jobs at once (default: 2 on a CPU)")
    one.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change the preset"
    )
    one.add_argument("--force", action="append", default=[], metavar="NAME", help="redo a method")
    one.add_argument("--dry-run", action="store_true", help="show what would be done, do nothing")
    one.add_argument("--offline", action="store_true", help="never download anything")
    one.add_argument("--wandb", action="store_true", help="mirror the results to W&B")
    return one


# ---- verbs --------------------------------------------------------------------------------------


def run(args: argparse.Namespace) -> int:
    """Trains, sweeps and reports."""
    return _work(args, train=True, sweep=True)


def train(args: argparse.Namespace) -> int:
    """Trains the missing stages."""
    return _work(args, train=True, sweep=False)


def sweep(args: argparse.Namespace) -> int:
    """Scores the missing cells of what is trained."""
    return _work(args, train=False, sweep=True)


def _work(args: argparse.Namespace, train: bool, sweep: bool) -> int:
    request, store = request_of(args), Store()
    if not args.dry_run:
        store.prepare()

    from benchmark import plan as planning
    from benchmark.engines import local

    plan = planning.make(request, store)
    if args.dry_run:
        print(planning.describe(plan))
        return 0
    plan.begin(store)
    failed = local.run(plan.jobs(train, sweep), store, args.jobs)
    if sweep:
        results = _results(plan, store)
        if results.rows.empty:
            print("nothing was scored, so there is no report", file=sys.stderr)
        else:
            _write_report(results, plan, store)
            if args.wandb:
                _mirror(results, plan, store)
    return _outcome(plan, store, failed)


def report(args: argparse.Namespace) -> int:
    """Writes the report of what is stored."""
    plan, store, results = _stored(args)
    _write_report(results, plan, store)
    return 0


def publish(args: argparse.Namespace) -> int:
    """Mirrors what is stored to Weights & Biases."""
    plan, store, results = _stored(args)
    _mirror(results, plan, store)
    return 0


def _stored(args: argparse.Namespace) -> tuple[Plan, Store, Results]:
    request, store = request_of(args), Store()
    store.prepare()

    from benchmark import plan as planning

    plan = planning.make(request, store)
    results = _results(plan, store)
    if results.rows.empty:
        raise UserError(
            f"nothing is stored for this request; start with 'dialbench run {plan.task.name}'"
        )
    return plan, store, results


def _results(plan: Plan, store: Store) -> Results:
    from benchmark import plan as planning
    from benchmark.collect import collect

    found = planning.stored_cells(plan, store)
    return collect(store, found, planning.failures(plan, store))


def _write_report(results: Results, plan: Plan, store: Store) -> None:
    from benchmark import report
    from benchmark.keys import preset_text

    folder = store.home / "report" / plan.task.name
    report.write(results, plan.task, preset_text(plan.request.preset), folder)
    print(headline(results, plan))
    print(f"report: {_shown(folder / 'index.html')}")


def headline(results: Results, plan: Plan) -> str:
    """Returns the headline metric as text: one line per method, one column per level."""
    from benchmark import report
    from benchmark.metrics import records

    task = plan.task
    metric = records.get(task.headline)
    table = report.table(results, task)
    lines = []
    for dataset, part in table.groupby("dataset", sort=False):
        levels = list(dict.fromkeys(part["level"]))
        lines.append(f"{metric.label} on {dataset}, by level")
        lines.append(f"{'':<24}" + "".join(f"{level:>9}" for level in levels))
        for method, own in part.groupby("method", sort=False):
            values = dict(zip(own["level"], own[task.headline], strict=True))
            shown = (values.get(level) for level in levels)
            texts = (
                "-" if one is None or one != one else f"{one:.{metric.digits}f}" for one in shown
            )
            lines.append(f"{method:<24}" + "".join(f"{text:>9}" for text in texts))
    return "\n".join(lines)


def _mirror(results: Results, plan: Plan, store: Store) -> None:
    from benchmark import tracking

    print(tracking.mirror(results, plan.task, store.home / "report" / plan.task.name))


def _outcome(plan: Plan, store: Store, failed: dict[str, str]) -> int:
    """Prints what was left out and what failed, and returns the exit code."""
    for note in dict.fromkeys(plan.skipped):
        print(f"note: {note.method}: {note.reason}", file=sys.stderr)
    reasons: dict[str, list[str]] = {}
    for one in plan.failures:
        reasons.setdefault(one.reason, []).append(one.method)
    for key, reason in failed.items():
        recorded = store.read_failure(key)
        if recorded is not None:
            reasons.setdefault(recorded.reason, []).append(recorded.method)
        else:
            reasons.setdefault(reason, []).append(key)
    if not reasons:
        return 0
    print("failed:", file=sys.stderr)
    for reason, names in reasons.items():
        print(f"  {', '.join(dict.fromkeys(names))}: {reason}", file=sys.stderr)
    return 1


def _shown(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def list_all(args: argparse.Namespace) -> int:
    """Prints everything that can be named."""
    print("tasks")
    for name in tasks.names():
        print(f"  {name:<14} {tasks.get(name).summary}")
    found, store = discovery.entries(), Store()
    for group, title in (
        ("method", "methods"),
        ("baseline", "baselines"),
        ("network", "backbones"),
    ):
        print(title)
        for entry in found:
            if entry.group == group:
                print(f"  {entry.name:<14} {_note(entry, store)}")
    print("protocols (TASK@PROTOCOL)")
    print(f"  {', '.join(PROTOCOLS)}")
    print("presets")
    for name, one in config.PRESETS.items():
        print(f"  {name:<14} {one.steps} steps of {one.batch} patches, backbone {one.backbone}")
    return 0


def _note(entry: discovery.Entry, store: Store) -> str:
    """Returns what a list says about a method or backbone."""
    if entry.error:
        return f"cannot be used: {entry.error}"
    if entry.imports and not store.imported(entry.name):
        return f"{entry.summary} (not imported: run 'dialbench import {entry.imports}')"
    return entry.summary


def import_network(args: argparse.Namespace) -> int:
    """Imports a network that was trained elsewhere."""
    from benchmark import importing

    store = Store()
    store.prepare()
    options = {"sigma": args.sigma} if args.sigma is not None else {}
    print(importing.run(args.kind, args.files, options, store))
    return 0


def test_method(args: argparse.Namespace) -> int:
    """Checks a method and prints one line for each check."""
    choice = choice_of(args.method)
    if args.backbone is not None:
        discovery.backbone_source(args.backbone)

    from benchmark.conformance import trial

    return trial.main(choice.method, Path(choice.file) if choice.file else None, args.backbone)


def show_data(args: argparse.Namespace) -> int:
    """Prints the image sets, with the number of pictures in each."""
    from benchmark.data.sources import listing

    print("\n".join(listing()))
    if not os.environ.get("DIALBENCH_DATA"):
        print("set DIALBENCH_DATA to a folder with train/ and test/ to use sets of your own")
    return 0


def run_doctor(args: argparse.Namespace) -> int:
    """Prints the state of the installation."""
    from benchmark import doctor

    return doctor.main(offline=args.offline)


def run_job(args: argparse.Namespace) -> int:
    """Runs one job file."""
    from benchmark import jobs
    from benchmark.engines import local
    from benchmark.engines.perform import perform, settle

    job, store = jobs.read(args.file), Store()
    store.prepare()
    settle(local.threads_each(1))
    failure = perform(
        job, store, lambda text: print(f"{local.label(job)}: {text}", file=sys.stderr)
    )
    if failure:
        raise JobError(f"{local.label(job)} failed: {failure}")
    return 0
