"""LPIPS through the ``lpips`` package, with the trunk's weights from ``benchmark.assets``."""

from __future__ import annotations

import contextlib
import io
import warnings
from typing import Any

import torch
from torch import Tensor, nn

from benchmark import assets
from benchmark.metrics.records import Unscorable
from benchmark.metrics.remembered import Remembered

SMALLEST = {"alex": 31, "squeeze": 17}
"""The smallest side that passes through all pooling layers of each trunk."""

TRUNKS = {"alex": "alexnet", "squeeze": "squeezenet1_1"}
"""The asset that holds each trunk."""


def lpips_network(net: str, offline: bool = False) -> nn.Module:
    """Returns ``lpips.LPIPS`` version 0.1, frozen and in eval mode.

    The linear heads come with the ``lpips`` package, the trunk from the asset resolver: nothing is
    downloaded by the package. Global random state is left as it was.

    Args:
        net: ``"alex"`` or ``"squeeze"``.
        offline: Whether downloads are forbidden.

    Raises:
        UserError: If the trunk's weights cannot be had.
    """
    weights = assets.load(TRUNKS[net], offline)
    with _silent(), torch.random.fork_rng(devices=[]):
        import lpips

        model = lpips.LPIPS(net=net, pnet_rand=True, verbose=False)
    # The package renames "features.0.weight" to "slice1.0.weight".
    own = {name.partition(".")[2]: name for name in model.net.state_dict()}
    model.net.load_state_dict(
        {own[name.removeprefix("features.")]: tensor for name, tensor in weights.items()}
    )
    return model.eval().requires_grad_(False)


class Lpips:
    """The LPIPS distance of image pairs; features of clean images are kept."""

    def __init__(self, net: str, offline: bool = False):
        self.net = net
        self.model: Any = lpips_network(net, offline)
        self.kept = Remembered(self._features)

    @torch.no_grad()
    def __call__(self, restored: Tensor, clean: Tensor) -> float:
        """Returns the distance of two (3, H, W) images in [0, 1].

        Raises:
            Unscorable: If the image is too small for the trunk.
        """
        height, width = clean.shape[-2:]
        if min(height, width) < SMALLEST[self.net]:
            raise Unscorable(
                f"LPIPS needs {SMALLEST[self.net]} pixels on each side, the image is {width}x{height}"
            )
        # As in lpips.LPIPS.forward, whose two passes through the trunk are separated here.
        pairs = zip(self._features(restored), self.kept(clean), strict=True)
        # NumPy adds up in the same order on any number of threads; torch does not.
        parts = [
            head((ours - theirs) ** 2).numpy().mean(dtype="float64")
            for head, (ours, theirs) in zip(self.model.lins, pairs, strict=True)
        ]
        return float(sum(parts))

    def _features(self, image: Tensor) -> list[Tensor]:
        import lpips

        outputs = self.model.net(self.model.scaling_layer(2 * image[None] - 1))
        return [lpips.normalize_tensor(output) for output in outputs]


@contextlib.contextmanager
def _silent():
    """Hides what the package prints, and torchvision's warnings about how the package calls it."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
