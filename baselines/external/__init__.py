"""Networks that others trained: what ``dialbench import`` reads. This module imports no torch.

Every module of this package holds one network of our own code and ``from_official(state)``, which
builds it from the state dict of the authors' file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True)
class Kind:
    """One kind of network that can be imported.

    Args:
        method: Name that the weights are stored under, which is the method that runs them.
        module: Module of this package with ``from_official``.
        files: What the command line calls its files; one network each.
        parts: Submodule of the method that each file's network becomes; ``""`` for no method.
        origin: What the authors' file is.
        licence: Under which licence the authors released it, as far as it is known.
        task: A task that the method can run, or "" for no method.
        options: Default values of the method's options that tell imports of this kind apart.
        given: Those of the options that the user has to state, because no file says them.
    """

    method: str
    module: str
    files: tuple[str, ...]
    parts: tuple[str, ...]
    origin: str
    licence: str
    task: str
    options: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    given: tuple[str, ...] = ()


KINDS = {
    "ffdnet": Kind(
        "ffdnet",
        "ffdnet",
        ("FILE",),
        ("backbone",),
        "FFDNet for colour images (Zhang et al., TIP 2018), FFDNet_color.pth",
        "MIT (the authors' repository KAIR)",
        "denoise",
    ),
    "cdncnn": Kind(
        "cdncnn",
        "dncnn",
        ("FILE",),
        ("backbone",),
        "CDnCNN-S: colour DnCNN for one sigma (Zhang et al., TIP 2017), batch norms merged",
        "MIT (the authors' repository KAIR)",
        "denoise",
        MappingProxyType({"sigma": 25}),
        ("sigma",),
    ),
    "srvgg-dni": Kind(
        "srvgg_dni",
        "srvgg",
        ("START", "END"),
        ("backbone", "end"),
        "SRVGGNetCompact, a pair made for interpolation (Real-ESRGAN, ICCVW 2021)",
        "BSD-3-Clause (the authors' repository Real-ESRGAN)",
        "sr",
        MappingProxyType({"convs": 32}),
    ),
    "hyperres-estimator": Kind(
        "hyperres_estimator",
        "noise_estimator",
        ("FILE",),
        ("",),
        "noise-level estimator of HyperRes (ICASSP 2023)",
        "GPL-3.0 (the authors' repository)",
        "",
    ),
}
"""What ``dialbench import KIND`` accepts."""


def stored_name(method: str, *values: float) -> str:
    """Returns the name that imported weights are stored under: ``cdncnn-25``."""
    return "-".join([method, *(f"{value:g}" for value in values)])
