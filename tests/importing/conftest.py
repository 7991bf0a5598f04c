"""Files of networks in the official layouts, with random weights."""

import pytest
import torch

from baselines.external.noise_estimator import NoiseEstimator
from benchmark import build, cli, plan, tasks
from benchmark.build import create_method
from benchmark.method import ControlMethod
from benchmark.planning.request import request_of
from benchmark.store import Store

RUN = ("--preset", "smoke", "--offline")


def chain(widths, seed=0):
    """The tensors of a plain chain of convolutions, numbered as the authors' files are."""
    generator = torch.Generator().manual_seed(seed)
    found = {}
    for index, (a, b) in enumerate(zip(widths, widths[1:], strict=False)):
        found[f"{index}.weight"] = torch.randn(b, a, 3, 3, generator=generator) / (9 * a) ** 0.5
        found[f"{index}.bias"] = 0.1 * torch.randn(b, generator=generator)
    return found


def ffdnet(seed=0):
    return chain([13, *[96] * 11, 12], seed)


def cdncnn(seed=0):
    return chain([3, *[64] * 19, 3], seed)


def srvgg(convs, seed=0):
    found = {}
    for name, tensor in chain([3, *[64] * (convs + 1), 48], seed).items():
        index, what = name.split(".")
        found[f"body.{2 * int(index)}.{what}"] = tensor
    for index in range(convs + 1):
        found[f"body.{2 * index + 1}.weight"] = torch.full((64,), 0.1 * seed + 0.2)
    return found


def estimator():
    torch.manual_seed(0)
    return NoiseEstimator().state_dict()


def imported(method: str, task: str) -> ControlMethod:
    """A method with its imported weights, as a sweep loads them."""
    judged = tasks.get(task)
    made = build.build_method(create_method(method), "small:width=8:blocks=1", judged, 0)
    (stage,) = made.stages(judged)
    build.load_stage(made, stage, Store().load_stage(f"imported/{stage.imported}"))
    return made.eval().requires_grad_(False)


@pytest.fixture
def file(tmp_path):
    """Saves a state dict and gives back its path as text."""

    def save(state, name="network.pth") -> str:
        torch.save(state, tmp_path / name)
        return str(tmp_path / name)

    return save


@pytest.fixture
def small_pair(home, file):
    """Two networks of three convolutions, imported; their states."""
    start, end = srvgg(1, seed=1), srvgg(1, seed=2)
    words = [
        "import",
        "srvgg-dni",
        file({"params": start}, "a.pth"),
        file({"params": end}, "b.pth"),
    ]
    assert cli.main(words) == 0
    return start, end


def planned(*words):
    top, _ = cli.parser()
    return plan.make(request_of(top.parse_args(["run", *words, *RUN])), Store())


# ---- running ------------------------------------------------------------------------------------
