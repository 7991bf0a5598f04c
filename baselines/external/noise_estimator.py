"""The noise-level estimator of HyperRes."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from baselines.external.official import State, filled

SIDE = 128
"""Side of the crops that it looks at."""


class _Block(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(F.relu(self.conv1(x)))


class NoiseEstimator(nn.Module):
    """The estimator released with HyperRes (arXiv 2206.05970): 330,561 parameters.

    Code (the paper says five convolutions and three linear layers): a convolution of stride 2
    without activation, four residual blocks each followed by max pooling, and linear layers
    1024-32-16-1. Where the ReLUs are was found by trying: only this arrangement gives back the
    sigma it is shown.
    """

    def __init__(self):
        super().__init__()
        width = 64
        self.conv1 = nn.Conv2d(3, width, 3, stride=2, padding=1)
        blocks = ((_Block(width), nn.MaxPool2d(2)) for _ in range(4))
        self.conv_seq = nn.Sequential(*(module for pair in blocks for module in pair))
        self.fc_seq = nn.Sequential(
            nn.Linear(1024, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Returns sigma (B,), of 255, of crops (B, 3, 128, 128) in [0, 1] of whole 8-bit levels."""
        return self.fc_seq(self.conv_seq(self.conv1(x)).flatten(1))[:, 0]


def from_official(state: State) -> NoiseEstimator:
    """Returns the network of ``noise_detect.pth``.

    Raises:
        ValueError: If it is another file.
    """
    return filled(NoiseEstimator(), state)
