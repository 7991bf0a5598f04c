"""FFDNet for colour images: one denoiser for all noise levels."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines.external.official import State, chain, filled


class FFDNet(nn.Module):
    """FFDNet (Zhang et al., TIP 2018; arXiv 1710.04026), colour: 852,108 parameters.

    Twelve 3 x 3 convolutions of 96 channels with ReLUs between them, on the image unshuffled by 2
    with one more channel that holds the noise level. Odd sizes are padded by replication and
    cropped back, as in the authors' code.
    """

    def __init__(self):
        super().__init__()
        widths = [13, *[96] * 11, 12]
        self.convs = nn.ModuleList(
            nn.Conv2d(a, b, 3, padding=1) for a, b in zip(widths, widths[1:], strict=False)
        )

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Denoises (B, 3, H, W) in [0, 1] for sigma (B, 1) or (B, 1, H, W), in the image's unit."""
        height, width = x.shape[-2:]
        sides = (0, width % 2, 0, height % 2)
        small = F.pixel_unshuffle(F.pad(x, sides, mode="replicate"), 2)
        if sigma.ndim == 4:
            level = F.avg_pool2d(F.pad(sigma, sides, mode="replicate"), 2)
        else:
            level = sigma[:, :, None, None].expand(-1, 1, *small.shape[-2:])
        z = torch.cat([small, level], dim=1)
        for conv in self.convs[:-1]:
            z = F.relu(conv(z))
        return F.pixel_shuffle(self.convs[-1](z), 2)[..., :height, :width]


def from_official(state: State) -> FFDNet:
    """Returns the network of ``FFDNet_color.pth``.

    Raises:
        ValueError: If it is another file.
    """
    return filled(FFDNet(), chain(state, 12))
