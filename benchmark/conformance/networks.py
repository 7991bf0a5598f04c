"""The small backbones that methods are checked on, some of them as awkward as real ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchmark import tasks
from benchmark.build import create_backbone
from benchmark.control import Axis, ControlSpace
from benchmark.tasks import Task


class Attention(nn.Module):
    """Attention over all pixels as tokens, made of linear layers."""

    def __init__(self, width: int):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.mixed = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Attends within each row of tokens (n, count, width)."""
        q, k, v = self.mixed(self.norm(x)).chunk(3, dim=-1)
        weights = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1)
        return x + self.out(weights @ v)


class Tangle(nn.Module):
    """Strided, grouped, dilated and transposed convolutions, norms, and attention in windows."""

    multiple = 2

    def __init__(self, width: int = 8):
        super().__init__()
        self.head = nn.Conv2d(3, width, 3, stride=2, padding=1, bias=False)
        self.batch_norm = nn.BatchNorm2d(width)
        self.grouped = nn.Conv2d(width, width, 3, padding=2, dilation=2, groups=4)
        self.instance_norm = nn.InstanceNorm2d(width, affine=True)
        self.attention = nn.Sequential(Attention(width), Attention(width))
        self.paired = nn.Conv2d(width, width, 1, groups=width // 2, bias=False)
        self.up = nn.ConvTranspose2d(width, width, 4, stride=2, padding=1, groups=2)
        self.tail = nn.Conv2d(width, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Restores (B, 3, h, w)."""
        z = self.batch_norm(self.head(x))
        z = z + self.instance_norm(self.grouped(z)).relu()
        b, c, h, w = z.shape
        rows = z.permute(0, 2, 3, 1).reshape(b * h, w, c)
        z = z + self.attention(rows).reshape(b, h, w, c).permute(0, 3, 1, 2)
        z = z + self.paired(z).relu()
        return x + self.tail(self.up(z))[..., : x.shape[-2], : x.shape[-1]]


class Chain(nn.Module):
    """A plain chain without residual blocks."""

    def __init__(self, width: int = 8):
        super().__init__()
        self.steps = nn.Sequential(
            nn.Conv2d(3, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, 3, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Restores (B, 3, h, w)."""
        return x - self.steps(x)


@dataclass(frozen=True)
class Place:
    """Where a method is checked.

    Args:
        name: What lines of the result call it.
        backbone: Returns a fresh backbone; its weights follow torch's random state.
        task: The task, whose scale is the backbone's.
    """

    name: str
    backbone: Callable[[], nn.Module]
    task: Task


TINY = {
    "small": "width=8:blocks=2",
    "adafm_net": "width=8:blocks=2",
    "cfsnet_main": "width=8:blocks=2",
    "cresmd_net": "width=8:blocks=2",
    "decouple_net": "width=8:blocks=2",
    "nafnet": "width=4:enc=1:mid=1:dec=1",
    "resnet16": "width=8:blocks=2",
    "rrdb": "width=8:blocks=1:growth=4",
    "swinir": "width=8:depths=2:heads=2:window=4",
    "transform_net": "width=4:blocks=1",
}
"""Every backbone as small as it can be and still have all its kinds of layers."""

TWO_AXES = ControlSpace(
    (Axis("blur", 0.0, 4.0), Axis("sigma", 0.0, 50.0)),
    first=(0.0, 0.1),
    last=(0.8, 1.0),
)


def places(backbone: str | None = None) -> list[Place]:
    """Returns where methods are checked: small backbones of both scales, one with two axes.

    Args:
        backbone: Specification of the only backbone to use.
    """
    if backbone is not None:
        return [_listed(backbone, 1), _listed(backbone, 4), _two_axes(_listed(backbone, 1))]
    scales = {"small": (1, 4), "cfsnet_main": (1, 4), "resnet16": (4,), "rrdb": (4,)}
    return [
        *(tiny(name, scale) for name in TINY for scale in scales.get(name, (1,))),
        Place("a tangle of layers", Tangle, tasks.get("denoise")),
        Place("a plain chain", Chain, tasks.get("dejpeg")),
        _two_axes(tiny("small", 1)),
    ]


def _two_axes(place: Place) -> Place:
    name = f"{place.name.partition(' ')[0]} with two axes"
    return Place(name, place.backbone, dataclasses.replace(place.task, space=TWO_AXES))


def tiny(name: str, scale: int) -> Place:
    """Returns the smallest kind of one of dialbench's own backbones, at a scale."""
    return _listed(f"{name}:{TINY[name]}", scale)


def _listed(spec: str, scale: int) -> Place:
    task = tasks.get("sr" if scale > 1 else "denoise")
    return Place(
        f"{spec.partition(':')[0]} x{scale}", lambda: _awake(create_backbone(spec, scale)), task
    )


@torch.no_grad()
def _awake(network: nn.Module) -> nn.Module:
    """Returns a network without parameters that are all zero, as training leaves it.

    Blocks that start as the identity pass no gradient to what tunes them.
    """
    for parameter in network.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.1)
    return network
