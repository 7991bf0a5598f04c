"""The level of an image, estimated: what sets the dial in the tasks ``blind`` and ``blind-dejpeg``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmark.control import ControlSpace
from benchmark.method import JOINT, Adam, Batch, ControlMethod, Stage, Uniform

if TYPE_CHECKING:
    from benchmark.tasks import Task

__all__ = ["LevelEstimator"]

WIDTH = 32
FAST = 3.0
SMALLEST = 19
"""Side of the smallest image that the convolutions leave a pixel of."""


class LevelEstimator(ControlMethod):
    """A small convolutional network that estimates the level of a degraded image (2206.05970, 4.4).

    It restores nothing, so no table has a line of it. Paper / released code / here:

    - Network: five convolutions and three linear layers / a convolution, four residual blocks with
      max pooling, three linear layers, for crops of 128 x 128 / four convolutions and two linear
      layers on the means and deviations of its features, for images of any size.
    - Loss: not said / L1 on whole sigmas of 0 to 100 / L1 on levels drawn between the anchors.
    """

    paper = "2206.05970"
    anchored = False
    axes = range(1, 11)

    def build(self, backbone: nn.Module, control: ControlSpace) -> None:
        sizes = ((3, WIDTH, 1), (WIDTH, WIDTH, 2), (WIDTH, WIDTH, 2), (WIDTH, WIDTH, 1))
        self.features = nn.Sequential()
        for taken, given, stride in sizes:
            self.features.append(nn.Conv2d(taken, given, 3, stride=stride))
            self.features.append(nn.ReLU())
        self.head = nn.Sequential(
            nn.Linear(2 * WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, control.d)
        )

    def stages(self, task: Task) -> Sequence[Stage]:
        trains = ("features.", "head.")
        return [Stage("level_estimator", trains, Uniform(), share=JOINT, optimizer=Adam(FAST))]

    def skip(self, task: Task) -> str | None:
        return "it restores nothing; the tasks 'blind' and 'blind-dejpeg' set the dial by it"

    def estimate(self, x: Tensor) -> Tensor:
        """Returns levels (B, d) of images (B, 3, h, w); they may leave [0, 1]."""
        short = [max(0, SMALLEST - side) for side in x.shape[-2:]]
        if any(short):
            x = functional.pad(x, (0, short[1], 0, short[0]), mode="replicate")
        features = self.features(x - 0.5)
        deviation, mean = torch.std_mean(features, dim=(2, 3), correction=0)
        return self.head(torch.cat([mean, deviation], dim=1))

    def loss(self, batch: Batch, stage: Stage) -> Tensor:
        return (self.estimate(batch.x) - batch.level).abs().mean()

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        return x
