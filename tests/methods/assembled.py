"""Methods on small networks in double precision, as their equations are tested."""

from __future__ import annotations

import torch
from torch import nn

from benchmark.build import create_backbone, create_method
from benchmark.control import Axis, ControlSpace
from benchmark.method import ControlMethod

SIGMA, BLUR = Axis("sigma", 20.0, 80.0), Axis("blur", 0.0, 4.0)


def assembled(
    method: str, *axes: Axis, backbone: str = "small:width=8:blocks=3", scale: int = 1
) -> ControlMethod:
    torch.manual_seed(0)
    network = create_backbone(backbone, scale)
    return create_method(method).assemble(network, ControlSpace(axes or (SIGMA,))).double().eval()


def images(count: int = 1) -> torch.Tensor:
    return torch.rand(count, 3, 12, 10, dtype=torch.float64)


@torch.no_grad()
def scramble(module: nn.Module) -> None:
    for parameter in module.parameters():
        parameter.add_(torch.randn_like(parameter) * 0.1)
