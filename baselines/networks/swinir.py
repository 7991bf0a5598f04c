"""SwinIR (arXiv 2108.10257): attention in shifted windows."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["SwinIR"]

DIV2K_MEAN = (0.4488, 0.4371, 0.4040)


def windows(x: Tensor, side: int) -> Tensor:
    """Cuts (B, h, w, C) into (B h w / side^2, side^2, C), the windows of an image one after another."""
    b, h, w, c = x.shape
    x = x.reshape(b, h // side, side, w // side, side, c)
    return x.transpose(2, 3).reshape(-1, side * side, c)


def joined(x: Tensor, side: int, h: int, w: int) -> Tensor:
    """Undoes ``windows``."""
    x = x.reshape(-1, h // side, w // side, side, side, x.shape[-1])
    return x.transpose(2, 3).reshape(-1, h, w, x.shape[-1])


def shift_mask(h: int, w: int, side: int, device: torch.device) -> Tensor:
    """Returns (windows, side^2, side^2): True where two pixels of a shifted window are no neighbours.

    Rolling the image by half a window puts its opposite borders side by side.
    """

    def part(length: int) -> Tensor:
        at = torch.arange(length, device=device)
        return (at >= length - side).long() + (at >= length - side // 2).long()

    parts = 3 * part(h)[:, None] + part(w)
    flat = windows(parts[None, :, :, None], side).squeeze(-1)
    return flat[:, None, :] != flat[:, :, None]


class _Attention(nn.Module):
    """Multi-head attention within windows, with a learned bias for each relative position."""

    index: Tensor

    def __init__(self, width: int, heads: int, side: int):
        super().__init__()
        self.heads = heads
        self.positions = nn.Parameter(torch.zeros((2 * side - 1) ** 2, heads))
        nn.init.trunc_normal_(self.positions, std=0.02)
        at = torch.cartesian_prod(torch.arange(side), torch.arange(side))
        apart = at[:, None] - at[None] + side - 1
        index = apart[..., 0] * (2 * side - 1) + apart[..., 1]
        self.register_buffer("index", index, persistent=False)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        n, count, width = x.shape
        q, k, v = self.qkv(x).reshape(n, count, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        bias = self.positions[self.index].permute(2, 0, 1)
        scores = q @ k.transpose(-1, -2) * (width // self.heads) ** -0.5 + bias
        if mask is not None:
            scores = scores.unflatten(0, (-1, len(mask)))
            scores = scores.masked_fill(mask[:, None], -torch.inf).flatten(0, 1)
        return self.out((scores.softmax(-1) @ v).transpose(1, 2).reshape(n, count, width))


class _FeedForward(nn.Module):
    def __init__(self, width: int, ratio: float):
        super().__init__()
        self.widen = nn.Linear(width, int(width * ratio))
        self.gelu = nn.GELU()
        self.out = nn.Linear(int(width * ratio), width)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.gelu(self.widen(x)))


class _Layer(nn.Module):
    """Attention, then a feed-forward network on every pixel of (B, h, w, C)."""

    def __init__(self, width: int, heads: int, side: int, ratio: float, shifted: bool):
        super().__init__()
        self.side, self.shift = side, side // 2 if shifted else 0
        self.norm1 = nn.LayerNorm(width)
        self.attention = _Attention(width, heads, side)
        self.norm2 = nn.LayerNorm(width)
        self.feed_forward = _FeedForward(width, ratio)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        h, w = x.shape[1:3]
        z = self.norm1(x)
        if self.shift:
            z = z.roll((-self.shift, -self.shift), dims=(1, 2))
        z = self.attention(windows(z, self.side), mask if self.shift else None)
        z = joined(z, self.side, h, w)
        if self.shift:
            z = z.roll((self.shift, self.shift), dims=(1, 2))
        x = x + z
        return x + self.feed_forward(self.norm2(x))


class _Group(nn.Module):
    """Layers, every second one with shifted windows, and a convolution; all added to the input."""

    def __init__(self, width: int, heads: int, side: int, ratio: float, depth: int):
        super().__init__()
        self.layers = nn.ModuleList(
            _Layer(width, heads, side, ratio, index % 2 == 1) for index in range(depth)
        )
        self.conv = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        z = x
        for layer in self.layers:
            z = layer(z, mask)
        return x + self.conv(z.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


class SwinIR(nn.Module):
    """Groups of window attention: 11,504,163 parameters for denoising, 11,900,199 for SR x4.

    At scale 1 the output is added to the input; otherwise the network predicts the image, with
    pixel shuffles on ``wide`` channels. Sides are mirrored up to multiples of the window, and the
    output cropped back. Deviations: no layers are dropped at random in training, and images that
    are smaller than a window are not treated apart.

    Args:
        scale: Output size over input size: 1, 2, 3, 4 or 8.
        width: Channels of the features; a multiple of ``heads``.
        depths: Layers of each group, like ``6-6-6-6-6-6``.
        heads: Attention heads.
        window: Side of a window, even.
        ratio: Channels inside a feed-forward network over ``width``.
        wide: Channels of the upsampling.
    """

    mean: Tensor

    def __init__(
        self,
        scale: int = 1,
        width: int = 180,
        depths: str = "6-6-6-6-6-6",
        heads: int = 6,
        window: int = 8,
        ratio: float = 2.0,
        wide: int = 64,
    ):
        super().__init__()
        if scale not in (1, 2, 3, 4, 8):
            raise ValueError(f"SwinIR has no scale {scale}; use 1, 2, 3, 4 or 8")
        if width % heads or window % 2:
            raise ValueError(
                f"width={width} must be a multiple of heads={heads}, window={window} even"
            )
        self.scale, self.window = scale, window
        self.register_buffer("mean", torch.tensor(DIV2K_MEAN).reshape(1, 3, 1, 1), persistent=False)
        self.head = nn.Conv2d(3, width, 3, padding=1)
        self.norm_in = nn.LayerNorm(width)
        self.groups = nn.ModuleList(
            _Group(width, heads, window, ratio, int(depth)) for depth in str(depths).split("-")
        )
        self.norm_out = nn.LayerNorm(width)
        self.body = nn.Conv2d(width, width, 3, padding=1)
        steps: list[nn.Module] = []
        if scale > 1:
            steps += [nn.Conv2d(width, wide, 3, padding=1), nn.LeakyReLU(0.01)]
        for factor in {1: (), 2: (2,), 3: (3,), 4: (2, 2), 8: (2, 2, 2)}[scale]:
            steps += [nn.Conv2d(wide, factor**2 * wide, 3, padding=1), nn.PixelShuffle(factor)]
        self.up = nn.Sequential(*steps)
        self.tail = nn.Conv2d(wide if scale > 1 else width, 3, 3, padding=1)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Restores (B, 3, h, w) in [0, 1] to (B, 3, scale h, scale w)."""
        h, w = x.shape[-2:]
        padded = F.pad(x - self.mean, (0, -w % self.window, 0, -h % self.window), mode="reflect")
        mask = shift_mask(*padded.shape[-2:], self.window, x.device)
        head = self.head(padded)
        z = self.norm_in(head.permute(0, 2, 3, 1))
        for group in self.groups:
            z = group(z, mask)
        deep = head + self.body(self.norm_out(z).permute(0, 3, 1, 2))
        out = self.tail(self.up(deep)) + self.mean
        if self.scale > 1:
            return out[..., : h * self.scale, : w * self.scale]
        return x + out[..., :h, :w] - self.mean
