"""Level maps: a level of its own for every pixel, for any method that is affine in the level.

FTN (2010.02270) sets the level A per pixel by running both kernels of a layer and mixing what they
give: ``(1 - A) (x * f) + A (x * FTN(f))``. The same works for every method whose tuned weights are
affine in the level, ``W(t) = W_0 + sum_k t_k (W_k - W_0)`` with ``W_0`` at level 0 and ``W_k`` at the
far end of axis k, at the cost of d + 1 convolutions a layer::

    y = x * W_0 + sum_k A_k (x * (W_k - W_0))

A is resized to the output of each layer, also of strided and transposed ones (see ``resized``);
layers behind a global pooling get its mean. Norms get their parameters, and running statistics,
pixel by pixel; statistics of instance and group norms are those of the whole image.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm

from benchmark.errors import LevelError
from benchmark.tuning.holding import holding
from benchmark.tuning.hooks import Hook, hooked
from benchmark.tuning.layers import TOKENS, Layer, as_input, resized

Weights = Mapping[str, Tensor]
At = Callable[[tuple[int, ...]], Tensor]
"""Returns the level map (B, d, h, w) at a size."""

TRIED = (33, 35)
"""Height and width of the image that is tried: odd, so that networks which pad must pad it."""
NORMS = (_BatchNorm, _InstanceNorm, nn.GroupNorm)


def mapped(network: nn.Module, corners: Sequence[Weights], x: Tensor, level_map: Tensor) -> Tensor:
    """Restores ``x`` with a level for every pixel.

    Args:
        network: The plain network.
        corners: What depends on the level, by name: at level 0, then at the far end of each axis.
        x: (B, 3, h, w).
        level_map: (B, d, h, w) in [0, 1].

    Raises:
        LevelError: If something depends on the level that has no place in the image.
    """
    start, *ends = corners
    at = functools.cache(lambda size: resized(level_map, size))
    changes: dict[str, dict[str, list[Tensor]]] = {}
    for name, value in start.items():
        module, _, own = name.rpartition(".")
        changes.setdefault(module, {})[own] = [end[name] - value for end in ends]
    pairs = [
        (network.get_submodule(name), _hook(name, network.get_submodule(name), own, at))
        for name, own in changes.items()
    ]
    with hooked(pairs), holding(network, start):
        return network(x)


def _hook(name: str, module: nn.Module, own: dict[str, list[Tensor]], at: At) -> Hook:
    """Returns what turns a module's output at level 0 into that of the map."""
    if isinstance(module, Layer):
        return lambda layer, inputs, y: _mixed(layer, inputs[0], y, own, at)
    if isinstance(module, NORMS):
        return lambda norm, inputs, y: _normalised(norm, inputs[0], own, at)
    raise LevelError(
        f"'{name or type(module).__name__}' of the backbone has weights that a level map cannot set "
        "pixel by pixel; give one level instead of a map"
    )


def _mixed(layer: Layer, x: Tensor, y: Tensor, own: dict[str, list[Tensor]], at: At) -> Tensor:
    if isinstance(layer, nn.Linear) and y.ndim > 2:
        raise LevelError(TOKENS)
    share = at(tuple(y.shape[2:]) or (1, 1))
    share = share.flatten(1)[..., None] if y.ndim == 2 else share[:, :, None]
    count = len(next(iter(own.values())))
    for axis in range(count):
        weight, bias = (own[key][axis] if key in own else None for key in ("weight", "bias"))
        if weight is None and bias is not None:
            y = y + share[:, axis] * bias.reshape(-1, *(1,) * (y.ndim - 2))
        else:
            y = y + share[:, axis] * _applied(layer, x, weight, bias)
    return y


def _applied(layer: Layer, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Returns what a layer would give with other weights."""
    if isinstance(layer, nn.Linear):
        return F.linear(x, weight, bias)
    if isinstance(layer, nn.ConvTranspose2d):
        return F.conv_transpose2d(
            x,
            weight,
            bias,
            layer.stride,
            layer.padding,
            layer.output_padding,
            layer.groups,
            layer.dilation,
        )
    # What nn.Conv2d itself runs, which knows every way to pad.
    return layer._conv_forward(x, weight, bias)


def _normalised(norm: nn.Module, x: Tensor, own: dict[str, list[Tensor]], at: At) -> Tensor:
    share = at(tuple(x.shape[-2:]))[:, :, None]

    def value(key: str) -> Tensor | None:
        start = getattr(norm, key, None)
        if start is None:
            return None
        found = start[None, :, None, None]
        for axis, change in enumerate(own.get(key, ())):
            found = found + share[:, axis] * change[:, None, None]
        return found

    mean, variance = value("running_mean"), value("running_var")
    if isinstance(norm, nn.GroupNorm):
        y = F.group_norm(x, norm.num_groups, eps=norm.eps)
    elif mean is not None and variance is not None and not norm.training:
        y = (x - mean) / (variance + norm.eps).sqrt()
    elif isinstance(norm, _InstanceNorm):
        y = F.instance_norm(x, eps=norm.eps)
    else:
        y = F.batch_norm(x, None, None, training=True, eps=norm.eps)
    weight, bias = value("weight"), value("bias")
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


def refusal(method: nn.Module) -> str:
    """Returns why an assembled method takes no level map on its backbone, or an empty text."""
    x = torch.zeros(1, 3, *TRIED)
    try:
        with torch.no_grad():
            method(x, torch.zeros(1, method.control.d, *TRIED))
    except LevelError as error:
        return str(error)
    return misplaced(method.backbone, x)


@torch.no_grad()
def sees_image_alone(network: nn.Module) -> bool:
    """Whether a network is told nothing but the image; others are told the level above all."""
    try:
        inspect.signature(network.forward).bind(None)
    except TypeError:
        return False
    return True


def misplaced(network: nn.Module, x: Tensor) -> str:
    """Returns why level maps would not lie where a network has its features, or an empty text.

    Features must be a whole multiple or a whole part of what ``as_input`` makes of a map, or the map
    would be stretched on its way to them. Where they are not, the network pads images, or cuts them
    into steps, in a way that its attributes ``multiple`` and ``scale`` do not tell. On which side it
    pads cannot be seen.

    Args:
        network: A backbone, or a network that takes its place.
        x: An image (1, 3, h, w) whose sides are no multiples of anything it may pad to.
    """
    if not sees_image_alone(network):
        # It lays maps out by itself.
        return ""
    expected = as_input(x[:, :1], network).shape[-2:]
    found: dict[tuple[int, ...], None] = {}

    def note(module: nn.Module, inputs: tuple[Tensor, ...], features: Tensor) -> Tensor:
        if features.ndim == 4 and features.shape[-2:] != (1, 1):
            found[tuple(features.shape[-2:])] = None
        return features

    made = [one for one in network.modules() if isinstance(one, nn.Conv2d | nn.ConvTranspose2d)]
    with hooked((one, note) for one in made):
        network(x)
    for sides in found:
        if not all(_fits(*pair) for pair in zip(sides, expected, strict=True)):
            return (
                f"{type(network).__name__} has features of {sides[0]}x{sides[1]} for an image of "
                f"{x.shape[-2]}x{x.shape[-1]}, where level maps are {expected[0]}x{expected[1]}; let "
                "its attribute multiple say what it pads images to, or divides them by, and scale how "
                "it enlarges them before"
            )
    return ""


def _fits(side: int, expected: int) -> bool:
    return max(side, expected) % min(side, expected) == 0
