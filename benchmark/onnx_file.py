"""Networks as ONNX models, each tried before it is written."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Mapping
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn

from benchmark.errors import JobError, UserError, to_get
from benchmark.method import ControlMethod, WeightSpaceMethod
from benchmark.tuning.holding import holding

SIZES = ((24, 24), (37, 42))
"""Sides of the images that an ONNX file is tried on; networks that need even ones pad."""
CLOSE = 1e-4
"""How far outputs of an ONNX file may be from the network's."""


class Dialled(nn.Module):
    """A method as a function of an image and one level, which ONNX can follow.

    ``forward`` of weight-space methods sorts the samples of a batch by their levels; this takes one
    level for all.
    """

    def __init__(self, method: ControlMethod):
        super().__init__()
        self.method = method

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        """Restores images (B, 3, h, w) at a level (d,), clamped to [0, 1]."""
        # Nobody refuses a level here, and networks of full range would go on beyond their ends.
        level = level.clamp(0, 1)
        if not isinstance(self.method, WeightSpaceMethod):
            return self.method(x, level[None])
        position = self.method._checked(level[None], x[:1])[0]
        backbone = self.method.backbone
        own = {**dict(backbone.named_parameters()), **dict(backbone.named_buffers())}
        # ONNX must be told the shape of kernels, as plain numbers.
        weights = {
            name: value.reshape([int(side) for side in own[name].shape])
            for name, value in self.method.weights(position).items()
        }
        with holding(backbone, weights):
            return backbone(x)


def as_onnx(network: nn.Module, what: str, level: Tensor | None = None) -> bytes:
    """Returns a network as an ONNX model for images of any size, after trying it.

    Args:
        network: Takes ``x`` (B, 3, h, w), and ``level`` (d,) where one is given.
        what: What it is, for messages.
        level: A level that its dial is tried at, and at half of it.

    Raises:
        JobError: If ONNX cannot hold it, or gives other outputs.
    """
    dials = [{}] if level is None else [{"level": level}, {"level": level / 2}]
    try:
        blob = traced(network.eval(), {"x": _image(SIZES[0]), **dials[0]})
        for size in SIZES:
            for dial in dials:
                _require_same(blob, network, {"x": _image(size), **dial})
    except JobError:
        raise
    except Exception as error:
        raise JobError(
            f"ONNX cannot hold {what}: {refusal(error)}; call the network from Python instead "
            "(docs/library.md), or write what it does there with other operations"
        ) from error
    return blob


def refusal(error: Exception) -> str:
    """Returns why ONNX cannot hold a network, in one line of what torch or ONNX raised."""
    told = [one.strip() for one in str(error).splitlines() if one.strip()]
    # It asks for a bug report, and goes on with its graph.
    return told[0].partition(". Please send a bug report")[0] if told else type(error).__name__


def traced(network: nn.Module, given: Mapping[str, Tensor]) -> bytes:
    """Returns a network as an ONNX model of any batch and size, untried.

    Args:
        network: The network, in evaluation mode.
        given: Its inputs by name, in order; images are called ``x``.
    """
    free = {0: "batch", 2: "height", 3: "width"}
    stored = io.BytesIO()
    # Where it fails, torch writes the whole graph to the terminal, past Python.
    silent = patch.object(torch._C, "_jit_onnx_log", lambda *_: None, create=True)
    with warnings.catch_warnings(), silent, torch.no_grad():
        warnings.simplefilter("ignore")
        # The newer exporter needs two more packages and takes twenty times as long.
        torch.onnx.export(
            network,
            tuple(given.values()),
            stored,
            input_names=list(given),
            output_names=["y"],
            dynamic_axes={"x": free, "y": dict(free)},
            dynamo=False,
        )
    return stored.getvalue()


def described(blob: bytes, facts: Mapping[str, Any]) -> bytes:
    """Returns an ONNX model that holds facts as its metadata: texts, or JSON of anything else."""
    import onnx

    model = onnx.load_from_string(blob)
    texts = {
        name: fact if isinstance(fact, str) else json.dumps(fact) for name, fact in facts.items()
    }
    onnx.helper.set_model_props(model, texts)
    return model.SerializeToString()


def evaluated(blob: bytes, given: Mapping[str, Tensor]) -> Tensor:
    """Returns the output of an ONNX model, from ONNX's own reference evaluator."""
    import onnx
    from onnx.reference import ReferenceEvaluator

    evaluator = ReferenceEvaluator(onnx.load_from_string(blob))
    (output,) = evaluator.run(None, {name: one.numpy() for name, one in given.items()})
    return torch.from_numpy(output)


def _require_same(blob: bytes, network: nn.Module, given: dict[str, Tensor]) -> None:
    with torch.no_grad():
        apart = (evaluated(blob, given) - network(*given.values())).abs().max()
    if not bool(apart <= CLOSE):
        size = "x".join(str(side) for side in given["x"].shape[:1:-1])
        raise ValueError(f"outputs of {size} pixels are {float(apart):.2g} apart")


def _image(size: tuple[int, int]) -> Tensor:
    return torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))


def require_onnx() -> None:
    try:
        import onnx  # noqa: F401 - what is asked is whether it is there
    except ImportError:
        raise UserError(f"the package onnx is not installed; {to_get('onnx')}") from None
