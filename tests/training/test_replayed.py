"""Training steps replayed kernel by kernel, as a CUDA graph does it, train as steps that are run anew.

``Graph`` stands in for the graphs of a GPU: it notes every kernel of a step with the memory it works on,
and runs the same kernels on the same memory from then on. So a number that Python computed for one batch
stays for all, results lie where later steps overwrite them, and what waits for the GPU is refused.
"""

import contextlib
import dataclasses

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from benchmark import config, tasks, train
from benchmark.build import build_method, create_method
from benchmark.training import learner
from benchmark.training.batch import Batch
from benchmark.training.recorded import WARM, Recorder
from benchmark.training.stage import At, Stage

WAITS = ("_local_scalar_dense", "is_nonzero", "nonzero", "masked_select", "equal")
"""Kernels whose result the host waits for."""
RESHAPES = ("squeeze_", "unsqueeze_", "t_", "transpose_")
"""Kernels that move nothing, and would turn what is noted once more."""


def memory(one):
    return one.untyped_storage()._cdata


def tensors(tree):
    return [one for one in tree_leaves(tree) if isinstance(one, Tensor)]


class Kernels(TorchDispatchMode):
    """Notes kernels as they run, and what memory that they change held before."""

    def __init__(self):
        super().__init__()
        self.ran, self.before = [], {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        given = (args, kwargs or {})
        if func.overloadpacket.__name__ in WAITS:
            raise RuntimeError(f"operation not permitted when stream is capturing: {func}")
        if func._schema.is_mutable:
            for one in tensors(given):
                storage = one.untyped_storage()
                self.before.setdefault(memory(one), (storage, storage.clone()))
        noted = tree_map(lambda one: one.detach() if isinstance(one, Tensor) else one, given)
        out = func(*args, **(kwargs or {}))
        # What it made is at another place than all it was given.
        held = {memory(one) for one in tensors(given)}
        made = [None if memory(one) in held else one.detach() for one in tensors(out)]
        self.ran.append((func, *noted, made))
        return out


class Graph:
    """What ``torch.cuda.CUDAGraph`` is on a GPU."""

    every: list["Graph"] = []

    def __init__(self):
        self.kernels = []
        self.every.append(self)

    @contextlib.contextmanager
    def record(self):
        with Kernels() as noted:
            yield
        self.kernels = noted.ran
        # A GPU runs nothing while it records.
        for storage, old in noted.before.values():
            storage.copy_(old)

    def spoil(self):
        """Overwrites all results: graphs share their memory, so nothing may stay from one replay to the next."""
        for *_, made in self.kernels:
            for one in made:
                if one is not None and one.is_floating_point():
                    one.fill_(torch.nan)

    @torch.no_grad()
    def replay(self):
        for graph in self.every:
            graph.spoil()
        with torch._C._AutoDispatchBelowAutograd():
            for func, args, kwargs, made in self.kernels:
                if func.overloadpacket.__name__ in RESHAPES:
                    continue
                found = tensors(func(*args, **kwargs))
                for there, here in zip(made, found, strict=True):
                    if there is not None:
                        there.copy_(here)


class Stream:
    """What ``torch.cuda.Stream`` is on a GPU."""

    def wait_stream(self, other):
        pass


@pytest.fixture
def graphs(monkeypatch):
    """The real ``Recorder`` on the processor, with ``Graph`` for the GPU's."""
    monkeypatch.setattr(Graph, "every", [])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph", lambda graph, **options: graph.record())
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", tuple)
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "current_stream", Stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: contextlib.nullcontext())
    return Graph.every


@pytest.fixture
def both(graphs, monkeypatch, tmp_path, train_job):
    """Returns what a stage trains with recordings and without, and how many recordings were made."""

    def run(name, task):
        budget = config.preset("smoke", ["steps=6", "batch=4"])
        preset = dataclasses.replace(budget, backbone="small:width=8:blocks=1")
        stage = Stage("end", ("",), At(1.0), network="backbone")
        if name is not None:
            method = build_method(create_method(name), preset.backbone, tasks.get(task), 0)
            stage = dataclasses.replace(method.stages(tasks.get(task))[-1], starts_from=None)
        job, found = train_job(task, stage, preset, name), []
        for recorder in (lambda _, optimizers, step: Recorder(step, optimizers), lambda *_: None):
            monkeypatch.setattr(learner, "recorder_for", recorder)
            found.append(train.train_stage(job, None, tmp_path / str(len(found)), str).state)
        return *found, len(graphs)

    return run


@pytest.mark.parametrize(
    ("name", "task"),
    [
        *((name, "denoise") for name in ("dni", "adafm", "cfsnet", "dynamic_net", "hypernet")),
        *((name, "sr") for name in ("decouple", "ftn", "ftn:depthwise=true", None)),
        *(
            ("tunable_conv", "style"),
            ("decouple_fast", "denoise-strength"),
            ("cresmd", "blur-noise"),
        ),
    ],
)
def test_replayed_steps_train_alike(name, task, both):
    replayed, usual, recordings = both(name, task)
    assert recordings >= 1
    for key, value in usual.items():
        # Learning rates are single precision where steps are recorded.
        assert torch.allclose(replayed[key], value, rtol=1e-4, atol=1e-6), key


def replayed(step, values):
    """Returns the losses of a step of one's own on batches of equal levels."""
    recorder = Recorder(step, [torch.optim.Adam([nn.Parameter(torch.ones(1))])])
    image, losses = torch.zeros(2, 3, 2, 2), []
    for value in values:
        losses.append(float(recorder(Batch(image, image, torch.full((2, 1), value), [2]))))
    return losses


def test_a_number_that_python_computes_stays_as_it_was(graphs):
    count = []

    def step(batch):
        count.append(None)
        return batch.level.mean() * len(count)

    values = [1.0] * (WARM + 1) + [10.0]
    assert replayed(step, values)[WARM:] == [WARM + 1, 10 * (WARM + 1)]


def test_what_the_host_waits_for_is_not_recorded(graphs):
    with pytest.warns(UserWarning, match="piece by piece: RuntimeError: operation not permitted"):
        losses = replayed(lambda batch: torch.tensor(batch.level[0].item()), [1.0] * WARM + [2.0])
    assert losses[-1] == 2


def test_what_is_kept_from_one_replay_to_the_next_is_lost(graphs):
    kept = {"sum": torch.zeros(())}

    def step(batch):
        kept["sum"] = kept["sum"] + batch.level.mean()
        return kept["sum"] * 1

    losses = replayed(step, [1.0] * (WARM + 3))
    assert losses[: WARM + 1] == [1, 2, 3, 4] and losses[WARM + 1 :] == [4, 4]
