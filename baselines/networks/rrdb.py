"""RRDB, the generator of ESRGAN (arXiv 1809.00219): densely connected residual blocks in residual blocks."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["RRDB"]


class _Dense(nn.Module):
    """Five convolutions, each of which sees the features of all before it."""

    def __init__(self, width: int, growth: int):
        super().__init__()
        given = [growth] * 4 + [width]
        self.convs = nn.ModuleList(
            nn.Conv2d(width + index * growth, out, 3, padding=1) for index, out in enumerate(given)
        )
        self.leaky = nn.LeakyReLU(0.2)
        for conv in self.convs:
            nn.init.kaiming_normal_(conv.weight).data.mul_(0.1)
            nn.init.zeros_(conv.bias)

    def forward(self, x: Tensor) -> Tensor:
        seen = x
        for conv in self.convs[:-1]:
            seen = torch.cat([seen, self.leaky(conv(seen))], dim=1)
        return x + 0.2 * self.convs[-1](seen)


class _Nested(nn.Module):
    def __init__(self, width: int, growth: int):
        super().__init__()
        self.blocks = nn.Sequential(*(_Dense(width, growth) for _ in range(3)))

    def forward(self, x: Tensor) -> Tensor:
        return x + 0.2 * self.blocks(x)


class RRDB(nn.Module):
    """RRDBNet with 23 nested blocks: 16,697,987 parameters at x4.

    Weights of the dense blocks start kaiming-normal x 0.1. Each upsampling is nearest-neighbour
    and a convolution; without any (scale 1, which the paper has not) the network works at full
    resolution.

    Args:
        scale: Output size over input size: 1, 2, 3, 4 or 8.
        width: Channels of the features.
        blocks: Number of nested blocks; three make a light network (about 2.3 million at x4).
        growth: Channels that each convolution of a dense block adds.
    """

    def __init__(self, scale: int = 1, width: int = 64, blocks: int = 23, growth: int = 32):
        super().__init__()
        if scale not in (1, 2, 3, 4, 8):
            raise ValueError(f"RRDB has no scale {scale}; use 1, 2, 3, 4 or 8")
        self.scale = scale
        self.head = nn.Conv2d(3, width, 3, padding=1)
        self.blocks = nn.Sequential(*(_Nested(width, growth) for _ in range(blocks)))
        self.body = nn.Conv2d(width, width, 3, padding=1)
        steps: list[nn.Module] = []
        for factor in {1: (), 2: (2,), 3: (3,), 4: (2, 2), 8: (2, 2, 2)}[scale]:
            steps.append(nn.Upsample(scale_factor=factor, mode="nearest"))
            steps.append(nn.Conv2d(width, width, 3, padding=1))
            steps.append(nn.LeakyReLU(0.2))
        self.up = nn.Sequential(*steps)
        self.fine = nn.Conv2d(width, width, 3, padding=1)
        self.leaky = nn.LeakyReLU(0.2)
        self.tail = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Restores (B, 3, h, w) in [0, 1] to (B, 3, scale h, scale w)."""
        head = self.head(x)
        deep = head + self.body(self.blocks(head))
        return self.tail(self.leaky(self.fine(self.up(deep))))
