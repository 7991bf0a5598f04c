"""``dialbench test METHOD``: every check on every place, and one line for each check."""

from __future__ import annotations

import textwrap
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmark.amount import amount
from benchmark.build import create_method
from benchmark.conformance import CHECKS
from benchmark.conformance.networks import Place, places
from benchmark.conformance.subject import Broken, Factory, Skipped
from benchmark.conformance.tuned import connections_refused
from benchmark.errors import UserError, one_line
from benchmark.method import ControlMethod

OK, FAILED, SKIPPED = "ok", "FAILED", "skipped"
SHOWN = 3
"""Reasons of one check that are shown; places may fail for different ones."""

Verdict = tuple[str, str, str]
"""Ok, failed or skipped; why; and the traceback of an error that the method raised."""


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Args:
        check: Its name.
        verdict: ``ok``, ``FAILED`` or ``skipped``.
        reason: Where and why; empty if all is well.
        trace: The traceback of an error that the method raised.
    """

    check: str
    verdict: str
    reason: str = ""
    trace: str = ""

    def __str__(self) -> str:
        return f"{self.verdict:<8} {self.check:<38} {self.reason}".rstrip()


def main(
    method: str, file: Path | None = None, backbone: str | None = None, debug: bool = False
) -> int:
    """Prints one line for each check; returns 1 if one failed or none could be made, else 0.

    Args:
        method: Specification of a method.
        file: Its file, if it is not one of dialbench's own.
        backbone: Specification of the only backbone to check on.
        debug: Whether tracebacks of errors that the method raised are printed too.

    Raises:
        UserError: If there is no such method, option or backbone.
    """
    found, shown = [], {""}
    for finding in examine(method, file, places(backbone)):
        print(finding, flush=True)
        if debug and finding.trace not in shown:
            print(textwrap.indent(finding.trace, "    "), flush=True)
            shown.add(finding.trace)
        found.append(finding)
    failed = sum(finding.verdict == FAILED for finding in found)
    if failed:
        hint = "; --debug shows where" if not debug and any(one.trace for one in found) else ""
        print(f"{method}: {failed} of {len(found)} checks failed{hint}")
    elif all(finding.verdict == SKIPPED for finding in found):
        print(f"{method} takes nothing that it was offered, so nothing is known of it")
    else:
        print(f"{method} conforms")
    return int(failed > 0 or found[0].verdict == SKIPPED)


def examine(method: str, file: Path | None, where: Sequence[Place]) -> Iterator[Finding]:
    """Yields the finding of ``it_can_be_built``, then of every check.

    No connection to another machine can be made meanwhile.
    """

    def factory_of(place: Place) -> Factory:
        def factory(seed: int) -> ControlMethod:
            torch.manual_seed(seed)
            backbone = place.backbone()
            return create_method(method, file).assemble(backbone, place.task.space)

        return factory

    def build(place: Place) -> None:
        if reason := create_method(method, file).skip(place.task):
            raise Skipped(reason)
        try:
            factory_of(place)(0)
        except UserError as error:
            raise Skipped(str(error)) from error

    with torch.random.fork_rng(devices=[]), connections_refused():
        create_method(method, file)
        verdicts = {place.name: _verdict(lambda place=place: build(place)) for place in where}
        yield _finding("it_can_be_built", verdicts)
        usable = [place for place in where if verdicts[place.name][0] == OK]
        for check in CHECKS:
            runs = {
                place.name: (lambda place=place: check(factory_of(place), place.task))  # noqa: B023
                for place in usable
            }
            yield _finding(check.__name__, {name: _verdict(run) for name, run in runs.items()})


def _verdict(run: Callable[[], None]) -> Verdict:
    try:
        run()
    except Skipped as reason:
        return SKIPPED, str(reason), ""
    except Broken as error:
        return FAILED, str(error), ""
    except AssertionError as error:
        why = str(error) or "an assertion of its own does not hold"
        return FAILED, why, traceback.format_exc()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a method of someone else raises
        return FAILED, one_line(error), traceback.format_exc()
    return OK, "", ""


def _finding(check: str, verdicts: dict[str, Verdict]) -> Finding:
    """Returns one finding for all places: failed if it failed anywhere, skipped if nowhere ok."""
    for verdict in (FAILED, OK, SKIPPED):
        names = [name for name, one in verdicts.items() if one[0] == verdict]
        if names:
            break
    else:
        return Finding(check, SKIPPED, "it could not be built")
    if verdict == OK:
        left_out = [
            f"not on {name}: {why}" for name, (one, why, _) in verdicts.items() if one == SKIPPED
        ]
        return Finding(check, OK, "; ".join(left_out) if check == "it_can_be_built" else "")
    _, reason, trace = verdicts[names[0]]
    if verdict == FAILED:
        places: dict[str, list[str]] = {}
        for name in names:
            places.setdefault(verdicts[name][1], []).append(name)
        told = [f"{_where(own, len(verdicts))}: {why}" for why, own in places.items()]
        more = f"; and for {amount(len(told) - SHOWN, 'more reason')}" if len(told) > SHOWN else ""
        reason = "; ".join(told[:SHOWN]) + more
    return Finding(check, verdict, reason, trace)


def _where(names: Sequence[str], places: int) -> str:
    return "everywhere" if 1 < len(names) == places else f"on {', '.join(names)}"
