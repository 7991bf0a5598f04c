"""A convolution to an image: few output channels, which ordinary kernels pad to many."""

from __future__ import annotations

import torch
from torch import Tensor, nn

FEW = 4
"""Output channels that count as few: convolutions on a CPU work on 16 at a time."""


class ThinConv2d(nn.Conv2d):
    """``nn.Conv2d`` for few output channels: on a CPU one matrix product and a sum of shifts.

    The product turns the features of every pixel into its share in each of the k x k outputs around
    it, so its columns are full where a convolution would compute 16 channels to keep three. In
    training, on a GPU, while a network is traced, and for strides and paddings other than those
    that keep the size, it is the plain convolution.
    """

    @classmethod
    def replace(cls, layer: nn.Module) -> None:
        """Turns a plain convolution to few channels into this one; leaves any other layer alone."""
        if type(layer) is nn.Conv2d and layer.out_channels <= FEW:
            layer.__class__ = cls

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        learns = input.requires_grad or weight.requires_grad
        elsewhere = input.device.type != "cpu" or torch.jit.is_tracing()
        mixed = input.dtype != torch.float32 or torch.is_autocast_enabled("cpu")
        if learns or elsewhere or mixed or input.ndim != 4 or not self._keeps_size():
            return super()._conv_forward(input, weight, bias)
        return _thin(input, weight, bias)

    def _keeps_size(self) -> bool:
        sides = [2 * side + 1 for side in self.padding] if isinstance(self.padding, tuple) else None
        plain = self.stride == self.dilation == (1, 1) and self.groups == 1
        return plain and self.padding_mode == "zeros" and sides == list(self.kernel_size)


def _thin(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Returns ``conv2d(x, weight, bias)`` of (B, c, h, w), padded with zeros to the same size."""
    few, channels, high, wide = weight.shape
    batch, _, height, width = x.shape
    # Pixels as rows are a view of channels_last features.
    pixels = x.permute(0, 2, 3, 1).reshape(-1, channels)
    taps = weight.permute(2, 3, 0, 1).reshape(-1, channels)
    shares = (taps @ pixels.T).view(high, wide, few, batch, height, width)
    y = x.new_zeros(few, batch, height, width)
    if bias is not None:
        y += bias.view(-1, 1, 1, 1)
    for row in range(high):
        for column in range(wide):
            to_row, from_row = _overlap(row - high // 2, height)
            to_column, from_column = _overlap(column - wide // 2, width)
            y[..., to_row, to_column] += shares[row, column][..., from_row, from_column]
    return y.transpose(0, 1)


def _overlap(shift: int, size: int) -> tuple[slice, slice]:
    """Returns which of a row of pixels get a value from ``shift`` pixels on, and those values."""
    first, last = max(0, -shift), size - max(0, shift)
    return slice(first, last), slice(first + shift, last + shift)
