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

SIDE = 8
WIDTH = 32
LUMA = (0.299, 0.587, 0.114)
SMALL = (5 / 255, 15 / 255, 30 / 255)
FAST = 3.0


class LevelEstimator(ControlMethod):
    """Estimates the level of a degraded image from the cosine transform of its 8x8 blocks.

    What noise, blur and compression do to an image shows in how large the coefficients of each
    frequency are: of white noise all grow alike, JPEG leaves few of the high ones. For each of the
    64 coefficients of the luma the head is given the logarithm of its mean magnitude, the mean of
    the logarithm, and how often it is smaller than 5, 15 and 30 of 255.

    It restores nothing, so no table has a line of it. HyperRes (2206.05970, 4.4) has such a part;
    paper / released code / here:

    - Network: five convolutions and three linear layers / a convolution, four residual blocks with
      max pooling, three linear layers, for crops of 128 x 128 / two linear layers on the figures
      above, for images of any size. Learnt convolutions knew noise after a minute of training, but
      nothing of JPEG.
    - Loss: not said / L1 on whole sigmas of 0 to 100 / L1 on levels drawn between the anchors, as
      shares of the way between them: so a dial that goes far beyond its anchors is learnt as fast.
    """

    paper = "2206.05970"
    anchored = False
    axes = range(1, 11)

    def build(self, backbone: nn.Module, control: ControlSpace) -> None:
        self.register_buffer("blocks", cosines(), persistent=False)
        ends = zip(control.first, control.last, strict=True)
        self.register_buffer("first", torch.tensor(control.first), persistent=False)
        self.register_buffer("way", torch.tensor([b - a or 1.0 for a, b in ends]), persistent=False)
        figures = (2 + len(SMALL)) * SIDE**2
        self.head = nn.Sequential(nn.Linear(figures, WIDTH), nn.ReLU(), nn.Linear(WIDTH, control.d))

    def stages(self, task: Task) -> Sequence[Stage]:
        return [Stage("level_estimator", ("head.",), Uniform(), share=JOINT, optimizer=Adam(FAST))]

    def skip(self, task: Task) -> str | None:
        return "it restores nothing; the tasks 'blind' and 'blind-dejpeg' set the dial by it"

    def estimate(self, x: Tensor) -> Tensor:
        """Returns levels (B, d) of images (B, 3, h, w); they may leave [0, 1]."""
        short = [max(0, SIDE - side) for side in x.shape[-2:]]
        if any(short):
            x = functional.pad(x, (0, short[1], 0, short[0]), mode="replicate")
        sizes = functional.conv2d(x - 0.5, self.blocks, stride=SIDE).abs()

        def mean(values: Tensor) -> Tensor:
            return values.mean(dim=(2, 3))

        # Shifts and factors bring all figures to about -1 to 1.
        logs = (mean(sizes) + 1e-4).log() + 4, mean((sizes + 1e-3).log()) + 4.5
        shares = (mean((sizes < limit).float()) - 0.5 for limit in SMALL)
        figures = [*(log / 1.5 for log in logs), *(2 * share for share in shares)]
        return self.first + self.way * self.head(torch.cat(figures, dim=1))

    def loss(self, batch: Batch, stage: Stage) -> Tensor:
        return ((self.estimate(batch.x) - batch.level) / self.way).abs().mean()

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        return x


def cosines() -> Tensor:
    """Returns the kernels (64, 3, 8, 8) of the orthonormal cosine transform of luma blocks."""
    place = torch.arange(SIDE)
    waves = torch.cos(torch.pi / SIDE * (place + 0.5) * place[:, None]) * (2 / SIDE) ** 0.5
    waves[0] /= 2**0.5
    planes = torch.einsum("uh,vw->uvhw", waves, waves).flatten(0, 1)
    return torch.tensor(LUMA).view(3, 1, 1) * planes[:, None]
