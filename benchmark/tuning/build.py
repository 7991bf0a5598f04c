"""Building methods and backbones from their specifications, seeded, and loading stored stages."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from benchmark.errors import JobError
from benchmark.method import ControlMethod
from benchmark.registry.discovery import create_backbone
from benchmark.tasks import Task
from benchmark.training.stage import Stage


@contextmanager
def seeded(*key: str | int) -> Iterator[None]:
    """Runs a block under a random state that depends on ``key`` alone, then restores the state."""
    text = "\x1f".join(str(part) for part in key)
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "little")
    # A process that has not used a GPU, such as one that plans, is not to begin with it here.
    used = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    with torch.random.fork_rng(devices=used):
        torch.manual_seed(seed)
        yield


def build_backbone(spec: str, task: Task, seed: int) -> nn.Module:
    """Returns a freshly initialised backbone; the same for every method of one seed."""
    with seeded("backbone", spec, task.scale, seed):
        return create_backbone(spec, task.scale)


def build_method(method: ControlMethod, backbone_spec: str, task: Task, seed: int) -> ControlMethod:
    """Assembles a method on a fresh backbone of its task."""
    backbone = build_backbone(backbone_spec, task, seed)
    with seeded("method", type(method).__name__, seed):
        return method.assemble(backbone, task.space)


def load_stage(method: ControlMethod, stage: Stage, state: dict[str, Tensor]) -> None:
    """Loads a stored stage: a plain network into its submodule, or else the whole method.

    Raises:
        JobError: If keys or shapes do not fit; nothing is ever loaded in part.
    """
    target = method if stage.network is None else method.get_submodule(stage.network)
    try:
        target.load_state_dict(state)
    except RuntimeError as error:
        first = str(error).splitlines()[-1].strip()
        raise JobError(
            f"the weights of stage '{stage.name}' do not fit the method: {first}"
        ) from None


def load_states(method: ControlMethod, task: Task, states: dict[str, dict[str, Tensor]]) -> None:
    """Loads all stored stages of a method, in the order of ``method.stages``."""
    for stage in method.stages(task):
        load_stage(method, stage, states[stage.name])
