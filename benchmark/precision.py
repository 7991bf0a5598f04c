"""What stays in full precision where networks compute in half of it: losses, targets, gradients."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


@contextmanager
def in_full(*images: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Turns autocasting off and gives the images in 32 bits (or 64, if that is what they have).

    Autocasting rounds both sides of a convolution or a product of matrices. Networks that learn take
    that. Filters whose taps cancel do not (a blur that is subtracted, responses of zero mean), nor do
    differences of features.
    """
    with torch.autocast(images[0].device.type, enabled=False):
        yield tuple(one.float() if one.element_size() < 4 else one for one in images)
