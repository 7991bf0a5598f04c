"""A session of untrained methods, to look at."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import pytest
import torch

from benchmark import tasks
from benchmark.build import build_method, create_method
from benchmark.demo.session import Session

SMALL = "small:blocks=1:width=8"
PATIENCE = 30
"""Seconds to wait for a page."""


@pytest.fixture(scope="session")
def session_of() -> Callable[..., Session]:
    """Returns a function that opens a session for a task with some methods."""

    def make(task: str, *names: str) -> Session:
        judged, found = tasks.get(task), {}
        for name in names:
            method = create_method(name)
            built = build_method(method, SMALL, judged, 0).eval().requires_grad_(False)
            with torch.no_grad():
                for index, one in enumerate(built.parameters()):
                    # Untrained dials change nothing.
                    one.add_(0.02 * torch.sin(torch.arange(one.numel()) + index).view_as(one))
            found[name] = built
        return Session(judged, found)

    return make


@pytest.fixture(scope="session")
def address_of(session_of) -> Callable[..., Iterator[str]]:
    """Returns a function that yields the address of a demo, which it ends afterwards."""

    def serve(task: str, *names: str) -> Iterator[str]:
        from benchmark.demo import app

        # A folder of its own: files are called after their content, and a demo may go on removing its
        # own after it was closed, while the next one of this process has the same.
        with (
            tempfile.TemporaryDirectory(prefix=app.UPLOADS, ignore_cleanup_errors=True) as folder,
            mock.patch.dict(os.environ, GRADIO_TEMP_DIR=folder),
        ):
            page = app.build(session_of(task, *names))
            _, address, _ = page.launch(**app.LOCAL, **app.look())
            yield address
            page.close(verbose=False)

    return serve


@pytest.fixture(scope="session")
def until() -> Callable[..., Any]:
    """Returns a function that waits until what a script returns is as wanted, and returns it."""

    def wait(browser: Any, script: str, wanted: Callable[[Any], Any]) -> Any:
        limit = time.monotonic() + PATIENCE
        while time.monotonic() < limit:
            found = browser.run(script)
            if wanted(found):
                return found
            time.sleep(0.05)
        raise AssertionError(f"still {found!r} after {PATIENCE} s")

    return wait
