"""A session of untrained methods, to look at."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from benchmark import discovery, tasks
from benchmark.build import build_method
from benchmark.demo.session import Session

SMALL = "small:blocks=1:width=8"


@pytest.fixture(scope="session")
def session_of() -> Callable[..., Session]:
    """Returns a function that opens a session for a task with some methods."""

    def make(task: str, *names: str) -> Session:
        judged, found = tasks.get(task), {}
        for name in names:
            method = discovery.create_method(name)
            built = build_method(method, SMALL, judged, 0).eval().requires_grad_(False)
            with torch.no_grad():
                for index, one in enumerate(built.parameters()):
                    # Untrained dials change nothing.
                    one.add_(0.02 * torch.sin(torch.arange(one.numel()) + index).view_as(one))
            found[name] = built
        return Session(judged, found)

    return make
