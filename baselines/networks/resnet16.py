"""The EDSR-like ResNet of tunable convolutions (arXiv 2304.00898), 16 blocks of 64 channels."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["ResNet16"]

DIV2K_MEAN = (0.4488, 0.4371, 0.4040)


class _Block(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.relu = nn.ReLU()
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + 0.1 * self.second(self.relu(self.first(x)))


class ResNet16(nn.Module):
    """EDSR without the convolution after its body: 1,185,219 parameters, 1,480,643 at x4.

    As in the released code: the input is shifted by the mean of DIV2K, the head is followed by a
    ReLU, residual branches are scaled by 0.1, and the head's features are added before the
    upsampling and output convolutions.

    Args:
        scale: Output size over input size: 1, 2, 3, 4 or 8.
        width: Channels of the features.
        blocks: Number of residual blocks.
    """

    mean: Tensor

    def __init__(self, scale: int = 1, width: int = 64, blocks: int = 16):
        super().__init__()
        if scale not in (1, 2, 3, 4, 8):
            raise ValueError(f"ResNet16 has no scale {scale}; use 1, 2, 3, 4 or 8")
        self.scale = scale
        self.register_buffer("mean", torch.tensor(DIV2K_MEAN).reshape(1, 3, 1, 1), persistent=False)
        self.head = nn.Conv2d(3, width, 3, padding=1)
        self.relu = nn.ReLU()
        self.blocks = nn.Sequential(*(_Block(width) for _ in range(blocks)))
        steps: list[nn.Module] = []
        for factor in {1: (), 2: (2,), 3: (3,), 4: (2, 2), 8: (2, 2, 2)}[scale]:
            steps.append(nn.Conv2d(width, factor**2 * width, 3, padding=1))
            steps.append(nn.PixelShuffle(factor))
        self.up = nn.Sequential(*steps)
        self.tail = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Restores (B, 3, h, w) in [0, 1] to (B, 3, scale h, scale w)."""
        head = self.relu(self.head(x - self.mean))
        return self.tail(self.up(head + self.blocks(head))) + self.mean
