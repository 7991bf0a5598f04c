"""A plan as text: what ``--dry-run`` prints."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from benchmark.control import Level, level_text
from benchmark.plan import Plan
from benchmark.planning import keys
from benchmark.report import words


def describe(plan: Plan, train: bool = True, sweep: bool = True) -> str:
    """Returns a plan as text: stages and who shares them, steps, cells, and what is stored.

    Args:
        plan: The plan.
        train: Whether it needs trained stages.
        sweep: Whether it scores cells.
    """
    request, space = plan.request, plan.task.space
    presets = dict.fromkeys(keys.preset_text(job.preset) for job in plan.sweeps.values())
    trained = f"training on {_listed(request.train)}; " if request.train else ""
    beyond = [_named(plan, level) for level in plan.levels if not space.between(level)]
    lines = [
        f"task {request.task}, preset {_listed(presets or [keys.preset_text(request.preset)])}, "
        f"backbone {request.backbone}, seeds {_listed(request.seeds)}",
        f"{trained}testing on {_listed(request.test)}; "
        f"levels {_listed([_named(plan, level) for level in plan.levels])}",
        *(
            [f"training does not reach levels {_listed(beyond)}"]
            if train and plan.trains and beyond
            else ()
        ),
        "",
        *(_stages(plan) if train and plan.trains else ()),
        *(_cells(plan) if sweep else ()),
    ]
    return "\n".join([*lines, *map(str, plan.notes)])


def _stages(plan: Plan) -> Iterator[str]:
    named = {
        key: job.stage.name
        if len(plan.users[key]) > 1
        else f"{plan.users[key][0]} {job.stage.name}"
        for key, job in plan.trains.items()
    }
    width = max(map(len, ("stage", *named.values())))
    yield f"{'stage':<{width}}  seed   steps  state     used by"
    for key, job in plan.trains.items():
        users, state = plan.users[key], "stored" if key in plan.stored else "to train"
        shared = f"shared by {_listed(users)}" if len(users) > 1 else users[0]
        yield f"{named[key]:<{width}}  {job.seed:>4} {plan.steps(key):>7}  {state:<8}  {shared}"
    every = sum(plan.steps(key) for key in plan.trains)
    todo = sum(plan.steps(key) for key in plan.trains if key not in plan.stored)
    yield ""
    yield f"training steps: {todo} to do of {every}"


def _cells(plan: Plan) -> Iterator[str]:
    wanted = sum(len(job.points()) for job in plan.sweeps.values())
    todo = sum(len(points) for points in plan.missing.values())
    matrix = sum(len(job.crossed) for job in plan.sweeps.values())
    of_matrix = f", {matrix} of them with the dial set to another level" if matrix else ""
    yield f"cells: {todo} to score of {wanted}{of_matrix}"


def _named(plan: Plan, level: Level) -> str:
    text = level_text(level)
    return f"{text} ({words.physical(plan.task, text)})" if words.has_physical(plan.task) else text


def _listed(values: Iterable[object]) -> str:
    return ", ".join(str(value) for value in values)
