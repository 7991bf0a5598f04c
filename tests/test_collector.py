"""The garbage collector is paused for what stays, and runs again after it, whatever happened."""

import gc
import weakref

import pytest

from benchmark import collector
from benchmark.engines import perform
from benchmark.errors import UserError
from benchmark.plan import make
from benchmark.planning.request import wanted
from benchmark.store import Store


def test_it_runs_again_after_an_error_and_after_the_outermost_pause():
    with pytest.raises(KeyError), collector.paused():
        with collector.paused():
            assert not gc.isenabled()
        assert not gc.isenabled()
        raise KeyError
    assert gc.isenabled()


def test_who_has_no_collector_keeps_none():
    gc.disable()
    try:
        with collector.paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_planning_leaves_it_running(tmp_path):
    with pytest.raises(UserError):
        make(wanted("sr", ["floor"], test=["nowhere"], offline=True), Store(tmp_path))
    assert gc.isenabled()
    make(wanted("sr", ["floor"], offline=True), Store(tmp_path))
    assert gc.isenabled()


class Circle:
    """Refers to itself, as a trainer and what it trains on do."""

    def __init__(self):
        self.own = self


@pytest.mark.parametrize("fails", [False, True])
def test_what_a_job_leaves_in_circles_is_freed_when_it_ends(tmp_path, monkeypatch, fails):
    left = []

    def train(job, store, say):
        circle = Circle()
        left.append(weakref.ref(circle))
        if fails:
            raise KeyError

    monkeypatch.setattr(perform, "_train", train)
    store = Store(tmp_path)
    job, *_ = make(wanted("sr", ["dni"], offline=True), store).jobs()
    frozen = gc.get_freeze_count()
    gc.disable()
    try:
        assert bool(perform.perform(job, store, print)) == fails
    finally:
        gc.enable()
    assert left[0]() is None
    assert gc.get_freeze_count() == frozen == 0
