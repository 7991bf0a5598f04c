"""Checks of tuned networks and of what is stored."""

from __future__ import annotations

import importlib.util
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import torch
from safetensors.torch import load
from torch import Tensor, nn

from benchmark.conformance.subject import (
    Factory,
    Skipped,
    images,
    levels,
    moved,
    own_stages,
    points,
    require,
    require_close,
    scrambled,
    state,
    train,
)
from benchmark.errors import to_get
from benchmark.onnx_file import evaluated, refusal, traced
from benchmark.scoring.cost import macs
from benchmark.store import packed
from benchmark.tasks import Task


def folding_keeps_the_backbone(factory: Factory, task: Task) -> None:
    """A method that folds yields a backbone: same class, keys, shapes and multiply-accumulates."""
    method = scrambled(factory, torch.float32)
    if not method.folds:
        raise Skipped("it does not say that it folds")
    tuned = method.tuned(points(method, task)[-1])
    require(type(tuned) is type(method.backbone), "the tuned network is no plain backbone")
    shapes = [
        {key: value.shape for key, value in network.state_dict().items()}
        for network in (tuned, method.backbone)
    ]
    require(shapes[0] == shapes[1], "keys or shapes of the tuned network differ")
    require(macs(tuned, 32) == macs(method.backbone, 32), "the tuned network costs more")


def tuning_leaves_the_method_alone(factory: Factory, task: Task) -> None:
    """A tuned network shares no memory with the method, and making it changes nothing."""
    method, x = scrambled(factory), images(1)
    before = state(method)
    tuned = method.tuned(points(method, task)[-1])
    _shift(tuned.parameters())
    require(moved(before, method) == set(), "changing a tuned network changes the method")
    expected = tuned(x)
    _shift((*method.parameters(), *method.buffers()))
    require(torch.equal(tuned(x), expected), "changing the method changes a tuned network")


@torch.no_grad()
def _shift(tensors: Iterable[Tensor]) -> None:
    for own in tensors:
        if own.is_floating_point():
            own.add_(1)


def weights_survive_storage(factory: Factory, task: Task) -> None:
    """Stored as safetensors and loaded into another instance, a method gives the same output.

    So does what training leaves: nothing that it learns lies beside the weights, and nothing that it
    computed from others stays. What is for training only is missed by nobody.
    """
    trained = factory(0)
    for stage in own_stages(trained, task):
        train(trained, stage, task)
    for method, after in ((scrambled(factory), ""), (trained.double().eval(), " after training")):
        x, level = images(1), levels([points(method, task)[-1]])
        other = factory(1).double().eval()
        other(x, level)
        other.load_state_dict(load(packed(method.weights_to_keep())))
        other.shed()
        same = torch.equal(method(x, level), other(x, level))
        require(same, f"stored weights give another output{after}")


def tuned_networks_export_to_onnx(factory: Factory, task: Task) -> None:
    """A tuned network, exported to ONNX and run there, gives the same output."""
    if importlib.util.find_spec("onnx") is None:
        raise Skipped(f"the package onnx is not installed; {to_get('onnx')}")
    method = scrambled(factory, torch.float32)
    tuned, x = method.tuned(points(method, task)[-1]), images(1, torch.float32)
    try:
        output = _run_as_onnx(tuned, x)
    except Exception as error:
        why, plain = refusal(error), method.backbone.eval()
        # Not every operator of ONNX is whole in its reference evaluator; that is no method's fault.
        if not _takes_images(plain, x):
            raise Skipped(f"ONNX cannot run its network: {why}") from error
        try:
            _run_as_onnx(plain, x)
        except Exception as same:
            raise Skipped(f"ONNX cannot run its backbone alone either: {refusal(same)}") from same
        raise AssertionError(f"ONNX cannot run its tuned network: {why}") from error
    require_close(output, tuned(x), 1e-4, "ONNX gives another output")


def _takes_images(network: nn.Module, x: Tensor) -> bool:
    """Returns whether a network works on images alone, as all backbones do."""
    try:
        network(x)
    except Exception:  # noqa: BLE001 - one of the method's own may take anything
        return False
    return True


def _run_as_onnx(network: nn.Module, x: Tensor) -> Tensor:
    """Returns the output of a network that was exported to ONNX and is run there."""
    return evaluated(traced(network, {"x": x}), {"x": x})


def network_is_left_alone(factory: Factory, task: Task) -> None:
    """Building, training and tuning ask nothing of any other machine."""
    with connections_refused() as asked:
        method = factory(0)
        for stage in own_stages(method, task):
            train(method, stage, task)
        method.eval().tuned(points(method, task)[-1])(images(1, torch.float32))
    require(not asked, f"it asks the network for {', '.join(dict.fromkeys(asked))}")


@contextmanager
def connections_refused() -> Iterator[list[str]]:
    """Refuses every connection and every look-up of a name; yields what was asked for."""
    asked: list[str] = []

    def refusing(position: int) -> Callable[..., Any]:
        def refuse(*args: Any, **kwargs: Any) -> Any:
            address = args[position] if len(args) > position else kwargs
            asked.append(str(address[0] if isinstance(address, tuple) else address))
            raise OSError("the network is closed while a method is checked")

        return refuse

    with ExitStack() as stack:
        for name in ("connect", "connect_ex"):
            stack.enter_context(patch.object(socket.socket, name, refusing(1)))
        for name in ("getaddrinfo", "gethostbyname", "create_connection"):
            stack.enter_context(patch.object(socket, name, refusing(0)))
        yield asked
