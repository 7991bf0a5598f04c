"""What metrics cost: with what is known of the clean image kept, and without."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from benchmark import assets
from benchmark.degradations import degrade, generator
from benchmark.metrics.perceptual import lpips_network
from benchmark.metrics.protocol import PROTOCOLS
from benchmark.metrics.scorer import Scorer, availability
from benchmark.perf.measure import Figure, rivals

SIZE = (321, 481)
LEVELS = 7
LPIPS, NIQE = "lpips-alex@lpips-0.1.4", "niqe@pyiqa-0.1.16"
FIDELITY = ("psnr-y601", "ssim-y601", "psnr-rgb", "ssim-rgb")
CLOSE = 1e-5


def pictures() -> tuple[Tensor, list[Tensor]]:
    """Returns a photograph of CBSD68's size, and noisy versions of it."""
    from skimage import data

    clean = torch.from_numpy(data.astronaut()).permute(2, 0, 1)[:, : SIZE[0], : SIZE[1]] / 255
    noisy = [
        degrade("gaussian_noise", clean, (10.0 * level,), generator("perf", level)).clamp(0, 1)
        for level in range(1, LEVELS + 1)
    ]
    return clean, noisy


def figures() -> Iterator[Figure]:
    """Yields ratios for SSIM and PSNR, and for LPIPS and NIQE where their weights are there."""
    clean, noisy = pictures()
    yield from _against_skimage(clean, noisy)
    missing = [reason for reason in availability((LPIPS, NIQE)).values() if reason]
    if missing:
        yield Figure("LPIPS and NIQE", math.nan, note=f"not measured: {missing[0]}")
        return
    yield from _against_packages(clean, noisy)


def _sweep(scorer: Scorer, clean: Tensor, noisy: list[Tensor]) -> list[dict[str, Any]]:
    return [scorer.score(one, clean) for one in noisy]


def _against_skimage(clean: Tensor, noisy: list[Tensor]) -> Iterator[Figure]:
    from skimage.metrics import structural_similarity

    scorer = Scorer(("ssim-rgb",), PROTOCOLS["rgb"])
    window: dict[str, Any] = {
        "data_range": 1.0,
        "channel_axis": 0,
        "gaussian_weights": True,
        "sigma": 1.5,
        "use_sample_covariance": False,
    }
    whole = [(one.double() * 255).round().numpy() / 255 for one in (clean, *noisy)]

    def scratch() -> list[float]:
        return [float(structural_similarity(whole[0], one, **window)) for one in whole[1:]]

    ours = [scores["ssim-rgb"].value for scores in _sweep(scorer, clean, noisy)]
    apart = max(abs(a - b) for a, b in zip(ours, scratch(), strict=True))
    times = rivals({"ours": lambda: _sweep(scorer, clean, noisy), "scratch": scratch})
    yield Figure(
        "SSIM of a sweep against scikit-image per level",
        times["ours"] / times["scratch"],
        note=f"{1000 * times['ours'] / LEVELS:.0f} ms a level",
    )
    yield Figure("SSIM: largest difference", apart, "", limit=CLOSE)
    every = Scorer(FIDELITY, PROTOCOLS["rgb"])
    time = rivals({"all": lambda: _sweep(every, clean, noisy)})["all"]
    yield Figure("PSNR and SSIM, RGB and Y", 1000 * time / LEVELS, "ms/level")


def _against_packages(clean: Tensor, noisy: list[Tensor]) -> Iterator[Figure]:
    import pyiqa

    lpips = lpips_network("alex")
    niqe = pyiqa.create_metric("niqe", device="cpu", pretrained_model_path=str(assets.path("niqe")))
    whole = [(one * 255).round() / 255 for one in (clean, *noisy)]

    def scratch() -> list[tuple[float, float]]:
        with torch.no_grad():
            return [
                (lpips(2 * one[None] - 1, 2 * whole[0][None] - 1).item(), niqe(one[None]).item())
                for one in whole[1:]
            ]

    def ours() -> list[dict[str, Any]]:
        return _sweep(Scorer((LPIPS, NIQE), PROTOCOLS["rgb"]), clean, noisy)

    apart = max(
        max(abs(scores[LPIPS].value - one), abs(scores[NIQE].value - two))
        for scores, (one, two) in zip(ours(), scratch(), strict=True)
    )
    kept = Scorer((LPIPS, NIQE), PROTOCOLS["rgb"])
    alone = {name: Scorer((name,), PROTOCOLS["rgb"]) for name in (LPIPS, NIQE)}

    turn = itertools.count(1)

    def fresh(scorer: Scorer) -> list[dict[str, Any]]:
        # Another picture each time, of which nothing is known yet.
        by = next(turn)
        return _sweep(scorer, clean.roll(by, -1), [one.roll(by, -1) for one in noisy])

    times = rivals(
        {
            "ours": lambda: fresh(kept),
            "scratch": scratch,
            "lpips": lambda: fresh(alone[LPIPS]),
            "niqe": lambda: fresh(alone[NIQE]),
        }
    )
    yield Figure(
        "LPIPS and NIQE of a sweep against both from scratch",
        times["ours"] / times["scratch"],
        limit=0.6,
        note=f"LPIPS {1000 * times['lpips'] / LEVELS:.0f}, NIQE {1000 * times['niqe'] / LEVELS:.0f}"
        " ms a level",
    )
    yield Figure("LPIPS and NIQE: largest difference", apart, "", limit=CLOSE)
