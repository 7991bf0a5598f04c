"""DnCNN for colour images: a denoiser for one noise level."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from baselines.external.official import State, chain, filled


class DnCNN(nn.Module):
    """CDnCNN-S (Zhang et al., TIP 2017; arXiv 1608.03981): 668,227 parameters.

    Twenty 3 x 3 convolutions of 64 channels with ReLUs between them predict the noise. The batch
    norms of the paper are merged into the convolutions, as in the authors' released files.
    """

    def __init__(self):
        super().__init__()
        widths = [3, *[64] * 19, 3]
        self.convs = nn.ModuleList(
            nn.Conv2d(a, b, 3, padding=1) for a, b in zip(widths, widths[1:], strict=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Denoises (B, 3, H, W) in [0, 1]."""
        z = x
        for conv in self.convs[:-1]:
            z = F.relu(conv(z))
        return x - self.convs[-1](z)


def from_official(state: State) -> DnCNN:
    """Returns the network of ``CDnCNN-S-<sigma>.pth``.

    Raises:
        ValueError: If it is another file.
    """
    return filled(DnCNN(), chain(state, 20))
