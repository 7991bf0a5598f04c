"""The style network of Johnson et al. (arXiv 1603.08155), the backbone of Dynamic-Net."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["TransformNet"]

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def _conv(taken: int, given: int, kernel: int, stride: int = 1) -> nn.Module:
    padding = kernel // 2
    return nn.Conv2d(taken, given, kernel, stride, padding, padding_mode="reflect")


class _Block(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.steps = nn.Sequential(
            _conv(width, width, 3),
            nn.InstanceNorm2d(width, affine=True),
            nn.ReLU(),
            _conv(width, width, 3),
            nn.InstanceNorm2d(width, affine=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.steps(x)


class TransformNet(nn.Module):
    """Residual blocks at a quarter of the resolution, with instance norms: 1,679,235 parameters.

    As in the code released with Dynamic-Net: reflection padding, nearest-neighbour upsampling, no
    skip from the input; images are normalised by ImageNet's mean and deviation on the way in and
    back on the way out. Sides that are no multiples of four are padded by replication and cropped
    back. For super-resolution the input is upsampled by bicubic interpolation first.

    Args:
        scale: Output size over input size.
        width: Channels of the features at full resolution; blocks have four times as many.
        blocks: Number of residual blocks.
    """

    mean: Tensor
    std: Tensor

    multiple = 4

    def __init__(self, scale: int = 1, width: int = 32, blocks: int = 5):
        super().__init__()
        self.scale = scale
        for name, values in (("mean", IMAGENET_MEAN), ("std", IMAGENET_STD)):
            self.register_buffer(name, torch.tensor(values).reshape(1, 3, 1, 1), persistent=False)

        def normed(taken: int, given: int, kernel: int, stride: int = 1) -> list[nn.Module]:
            conv = _conv(taken, given, kernel, stride)
            return [conv, nn.InstanceNorm2d(given, affine=True), nn.ReLU()]

        self.steps = nn.Sequential(
            *normed(3, width, 9),
            *normed(width, 2 * width, 3, 2),
            *normed(2 * width, 4 * width, 3, 2),
            *(_Block(4 * width) for _ in range(blocks)),
            nn.Upsample(scale_factor=2, mode="nearest"),
            *normed(4 * width, 2 * width, 3),
            nn.Upsample(scale_factor=2, mode="nearest"),
            *normed(2 * width, width, 3),
            _conv(width, 3, 9),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Restores (B, 3, h, w) in [0, 1] to (B, 3, scale h, scale w)."""
        if self.scale > 1:
            x = F.interpolate(x, scale_factor=self.scale, mode="bicubic")
        h, w = x.shape[-2:]
        x = F.pad(
            (x - self.mean) / self.std,
            (0, -w % self.multiple, 0, -h % self.multiple),
            mode="replicate",
        )
        return self.steps(x)[..., :h, :w] * self.std + self.mean
