"""JPEG compression with a pinned codec path: Pillow (libjpeg), 4:2:0, default tables."""

from __future__ import annotations

import functools
import hashlib
import io

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from benchmark.errors import UserError


@functools.cache
def codec() -> str:
    """Returns a check sum of what the JPEG codec of this machine makes of a fixed picture.

    libjpeg's versions and builds may differ by a level here and there; numbers of two codecs are not
    the same task's.
    """
    steps = torch.arange(48)
    ramps = torch.stack(
        [steps[:, None] * 5 + steps, steps[:, None] ^ steps, steps[:, None] * steps]
    )
    decoded = jpeg((ramps % 256).float() / 255, 30)
    return hashlib.sha256((decoded * 255).round().byte().numpy().tobytes()).hexdigest()[:12]


def compressed(clean: Tensor, amount: float) -> Tensor:
    """Compresses at quality 102 - ``amount``, as CResMD counts; below 2 the image stays as it is."""
    return clean if amount < 2 else jpeg(clean, 102 - amount)


def jpeg(clean: Tensor, quality: float) -> Tensor:
    """Compresses and decodes an image (3, H, W) or plane (1, H, W) in [0, 1] at a quality 1..100.

    A plane is compressed as three equal channels, which gives exactly what it gives as a gray image:
    their chroma is constant.

    Raises:
        UserError: If the quality is not a whole number from 1 to 100.
    """
    if quality != int(quality) or not 1 <= quality <= 100:
        raise UserError(f"JPEG quality {quality:g} is not a whole number from 1 to 100")
    colour = clean.expand(3, -1, -1)
    pixels = (colour.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=int(quality), subsampling="4:2:0")
    decoded = np.array(Image.open(stream).convert("RGB"))
    return torch.from_numpy(decoded).permute(2, 0, 1)[: len(clean)].float() / 255
