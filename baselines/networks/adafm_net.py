"""AdaFM-Net, the basic model of AdaFM (arXiv 1904.08118); also the backbone of HyperRes and FTN."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["AdaFMNet"]


class _Block(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.relu = nn.ReLU()
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(self.relu(self.first(x)))


class _Upsampler(nn.Module):
    """One module, because CFSNet couples it whole."""

    def __init__(self, width: int):
        super().__init__()
        self.conv = nn.Conv2d(width, 4 * width, 3, padding=1)
        self.shuffle = nn.PixelShuffle(2)

    def forward(self, x: Tensor) -> Tensor:
        return self.shuffle(self.conv(x))


class AdaFMNet(nn.Module):
    """A residual network at half resolution: 1,406,787 parameters, 24.905 GMAC at 256 x 256.

    There is no skip from the input image, as in the paper. Weights start kaiming-normal x 0.1.
    For super-resolution the input is upsampled by bicubic interpolation first, as in the paper.
    Deviation: odd sizes are padded by replication and cropped back, where the authors' loader
    crops images to even sizes.

    Args:
        scale: Output size over input size.
        width: Channels of the features.
        blocks: Number of residual blocks (one block: 298,947 parameters).
    """

    multiple = 2

    def __init__(self, scale: int = 1, width: int = 64, blocks: int = 16):
        super().__init__()
        self.scale = scale
        self.head = nn.Conv2d(3, width, 3, stride=2, padding=1)
        self.blocks = nn.Sequential(*(_Block(width) for _ in range(blocks)))
        self.body = nn.Conv2d(width, width, 3, padding=1)
        self.up = _Upsampler(width)
        self.relu = nn.ReLU()
        self.fine = nn.Conv2d(width, width, 3, padding=1)
        self.tail = nn.Conv2d(width, 3, 3, padding=1)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight).data.mul_(0.1)
                nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Restores (B, 3, h, w) in [0, 1] to (B, 3, scale h, scale w)."""
        if self.scale > 1:
            x = F.interpolate(x, scale_factor=self.scale, mode="bicubic")
        h, w = x.shape[-2:]
        head = self.head(F.pad(x, (0, -w % self.multiple, 0, -h % self.multiple), mode="replicate"))
        deep = head + self.body(self.blocks(head))
        fine = self.relu(self.fine(self.relu(self.up(deep))))
        return self.tail(fine)[..., :h, :w]
