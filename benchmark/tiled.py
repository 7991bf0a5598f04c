"""Images too large for one pass, restored in tiles whose seams nobody sees: they agree with one pass."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

AT_ONCE = 2_000_000
"""Pixels of an input that go through a network in one pass; 12 million take 8 GB in AdaFM-Net."""

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
    try:
        margin = margin_of(network, image)
    except Exception:  # noqa: BLE001 - a network may take images of some sizes alone, or numbers alone
        margin = None
    if margin is None:
        return network(image)[0]
    return _by_tiles(network, image, math.isqrt(AT_ONCE) // PERIOD * PERIOD - 2 * margin, margin)


def margin_of(network: nn.Module, image: Tensor) -> int | None:
    """Returns how far around a tile its output depends on the input, as a multiple of ``PERIOD``.

    One block of pixels that are not a number makes all outputs so that depend on them. What that
    finds is tried on a part of the image, which may be dark or even, and on a texture.

    Returns:
        None if it is more than can be told, or if tiles give something else than one pass.
    """
    block = slice(PROBE // 2, PROBE // 2 + PERIOD)
    probe = torch.full((1, 3, PROBE, PROBE), 0.5, device=image.device)
    probe[..., block, block] = math.nan
    output = network(probe)[0]
    scale, hit, reach = output.shape[-1] / PROBE, output.isnan().any(0), 1
    if scale != int(scale):
        return None
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
    sides = [3 * (margin + PERIOD) + end % PERIOD for end in image.shape[-2:]]
    parts = (image[..., : sides[0], : sides[1]], _texture(*sides).to(image))
    return margin if all(_agree(network, part, margin) for part in parts) else None


def _texture(height: int, width: int) -> Tensor:
    """Returns an image (1, 3, height, width) that looks the same nowhere, at no scale."""
    noise = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))
    return (noise + torch.linspace(0, 1, height)[:, None] + torch.linspace(0, 1, width)) / 3


def _agree(network: nn.Module, part: Tensor, margin: int) -> bool:
    """Whether tiles give what one pass gives; those of the diagonal meet every border and seam.

    They begin at odd multiples of ``PERIOD`` too: what has another period shows.
    """
    whole = network(part)[0]
    rows, columns = (_spans(length, margin + PERIOD, margin) for length in part.shape[-2:])
    tiles = (_tile(network, part, *spans) for spans in zip(rows, columns, strict=False))
    return all(bool((whole[:, *at] - tile).abs().max() <= SAME) for at, tile in tiles)


def _by_tiles(network: nn.Module, image: Tensor, side: int, margin: int) -> Tensor:
    """Returns an output (3, H, W) put together from tiles of ``side`` with ``margin`` around them."""
    height, width = image.shape[-2:]
    whole = None
    for spans in itertools.product(_spans(height, side, margin), _spans(width, side, margin)):
        at, tile = _tile(network, image, *spans)
        if whole is None:
            scale = tile.shape[-1] // (spans[1][0].stop - spans[1][0].start)
            whole = tile.new_empty(len(tile), scale * height, scale * width)
        whole[:, *at] = tile
    assert whole is not None
    return whole


def _tile(
    network: nn.Module, image: Tensor, rows: tuple[slice, slice], columns: tuple[slice, slice]
) -> tuple[tuple[slice, slice], Tensor]:
    """Returns where a tile lies in the output, and the output there."""
    (own_rows, upper), (own_columns, left) = rows, columns
    output = network(image[..., upper, left])[0]
    scale = output.shape[-1] // (left.stop - left.start)
    inner = (_scaled(own_rows, upper.start, scale), _scaled(own_columns, left.start, scale))
    return (_scaled(own_rows, 0, scale), _scaled(own_columns, 0, scale)), output[:, *inner]


def _spans(length: int, side: int, margin: int) -> Iterator[tuple[slice, slice]]:
    """Yields the tiles along one axis, each with what is given to the network for it."""
    for start in range(0, length, side):
        stop = min(start + side, length)
        yield slice(start, stop), slice(max(0, start - margin), min(stop + margin, length))


def _scaled(span: slice, origin: int, scale: int) -> slice:
    return slice(scale * (span.start - origin), scale * (span.stop - origin))
