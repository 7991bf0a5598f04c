"""Protocols: every detail that changes a number, frozen under an id. This module imports no torch.

What holds under all of them: images are read as ``benchmark.data.sources`` says; bicubic resizing
is MATLAB's (a = -0.5, anti-aliased, mirrored border, rounded once to 8 bits); JPEG is Pillow's with
the standard tables and half chroma resolution, and a check sum of the codec is part of the task's
digest; metrics say their colour channel and implementation in their ids; every image is scored by
itself, and a table shows the arithmetic mean over the images.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from benchmark.errors import UserError, unknown

SCALE = "scale"
"""Stands for the scale of the task, which only ``Protocol.at`` knows."""


@dataclass(frozen=True)
class Protocol:
    """How test images become network inputs, and restored images numbers.

    Args:
        id: Name stored in every row; rows of different protocols are never compared.
        colour: ``"rgb"``, or ``"y601"``: the task is done on the luma of BT.601 (MATLAB's rgb2ycbcr),
            rounded to 8 bits and given to the network as three equal channels, or on a gray image as
            it is; metrics of the luma are then metrics of that plane, and what the network gives back
            is averaged over channels.
        multiple: Test images are cropped (top left kept) to a multiple of this size, and of the scale.
        noise: How a noisy input is handed over: ``"float"`` (neither clipped nor rounded),
            ``"float-clipped"`` to [0, 1], or ``"uint8"`` (clipped and rounded to 8 bits).
        realisation: ``"counter"`` (a generator keyed by task, set and image), or ``"numpy-0"``
            (NumPy's legacy generator, seeded with 0 before every image, drawn row by row as RGB).
        quantise: Whether outputs are clamped and rounded to 8 bits before scoring.
        clamp: Whether outputs are clamped to [0, 1] where they are not rounded. LPIPS and NIQE, which
            know nothing beyond, see clamped images in any case.
        shave: Border pixels cut from both images before PSNR, SSIM and MSE.
        adds: Metric ids that are scored besides the task's own.
        pairs: Whether test sets hold what networks are given beside what they should give back. Nobody
            knows the level of such images: levels are positions of the dial alone, and a method is
            ranked by its best one.
    """

    id: str
    colour: str = "rgb"
    multiple: int = 1
    noise: str = "float"
    realisation: str = "counter"
    quantise: bool = True
    clamp: bool = True
    shave: int | str = 0
    adds: tuple[str, ...] = ()
    pairs: bool = False

    @property
    def gray(self) -> bool:
        """Whether images are one plane in three equal channels."""
        return self.colour == "y601"

    def cropped(self, size: tuple[int, int]) -> tuple[int, int]:
        """Returns what is left of an image's height and width: multiples of ``multiple``."""
        height, width = size
        return height - height % self.multiple, width - width % self.multiple

    def at(self, scale: int) -> Protocol:
        """Returns the protocol for a task of some scale, whose images must be multiples of it."""
        shave = scale if self.shave == SCALE else self.shave
        return replace(self, multiple=math.lcm(self.multiple, scale), shave=shave)


PROTOCOLS = {
    protocol.id: protocol
    for protocol in (
        Protocol("rgb"),
        Protocol("adafm-like", multiple=2, noise="uint8"),
        Protocol("kair", realisation="numpy-0"),
        Protocol("sr-y", shave=SCALE),
        Protocol("pirm", shave=4, adds=("mse-y601",)),
        Protocol("jpeg-y", colour="y601"),
        Protocol("tunable", noise="float-clipped", quantise=False, clamp=False),
        Protocol("float", quantise=False, clamp=False),
        Protocol("pairs", pairs=True),
    )
}
"""The protocols in use, and those of published work:

- ``rgb``: whole images, noise in floating point.
- ``adafm-like``: AdaFM, CResMD: even sizes, clipped and rounded noisy input.
- ``kair``: DnCNN, FFDNet, KAIR, SwinIR: the noise of ``numpy.random.seed(0)`` for every image.
- ``sr-y``: super-resolution tables: shave = scale.
- ``pirm``: the PIRM 2018 challenge: 4 pixels shaved. Its RMSE is the square root of the mean MSE.
- ``jpeg-y``: JPEG tables: the luma plane, compressed as a gray image.
- ``tunable``: tunable convolutions: clipped noisy input, scores of outputs as they are.
- ``float``: nothing is ever clipped or rounded, so a noisy input has 20 log10(255 / sigma) dB.
- ``pairs``: photographs that really are degraded, beside clean ones; see ``Protocol.pairs``.
"""


def get(protocol_id: str) -> Protocol:
    """Returns a protocol by id.

    Raises:
        UserError: If there is none of that id.
    """
    if protocol_id not in PROTOCOLS:
        raise UserError(unknown("protocol", protocol_id, PROTOCOLS))
    return PROTOCOLS[protocol_id]
