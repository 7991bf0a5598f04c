"""Style and content on a fixed bank of filters, so that style transfer needs no pretrained network.

The papers compare Gram matrices of VGG features; the weights of that network are not on every machine.
Here features are what a bank of oriented filters gives at three scales, rectified by sign, on the
luma and two colour differences; together with these three themselves. Gram matrices of such features
describe which orientations, scales and colours there are and which of them occur together: enough
for textures, not for the strokes of a painting.
"""

from __future__ import annotations

import functools
import importlib.util
import math
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmark.precision import in_full

CPU = torch.device("cpu")
SCALES = 3
ORIENTATIONS = 4
SIDE = 7
SMALLEST = 2 ** (SCALES - 1) * (SIDE // 2 + 1)
"""Pixels that an image needs on each side, so that filters can be applied at the last scale."""
COLOURS = ((0.299, 0.587, 0.114), (0.5, -0.5, 0.0), (-0.25, -0.25, 0.5))
"""Luma, red against green, blue against yellow."""
GAIN = 4.0
"""Brings responses to the size of the colours."""

STYLES = {
    "brick": ((0.25, 0.07, 0.04), (0.95, 0.62, 0.45)),
    "grass": ((0.02, 0.16, 0.05), (0.62, 0.88, 0.35)),
    "gravel": ((0.10, 0.12, 0.28), (0.78, 0.84, 0.96)),
}
"""The styles: gray textures of scikit-image, and the colours that black and white are turned into."""


# Both are copied to a device once: a copy in a training step would make a GPU wait.
@functools.cache
@torch.inference_mode(False)
def bank(device: torch.device = CPU) -> Tensor:
    """Returns the filters (2 x ORIENTATIONS + 2, 1, SIDE, SIDE), of mean 0 and norm 1.

    Edges and lines of every orientation; then second differences across and down, without which
    patterns of single pixels would go unseen, and be made.
    """
    at = torch.arange(SIDE, dtype=torch.float64) - SIDE // 2
    y, x = torch.meshgrid(at, at, indexing="ij")
    filters = []
    for index in range(ORIENTATIONS):
        angle = math.pi * index / ORIENTATIONS
        along = x * math.cos(angle) + y * math.sin(angle)
        window = torch.exp(-(x**2 + y**2) / (2 * 1.6**2))
        for wave in (torch.sin, torch.cos):
            one = window * wave(2 * math.pi * along / 4.5)
            one = one - window * one.sum() / window.sum()
            filters.append(one / one.norm())
    middle = SIDE // 2
    second = torch.zeros(SIDE, SIDE, dtype=torch.float64)
    second[middle, middle - 1 : middle + 2] = torch.tensor([1.0, -2.0, 1.0], dtype=torch.float64)
    filters += [second / second.norm(), second.T / second.norm()]
    return torch.stack(filters)[:, None].float().to(device)


@functools.cache
@torch.inference_mode(False)
def _mixing(device: torch.device) -> Tensor:
    return torch.tensor(COLOURS, dtype=torch.float64, device=device)[:, :, None, None]


def features(images: Tensor) -> list[Tensor]:
    """Returns features (B, 63, h, w) of images (B, 3, H, W) at each scale, finest first."""
    planes = functional.conv2d(images, _mixing(images.device).to(images.dtype))
    found = []
    for scale in range(SCALES):
        planes = functional.avg_pool2d(planes, 2) if scale else planes
        found.append(torch.cat([planes, *_responses(planes)], dim=1))
    return found


def _responses(planes: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the positive and the negative parts of the responses of every plane to every filter."""
    filters = bank(planes.device).to(planes.dtype).repeat(planes.shape[1], 1, 1, 1)
    padded = functional.pad(planes, (SIDE // 2,) * 4, mode="reflect")
    responses = GAIN * functional.conv2d(padded, filters, groups=planes.shape[1])
    return responses.relu(), (-responses).relu()


def gram(maps: Tensor) -> Tensor:
    """Returns the mean products (B, C, C) of features (B, C, h, w)."""
    flat = maps.flatten(2)
    return flat @ flat.transpose(1, 2) / flat.shape[-1]


def style_image(name: str) -> Tensor:
    """Returns a style image (1, 3, 512, 512) in [0, 1]."""
    from PIL import Image

    spec = importlib.util.find_spec("skimage")
    assert spec is not None and spec.origin is not None, "scikit-image is installed with dialbench"
    with Image.open(Path(spec.origin).parent / "data" / f"{name}.png") as file:
        gray = torch.tensor(list(file.convert("L").tobytes())).reshape(file.height, file.width)
    dark, light = (torch.tensor(colour)[:, None, None] for colour in STYLES[name])
    return (dark + gray / 255.0 * (light - dark))[None]


class Style(nn.Module):
    """How far the Gram matrices of outputs are from those of a style image.

    The mean over scales of ``|G(output) - G(style)|^2 / |G(style)|^2`` (Frobenius norms); the target
    does not matter.

    Args:
        name: A key of ``STYLES``.
    """

    def __init__(self, name: str):
        super().__init__()
        for scale, maps in enumerate(features(style_image(name))):
            self.register_buffer(f"gram_{scale}", gram(maps), persistent=False)

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        losses = []
        with in_full(output) as (images,):
            for scale, maps in enumerate(features(images)):
                wanted = getattr(self, f"gram_{scale}")
                apart = (gram(maps) - wanted).square().sum(dim=(1, 2))
                losses.append(apart / wanted.square().sum())
            return torch.stack(losses).mean(dim=0)


class Content(nn.Module):
    """How far the oriented structure of the output's luma is from the target's at coarser scales.

    The mean square of the differences of all responses at the second and third scale; brightness,
    colour and fine texture do not count.
    """

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        losses = []
        with in_full(output - target) as (apart,):
            luma = functional.conv2d(apart, _mixing(apart.device)[:1].to(apart.dtype))
            for _ in range(1, SCALES):
                luma = functional.avg_pool2d(luma, 2)
                above, below = _responses(luma)
                losses.append((above - below).square().mean(dim=(1, 2, 3)))
            return torch.stack(losses).mean(dim=0)
