"""What stays in full precision where networks compute in less of it: what is scored, losses, targets, gradients."""

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


@contextmanager
def inference() -> Iterator[None]:
    """Lets networks that are judged run: without gradients, and in all of their 32 bits.

    On a GPU, PyTorch rounds both sides of a convolution, and of what a recurrent layer multiplies, to 10
    bits (TF32) unless it is told not to.
    """
    cudnn = torch.backends.cudnn
    kinds = (cudnn.conv, cudnn.rnn)
    before, switch = [kind.fp32_precision for kind in kinds], _switch()
    try:
        # Where the older switch says anything else, PyTorch refuses to tell it, as to a compiled network.
        if switch is not None:
            cudnn.allow_tf32 = False
        for kind in kinds:
            kind.fp32_precision = "ieee"
        with torch.inference_mode():
            yield
    finally:
        if switch is not None:
            cudnn.allow_tf32 = switch
        for kind, own in zip(kinds, before, strict=True):
            kind.fp32_precision = own


def _switch() -> bool | None:
    """Returns PyTorch's older switch for TF32; None where somebody set its parts apart."""
    try:
        return torch.backends.cudnn.allow_tf32
    except RuntimeError:
        return None
