"""SRVGGNetCompact: the compact x4 network of Real-ESRGAN."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from baselines.external.official import State, filled

WIDTH, SCALE = 64, 4


class SRVGG(nn.Module):
    """SRVGGNetCompact (Real-ESRGAN): 1,213,296 parameters with 32 convolutions of 64 channels.

    A plain chain of 3 x 3 convolutions with PReLUs at low resolution, a pixel shuffle, and the
    input enlarged by nearest neighbours added to it.

    Args:
        convs: Number of convolutions between the first and the last one.
    """

    def __init__(self, convs: int = 32):
        super().__init__()
        self.convs = convs
        steps: list[nn.Module] = [nn.Conv2d(3, WIDTH, 3, padding=1), nn.PReLU(WIDTH)]
        for _ in range(convs):
            steps += [nn.Conv2d(WIDTH, WIDTH, 3, padding=1), nn.PReLU(WIDTH)]
        steps.append(nn.Conv2d(WIDTH, 3 * SCALE**2, 3, padding=1))
        self.body = nn.Sequential(*steps)

    def forward(self, x: Tensor) -> Tensor:
        """Enlarges (B, 3, h, w) in [0, 1] to (B, 3, 4h, 4w)."""
        base = F.interpolate(x, scale_factor=SCALE, mode="nearest")
        return F.pixel_shuffle(self.body(x), SCALE) + base


def from_official(state: State) -> SRVGG:
    """Returns the network of ``realesr-general-x4v3.pth`` or a relative of another depth.

    Raises:
        ValueError: If it is another file.
    """
    convs = sum(name.endswith(".weight") and tensor.ndim == 4 for name, tensor in state.items()) - 2
    if convs < 1 or not all(name.startswith("body.") for name in state):
        raise ValueError("is not a SRVGGNetCompact, whose tensors are called body.<number>.<what>")
    return filled(SRVGG(convs), state)
