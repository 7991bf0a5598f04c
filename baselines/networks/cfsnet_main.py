"""The main networks of CFSNet (arXiv 1904.00634): full-resolution residual networks."""

from __future__ import annotations

from torch import Tensor, nn

__all__ = ["CFSNetMain"]


class _Block(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.relu = nn.ReLU()
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(self.relu(self.first(x)))


class _Upsampler(nn.Sequential):
    """The tail convolution and the pixel shuffles; one module, because CFSNet couples it whole."""

    def __init__(self, scale: int, width: int, kernel: int, tail: bool):
        steps: list[nn.Module] = []
        if tail:
            steps.append(nn.Conv2d(width, width, 3, padding=1, bias=False))
        for factor in {2: (2,), 3: (3,), 4: (2, 2), 8: (2, 2, 2)}[scale]:
            wide = factor**2 * width
            steps.append(nn.Conv2d(width, wide, kernel, padding=kernel // 2, bias=False))
            steps.append(nn.PixelShuffle(factor))
        super().__init__(*steps)


class CFSNetMain(nn.Module):
    """The main branch alone; 742,016 parameters for denoising, 2,288,768 for super-resolution x4.

    At scale 1 the network predicts the degradation, restored = x - f(x), as the authors' denoiser
    does (their deblocking net predicts the image; one rule here). Otherwise it predicts the image.
    Only the residual blocks have biases. Weights start kaiming-normal x 0.1.

    Args:
        scale: Output size over input size: 1, 2, 3, 4 or 8.
        width: Channels of the features.
        blocks: Number of residual blocks; 0 means the paper's (10 at scale 1, else 30).
        as_ftn: The structure that FTN's Table 4 counts (2,366,592 at x2): 3 x 3 instead of 1 x 1
            upsampling convolutions and no tail convolution.
    """

    def __init__(self, scale: int = 1, width: int = 64, blocks: int = 0, as_ftn: bool = False):
        super().__init__()
        if scale not in (1, 2, 3, 4, 8):
            raise ValueError(f"CFSNet's main network has no scale {scale}; use 1, 2, 3, 4 or 8")
        self.scale = scale
        blocks = blocks or (10 if scale == 1 else 30)
        self.head = nn.Conv2d(3, width, 3, padding=1, bias=False)
        self.blocks = nn.Sequential(*(_Block(width) for _ in range(blocks)))
        if scale > 1:
            self.up = _Upsampler(scale, width, kernel=3 if as_ftn else 1, tail=not as_ftn)
        self.end = nn.Conv2d(width, 3, 3, padding=1, bias=False)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight).data.mul_(0.1)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Restores (B, 3, h, w) in [0, 1] to (B, 3, scale h, scale w)."""
        head = self.head(x)
        deep = head + self.blocks(head)
        return self.end(self.up(deep)) if self.scale > 1 else x - self.end(deep)
