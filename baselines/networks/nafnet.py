"""NAFNet (arXiv 2204.04676): a U-net of blocks without nonlinear activations."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["NAFNet"]


class _Norm(nn.LayerNorm):
    """Layer norm over the channels of every pixel."""

    def __init__(self, width: int):
        super().__init__(width, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def _gate(x: Tensor) -> Tensor:
    one, other = x.chunk(2, dim=1)
    return one * other


class _Spatial(nn.Module):
    """The first branch of a block: a gated depthwise convolution, and attention over channels."""

    def __init__(self, width: int):
        super().__init__()
        self.norm = _Norm(width)
        self.widen = nn.Conv2d(width, 2 * width, 1)
        self.depthwise = nn.Conv2d(2 * width, 2 * width, 3, padding=1, groups=2 * width)
        self.attention = nn.Conv2d(width, width, 1)
        self.out = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = _gate(self.depthwise(self.widen(self.norm(x))))
        return self.out(x * self.attention(x.mean((2, 3), keepdim=True)))


class _FeedForward(nn.Module):
    """The second branch of a block."""

    def __init__(self, width: int):
        super().__init__()
        self.norm = _Norm(width)
        self.widen = nn.Conv2d(width, 2 * width, 1)
        self.out = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(_gate(self.widen(self.norm(x))))


class _Block(nn.Module):
    """Both branches, each scaled per channel; the scales start at zero, the block as the identity."""

    def __init__(self, width: int):
        super().__init__()
        self.spatial = _Spatial(width)
        self.feed_forward = _FeedForward(width)
        self.beta = nn.Parameter(torch.zeros(1, width, 1, 1))
        self.gamma = nn.Parameter(torch.zeros(1, width, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.beta * self.spatial(x)
        return x + self.gamma * self.feed_forward(x)


def _stage(width: int, blocks: int) -> nn.Sequential:
    return nn.Sequential(*(_Block(width) for _ in range(blocks)))


class NAFNet(nn.Module):
    """A U-net whose output is added to the input: 29,159,715 parameters at width 32, 115,982,915 at 64.

    The defaults are the paper's network for denoising (SIDD); ``nafnet:enc=1-1-1-28:mid=1:dec=1-1-1-1``
    is the one for deblurring (17,111,907). The first and last level of the U-net work at full
    resolution, every further one at half of the one before. For super-resolution the input is
    upsampled by bicubic interpolation first. Deviation: sides that are no multiples of 2^levels
    are padded by replication instead of zeros, and cropped back.

    Args:
        scale: Output size over input size.
        width: Channels at full resolution; every level doubles them.
        enc: Blocks of each level on the way down, like ``2-2-4-8``.
        mid: Blocks at the bottom.
        dec: Blocks of each level on the way up; as many levels as ``enc``.
    """

    def __init__(
        self,
        scale: int = 1,
        width: int = 32,
        enc: str = "2-2-4-8",
        mid: int = 12,
        dec: str = "2-2-2-2",
    ):
        super().__init__()
        down, up = ([int(count) for count in str(one).split("-")] for one in (enc, dec))
        if len(down) != len(up):
            raise ValueError(f"enc={enc} and dec={dec} must have as many levels as each other")
        self.scale = scale
        self.multiple = 2 ** len(down)
        widths = [width * 2**level for level in range(len(down) + 1)]
        self.head = nn.Conv2d(3, width, 3, padding=1)
        self.encoders = nn.ModuleList(_stage(*one) for one in zip(widths[:-1], down, strict=True))
        self.downs = nn.ModuleList(nn.Conv2d(one, 2 * one, 2, stride=2) for one in widths[:-1])
        self.middle = _stage(widths[-1], mid)
        self.ups = nn.ModuleList(
            nn.Sequential(nn.Conv2d(one, 2 * one, 1, bias=False), nn.PixelShuffle(2))
            for one in reversed(widths[1:])
        )
        self.decoders = nn.ModuleList(
            _stage(*one) for one in zip(reversed(widths[:-1]), up, strict=True)
        )
        self.tail = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Restores (B, 3, h, w) in [0, 1] to (B, 3, scale h, scale w)."""
        if self.scale > 1:
            x = F.interpolate(x, scale_factor=self.scale, mode="bicubic")
        h, w = x.shape[-2:]
        z = F.pad(x, (0, -w % self.multiple, 0, -h % self.multiple), mode="replicate")
        z = self.head(z)
        skips: list[Tensor] = []
        for encoder, down in zip(self.encoders, self.downs, strict=True):
            skips.append(encoder(z))
            z = down(skips[-1])
        z = self.middle(z)
        for up, decoder in zip(self.ups, self.decoders, strict=True):
            z = decoder(up(z) + skips.pop())
        return x + self.tail(z)[..., :h, :w]
