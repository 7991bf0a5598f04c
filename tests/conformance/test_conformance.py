"""Every method keeps the contract on every backbone."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from benchmark import conformance, tasks
from benchmark.control import Axis, ControlSpace
from benchmark.discovery import create_backbone, create_method
from benchmark.method import ControlMethod
from benchmark.tasks import Task

METHODS = (
    "decouple",
    "dni",
    "adafm",
    "adafm:k=5",
    "cfsnet",
    "dynamic_net",
    "ftn",
    "ftn:groups=4",
    "tunable_conv",
    "tunable_conv:expand=2",
    "hypernet",
    "floor",
    "blend",
    "experts",
)
AFFINE = ("decouple", "dni", "adafm", "ftn", "ftn:groups=4", "tunable_conv", "hypernet")


class Attention(nn.Module):
    """Attention over all pixels as tokens, made of linear layers."""

    def __init__(self, width: int):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.mixed = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.mixed(self.norm(x)).chunk(3, dim=-1)
        weights = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1)
        return x + self.out(weights @ v)


class Tangle(nn.Module):
    """Strided, grouped, dilated and transposed convolutions, norms, and attention in windows."""

    def __init__(self, width: int = 8):
        super().__init__()
        self.head = nn.Conv2d(3, width, 3, stride=2, padding=1, bias=False)
        self.batch_norm = nn.BatchNorm2d(width)
        self.grouped = nn.Conv2d(width, width, 3, padding=2, dilation=2, groups=4)
        self.instance_norm = nn.InstanceNorm2d(width, affine=True)
        self.attention = nn.Sequential(Attention(width), Attention(width))
        self.up = nn.ConvTranspose2d(width, width, 4, stride=2, padding=1, groups=2)
        self.tail = nn.Conv2d(width, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        z = self.batch_norm(self.head(x))
        z = z + self.instance_norm(self.grouped(z)).relu()
        b, c, h, w = z.shape
        rows = z.permute(0, 2, 3, 1).reshape(b * h, w, c)
        z = z + self.attention(rows).reshape(b, h, w, c).permute(0, 3, 1, 2)
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
        return x - self.steps(x)


def listed(spec: str, scale: int = 1) -> tuple[Callable[[], nn.Module], str]:
    return lambda: create_backbone(spec, scale), "sr" if scale > 1 else "denoise"


BACKBONES = {
    "small": listed("small:width=8:blocks=2"),
    "small-x4": listed("small:width=8:blocks=2", scale=4),
    "adafm_net": listed("adafm_net:width=8:blocks=2"),
    "cfsnet_main": listed("cfsnet_main:width=8:blocks=2"),
    "cfsnet_main-x4": listed("cfsnet_main:width=8:blocks=2", scale=4),
    "resnet16-x4": listed("resnet16:width=8:blocks=2", scale=4),
    "tangle": (Tangle, "denoise"),
    "chain": (Chain, "dejpeg"),
}


def factory_of(method: str, backbone: Callable[[], nn.Module], task: Task) -> conformance.Factory:
    def factory(seed: int) -> ControlMethod:
        torch.manual_seed(seed)
        return create_method(method).assemble(backbone(), task.space)

    return factory


@pytest.mark.parametrize("check", conformance.CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("method", METHODS)
def test_method_conforms(method, backbone, check):
    make, name = BACKBONES[backbone]
    task = tasks.get(name)
    check(factory_of(method, make, task), task)


@pytest.mark.parametrize("backbone", ["small", "tangle"])
@pytest.mark.parametrize("method", AFFINE)
def test_kernels_are_affine_in_the_level(method, backbone):
    make, name = BACKBONES[backbone]
    task = tasks.get(name)
    conformance.kernels_are_affine(factory_of(method, make, task), task)


@pytest.mark.parametrize("check", conformance.CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("method", ["decouple", "tunable_conv", "floor"])
def test_method_conforms_with_two_axes(method, check):
    space = ControlSpace((Axis("blur", 0.0, 4.0), Axis("sigma", 0.0, 50.0)))
    anchors = ((0.0, 0.0), (1.0, 1.0))
    task = dataclasses.replace(tasks.get("denoise"), space=space, anchors=anchors)
    check(factory_of(method, BACKBONES["small"][0], task), task)
