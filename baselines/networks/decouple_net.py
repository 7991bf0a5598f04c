"""The base network of decouple learning (arXiv 1807.08186): edge map, dilated blocks, instance norms."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["DecoupleNet"]

DILATIONS = (2, 4, 4, 8, 8, 16, 1)
GRAY = 128 / 255
"""What is subtracted from the image and from the edge map."""


class _Block(nn.Module):
    def __init__(self, width: int, dilation: int):
        super().__init__()

        def conv() -> nn.Module:
            return nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation, bias=False)

        self.steps = nn.Sequential(
            conv(),
            nn.InstanceNorm2d(width, affine=True),
            nn.ReLU(),
            conv(),
            nn.InstanceNorm2d(width, affine=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        return (x + self.steps(x)).relu()


def edge_map(x: Tensor) -> Tensor:
    """Returns (B, 1, h, w): the mean absolute difference of (B, 3, h, w) to the four neighbours.

    Eq. 2 with the released code's mean over colours (the paper sums them); a neighbour beyond the
    border counts as no difference.
    """
    down = (x[..., 1:, :] - x[..., :-1, :]).abs()
    right = (x[..., :, 1:] - x[..., :, :-1]).abs()
    total = F.pad(down, (0, 0, 1, 0)) + F.pad(down, (0, 0, 0, 1))
    total = total + F.pad(right, (1, 0)) + F.pad(right, (0, 1))
    return total.mean(1, keepdim=True) / 4


class DecoupleNet(nn.Module):
    """20 layers without biases: 698,688 parameters, 19 instance norms included; 15.230 GMAC at 256 x 256.

    Layers 3 to 18 work at half resolution, 4 to 17 are seven residual blocks with dilations. As in
    the released code there is no skip from the input, and a ReLU ends the network (the paper does
    not mention one). For super-resolution the input is upsampled by bicubic interpolation first.
    Deviations: images are in [0, 1] instead of 0 to 255; odd sizes are padded by replication and
    cropped back.

    Args:
        scale: Output size over input size.
        width: Channels of the features.
        blocks: Number of residual blocks; the last one always has dilation 1.
    """

    multiple = 2

    def __init__(self, scale: int = 1, width: int = 64, blocks: int = len(DILATIONS)):
        super().__init__()
        if not 1 <= blocks <= len(DILATIONS):
            raise ValueError(f"DecoupleNet has 1 to {len(DILATIONS)} blocks, not {blocks}")
        self.scale = scale

        def normed(layer: nn.Module) -> list[nn.Module]:
            return [layer, nn.InstanceNorm2d(width, affine=True), nn.ReLU()]

        self.steps = nn.Sequential(
            *normed(nn.Conv2d(4, width, 3, padding=1, bias=False)),
            *normed(nn.Conv2d(width, width, 3, padding=1, bias=False)),
            *normed(nn.Conv2d(width, width, 3, stride=2, padding=1, bias=False)),
            *(_Block(width, dilation) for dilation in (*DILATIONS[: blocks - 1], DILATIONS[-1])),
            *normed(nn.ConvTranspose2d(width, width, 4, stride=2, padding=1, bias=False)),
            *normed(nn.Conv2d(width, width, 3, padding=1, bias=False)),
            nn.Conv2d(width, 3, 3, padding=1, bias=False),
            nn.ReLU(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Restores (B, 3, h, w) in [0, 1] to (B, 3, scale h, scale w)."""
        if self.scale > 1:
            x = F.interpolate(x, scale_factor=self.scale, mode="bicubic")
        h, w = x.shape[-2:]
        x = F.pad(x, (0, -w % self.multiple, 0, -h % self.multiple), mode="replicate")
        return self.steps(torch.cat([x, edge_map(x)], dim=1) - GRAY)[..., :h, :w]
