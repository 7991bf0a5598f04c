"""Pixel losses, one value per sample."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class L1(nn.Module):
    """Mean absolute difference."""

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        return (output - target).abs().mean(dim=(1, 2, 3))


class L2(nn.Module):
    """Mean squared difference."""

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        return (output - target).square().mean(dim=(1, 2, 3))


class LowFrequencyL1(nn.Module):
    """L1 between images averaged over 4x4 blocks: keeps colours while leaving texture free."""

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        return functional.avg_pool2d(output - target, 4).abs().mean(dim=(1, 2, 3))
