"""Finding the layers of a backbone by walking its modules, never by knowing attribute names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmark.errors import LevelError, UserError

TOKENS = (
    "the backbone has layers that work on tokens, whose place in the image is not known; give one "
    "level instead of a map"
)
"""Why a level map is refused."""

Layer = nn.Conv2d | nn.ConvTranspose2d | nn.Linear
Norm = nn.modules.batchnorm._NormBase | nn.LayerNorm | nn.GroupNorm | nn.RMSNorm


def layers(network: nn.Module) -> dict[str, Layer]:
    """Returns every convolution, transposed convolution and linear layer, in definition order."""
    kinds = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
    return {name: module for name, module in network.named_modules() if isinstance(module, kinds)}


def channels(layer: Layer) -> tuple[int, int]:
    """Returns (input channels, output channels) of a layer."""
    if isinstance(layer, nn.Linear):
        return layer.in_features, layer.out_features
    return layer.in_channels, layer.out_channels


def layers_within(network: nn.Module, names: Iterable[str]) -> dict[str, Layer]:
    """Returns the layers that are, or lie inside, the modules of the given names."""
    names = tuple(names)
    inside = tuple(f"{name}." for name in names)
    found = layers(network)
    return {key: layer for key, layer in found.items() if key in names or key.startswith(inside)}


def _keeps_resolution(module: nn.Module) -> bool:
    resamplers = (nn.ConvTranspose2d, nn.PixelShuffle, nn.PixelUnshuffle, nn.Upsample)
    return not any(
        isinstance(part, resamplers) or (isinstance(part, nn.Conv2d) and max(part.stride) > 1)
        for part in module.modules()
    )


def residual_blocks(network: nn.Module) -> dict[str, nn.Module]:
    """Returns the residual blocks of a network, in definition order.

    A residual block is the smallest module of the network's own (not a ``torch.nn`` container)
    that holds at least two layers, gives as many channels as it takes and nowhere changes the
    resolution. In a network without any (a plain chain) every such layer stands for a block.

    Raises:
        UserError: If there are no such layers either.
    """
    found: dict[str, nn.Module] = {}
    for name, module in network.named_modules():
        if not name or type(module).__module__.startswith("torch.nn"):
            continue
        inner = list(layers(module).values())
        same = len(inner) >= 2 and channels(inner[0])[0] == channels(inner[-1])[1]
        if same and _keeps_resolution(module):
            found = {key: block for key, block in found.items() if not name.startswith(key + ".")}
            found[name] = module
    if not found:
        found = {
            name: layer
            for name, layer in layers(network).items()
            if len({*channels(layer)}) == 1 and _keeps_resolution(layer)
        }
    if not found:
        raise UserError(
            "the backbone has neither residual blocks nor layers that keep their channels; "
            "choose another with --backbone"
        )
    return found


def trunk_convolutions(network: nn.Module) -> dict[str, nn.Conv2d]:
    """Returns the convolutions of residual blocks, and others that keep their channels.

    The others count ahead of the first upsampling layer only.
    """
    inside = layers_within(network, residual_blocks(network))
    found: dict[str, nn.Conv2d] = {}
    enlarged = False
    for name, module in network.named_modules():
        enlarged |= isinstance(module, nn.PixelShuffle | nn.Upsample | nn.ConvTranspose2d)
        if isinstance(module, nn.Conv2d):
            keeps = module.in_channels == module.out_channels and not enlarged
            if keeps or name in inside:
                found[name] = module
    return found


def divided_out(network: nn.Module) -> set[str]:
    """Returns the convolutions with an instance norm right behind them.

    It takes away what scales or shifts their channels.
    """
    found, before = set(), ""
    for name, module in network.named_modules():
        if next(module.children(), None) is None:
            if isinstance(module, nn.InstanceNorm2d) and before:
                found.add(before)
            before = name if isinstance(module, nn.Conv2d) else ""
    return found


def block_ends(network: nn.Module) -> dict[str, Layer | Norm]:
    """Returns the last layer or norm of every residual block: what scales its branch.

    Raises:
        UserError: If a block ends with a norm that has no scale.
    """
    found: dict[str, Layer | Norm] = {}
    for name, block in residual_blocks(network).items():
        ends = [
            (f"{name}.{inner}".rstrip("."), module)
            for inner, module in block.named_modules()
            if isinstance(module, Layer | Norm)
        ]
        key, end = ends[-1]
        if end.weight is None:
            raise UserError(
                f"residual block '{name}' of the backbone ends with a norm that has no scale; "
                "choose another backbone with --backbone"
            )
        found[key] = end
    return found


def free_parameters(network: nn.Module) -> list[str]:
    """Returns the names of parameters that belong to neither a layer nor a norm.

    Such are the scales of NAFNet's branches, or the position tables of attention in windows.
    """
    return [
        f"{name}.{key}".lstrip(".")
        for name, module in network.named_modules()
        if not isinstance(module, Layer | Norm)
        for key, _ in module.named_parameters(recurse=False)
    ]


def after_blocks(network: nn.Module) -> tuple[str, Layer]:
    """Returns the first layer after the last residual block, or the last, and where it begins.

    That is its own name, or that of an upsampling right ahead of it, which belongs to it.
    """
    within = layers_within(network, [list(residual_blocks(network))[-1]])
    behind, begins = False, ""
    for name, module in network.named_modules():
        if isinstance(module, Layer):
            if behind and name not in within:
                return begins or name, module
            behind, begins = behind or name in within, ""
        elif behind and isinstance(module, nn.Upsample):
            begins = name
    return list(layers(network).items())[-1]


def kaiming_small(module: nn.Module, scale: float = 0.1) -> None:
    """Initialises layers as AdaFM, CFSNet, CResMD and HyperRes do: kaiming-normal x scale, bias 0."""
    for layer in layers(module).values():
        nn.init.kaiming_normal_(layer.weight)
        layer.weight.data.mul_(scale)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def channels_last(module: nn.Module) -> None:
    """Lays all four-dimensional parameters out channels last; ``Module.to`` refuses other ranks."""
    for parameter in module.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)


def parameters_of(network: nn.Module) -> int:
    """Returns the number of parameters, trainable or not."""
    return sum(parameter.numel() for parameter in network.parameters())


def output_rows(layer: Layer, weight: Tensor) -> Tensor:
    """Returns a weight shaped like ``layer``'s as (C_out, n), one row per output channel."""
    if isinstance(layer, nn.ConvTranspose2d):
        weight = weight.unflatten(0, (layer.groups, -1)).transpose(1, 2).flatten(0, 1)
    return weight.flatten(1)


def from_output_rows(layer: Layer, rows: Tensor) -> Tensor:
    """Returns (C_out, n) as a weight shaped like ``layer``'s; undoes ``output_rows``."""
    if isinstance(layer, nn.ConvTranspose2d):
        _, per_group, *size = layer.weight.shape
        taken = layer.in_channels // layer.groups
        rows = rows.reshape(layer.groups, per_group, taken, *size).transpose(1, 2)
    return rows.reshape(layer.weight.shape)


def resized(level_map: Tensor, size: Sequence[int]) -> Tensor:
    """Returns a level map (B, d, H, W) at the resolution (h, w) of features.

    Where features are coarser, each gets the mean of the pixels that it stands for; where they are
    finer, levels are interpolated bilinearly.
    """
    if tuple(size) == tuple(level_map.shape[-2:]):
        return level_map
    coarser = all(one <= own for one, own in zip(size, level_map.shape[-2:], strict=True))
    return functional.interpolate(level_map, tuple(size), mode="area" if coarser else "bilinear")


def placed(values: Sequence[float], beside: Tensor) -> Tensor:
    """Returns numbers (n,) made on the device of a tensor, in its type.

    A copy from the host would make a GPU wait, and can be no part of a recorded step.
    """
    return torch.cat([beside.new_full((1,), value) for value in values])


def as_input(level_map: Tensor, network: nn.Module) -> Tensor:
    """Returns a level map (B, d, h, w) as large as the images that a network makes of its input.

    Networks with a ``multiple`` enlarge images by their ``scale`` first, and repeat the last row
    and column up to multiples of it; so do maps then, or their far edge would come to lie there.
    """
    multiple, scale = getattr(network, "multiple", 1), getattr(network, "scale", 1)
    h, w = (scale * side for side in level_map.shape[-2:])
    bottom, right = -h % multiple, -w % multiple
    if not bottom and not right:
        return level_map
    return functional.pad(resized(level_map, (h, w)), (0, right, 0, bottom), mode="replicate")


def spread(level: Tensor, features: Tensor) -> Tensor:
    """Returns levels shaped to scale features (B, C, h, w), or tokens (B x windows, ..., C).

    Args:
        level: Levels (B,), or maps (B, H, W), which are resized.
        features: What they are to scale.

    Raises:
        LevelError: For maps, if the features are tokens, whose place in the image is not known.
    """
    if level.ndim == 3:
        if features.ndim != 4:
            raise LevelError(TOKENS)
        return resized(level[:, None], features.shape[-2:])
    copies = features.shape[0] // level.shape[0]
    return level.repeat_interleave(copies).reshape(-1, *(1,) * (features.ndim - 1))


def between_corners(values: Sequence[Tensor], level: Sequence[Tensor]) -> Tensor:
    """Returns what lies at ``level`` between one value for each corner (``ControlSpace.corners``).

    Args:
        values: 2^d tensors of one shape, which weigh products of t_i or 1 - t_i; or the d + 1 of a
            simplex, which weigh 1 - sum t, t_1, ..., t_d.
        level: d tensors that spread over the values; 0 and 1 give a corner's value bit for bit.
    """
    if 1 < len(level) == len(values) - 1:
        shares = [1 - sum(level), *level]
        parts = [share * value for share, value in zip(shares, values, strict=True)]
        return torch.stack(parts).sum(0)
    for t in reversed(level):
        values = [torch.lerp(*pair, t) for pair in zip(values[::2], values[1::2], strict=True)]
    return values[0]
