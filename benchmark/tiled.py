"""Images too large for one pass, restored in tiles whose seams nobody sees: they agree with one pass."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

AT_ONCE = 2_000_000
"""Pixels of an input that go through a network in one pass; 12 million take 8 GB in a small one."""

PERIOD = 32
"""Tiles begin at multiples of it: strides and windows of networks lie as in the whole image."""

PROBE = 768
"""Side of the input on which a network's reach is looked for.

What reaches further is better off whole: more would be computed at the seams than inside."""

SAME = 1e-4
"""Largest difference of tiles from one pass: a fortieth of a step of 8 bits."""


def restored(network: nn.Module, image: Tensor) -> Tensor:
    """Returns the output (3, H, W) of a network, as of one pass, for an image of any size.

    A network that looks at the whole image, as attention over channels does, gets it whole.

    Args:
        network: A network at one level, in evaluation mode.
        image: The input (1, 3, h, w) in [0, 1].
    """
    if math.prod(image.shape[-2:]) <= AT_ONCE:
        return network(image)[0]
    margin = margin_of(network, image)
    side = math.isqrt(AT_ONCE) // PERIOD * PERIOD
    if margin is None:
        return network(image)[0]
    return _by_tiles(network, image, side - 2 * margin, margin)


def margin_of(network: nn.Module, image: Tensor) -> int | None:
    """Returns how far around a tile its output depends on the input, as a multiple of ``PERIOD``.

    One block of pixels that are not a number makes all outputs so that depend on them. What that
    finds is tried on a part of the image.

    Returns:
        None if it is more than can be told, or if tiles give something else than one pass.
    """
    block = slice(PROBE // 2, PROBE // 2 + PERIOD)
    probe = torch.full((1, 3, PROBE, PROBE), 0.5, device=image.device)
    probe[..., block, block] = math.nan
    output = network(probe)[0]
    scale, hit, reach = output.shape[-1] / PROBE, output.isnan().any(0), 1
    for axis in (0, 1):
        at = hit.any(axis).nonzero().flatten() / scale
        if not len(at):
            return None
        reach = max(reach, block.start - int(at[0]), math.ceil(at[-1] + 1 / scale) - block.stop)
    # What comes near the border might reach further in a larger image.
    if reach > PROBE - block.stop - PERIOD:
        return None
    margin = math.ceil(reach / PERIOD) * PERIOD
    # Large enough for a tile that no border cuts; it ends as the image does.
    part = image[..., *(slice(3 * margin + PERIOD + end % PERIOD) for end in image.shape[-2:])]
    apart = _by_tiles(network, part, margin, margin) - network(part)[0]
    return margin if apart.abs().max() <= SAME else None


def _by_tiles(network: nn.Module, image: Tensor, side: int, margin: int) -> Tensor:
    """Returns an output (3, H, W) put together from tiles of ``side`` with ``margin`` around them."""
    height, width = image.shape[-2:]
    whole = None
    for rows, upper in _spans(height, side, margin):
        for columns, left in _spans(width, side, margin):
            output = network(image[..., upper, left])[0]
            scale = output.shape[-1] // (left.stop - left.start)
            if whole is None:
                whole = output.new_empty(len(output), scale * height, scale * width)
            inner = (_scaled(rows, upper.start, scale), _scaled(columns, left.start, scale))
            whole[:, _scaled(rows, 0, scale), _scaled(columns, 0, scale)] = output[:, *inner]
    assert whole is not None
    return whole


def _spans(length: int, side: int, margin: int) -> Iterator[tuple[slice, slice]]:
    """Yields the tiles along one axis, each with what is given to the network for it."""
    for start in range(0, length, side):
        stop = min(start + side, length)
        yield slice(start, stop), slice(max(0, start - margin), min(stop + margin, length))


def _scaled(span: slice, origin: int, scale: int) -> slice:
    return slice(scale * (span.start - origin), scale * (span.stop - origin))
