"""``dialbench demo``: an image of one's own, two trained methods, and the dial, in a browser."""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING

from benchmark import tasks
from benchmark.errors import UserError, to_get

if TYPE_CHECKING:
    from benchmark.planning.request import Request


def run(request: Request, port: int | None = None) -> int:
    """Serves the demo of what is trained for a request, until it is interrupted.

    Raises:
        UserError: If gradio is not installed, nothing is trained, the port is taken, or the task is
            judged on pairs.
    """
    ready(request.task)

    from benchmark.demo.app import launch
    from benchmark.demo.session import open_session
    from benchmark.plan import looked_at
    from benchmark.store import Store

    store = Store()
    store.prepare()
    plan = looked_at(request, store)
    session = open_session(plan, store)
    for note in plan.notes:
        print(f"note: {note}", file=sys.stderr)
    launch(session, port)
    return 0


def ready(name: str) -> None:
    """Refuses a task that has no demo, or an environment without gradio.

    Raises:
        UserError: If it does.
    """
    task = tasks.get(name)
    if task.protocol.pairs:
        base = task.name.partition("@")[0]
        raise UserError(
            f"the demo takes single images of your own; ask for {base}, not {task.name}"
        )
    if importlib.util.find_spec("gradio") is None:
        raise UserError(f"the demo needs gradio; {to_get('demo')}")
