"""What metrics cost: with what is known of the clean image kept, and without."""

from __future__ import annotations

import functools
import importlib.util
import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from benchmark import assets
from benchmark.degradations import degrade, generator
from benchmark.metrics.niqe import luma
from benchmark.metrics.perceptual import lpips_network
from benchmark.metrics.protocol import PROTOCOLS
from benchmark.metrics.scorer import Scorer, availability, side_by_side
from benchmark.perf.measure import PHOTOGRAPHS, SIZE, Figure, rivals

LEVELS = 7
LPIPS, NIQE = "lpips-alex@lpips-0.1.4", "niqe@pyiqa-0.1.16"
FIDELITY = ("psnr-y601", "ssim-y601", "psnr-rgb", "ssim-rgb")
CLOSE = 1e-5


def pictures() -> tuple[list[Tensor], list[list[Tensor]]]:
    """Returns photographs of CBSD68's size, and noisy versions of each of them at every level."""
    from skimage import data

    height, width = SIZE
    found = [torch.from_numpy(getattr(data, name)()).permute(2, 0, 1) for name in PHOTOGRAPHS]
    clean = [one[:3, :height, :width] / 255 for one in found]
    noisy = [
        [
            degrade("gaussian_noise", one, (10.0 * level,), generator("perf", level)).clamp(0, 1)
            for one in clean
        ]
        for level in range(1, LEVELS + 1)
    ]
    return clean, noisy


def figures() -> Iterator[Figure]:
    """Yields ratios for SSIM and PSNR, and for LPIPS and NIQE where their weights are there."""
    clean, noisy = pictures()
    yield from _against_skimage(clean, noisy)
    missing = [reason for reason in availability((LPIPS, NIQE)).values() if reason]
    if importlib.util.find_spec("pyiqa") is None:
        missing.append("pyiqa is not installed; run make setup")
    if missing:
        yield Figure("LPIPS and NIQE", math.nan, note=f"not measured: {missing[0]}")
        return
    yield from _against_packages(clean, noisy)


def _sweep(scorer: Scorer, clean: list[Tensor], noisy: list[list[Tensor]]) -> list[Any]:
    return [
        scores
        for level in noisy
        for scores in side_by_side(
            [functools.partial(scorer.score, *pair) for pair in zip(level, clean, strict=True)]
        )
    ]


def _fresh(
    ids: tuple[str, ...], clean: list[Tensor], noisy: list[list[Tensor]]
) -> Callable[[], Any]:
    """Returns a sweep over other pictures each time, of which nothing is known yet."""
    scorer, turn = Scorer(ids, PROTOCOLS["rgb"]), itertools.count(1)

    def run() -> None:
        by = next(turn)
        moved = [[one.roll(by, -1) for one in level] for level in (clean, *noisy)]
        _sweep(scorer, moved[0], moved[1:])

    return run


def _scratch(
    score: Callable[[Any, Any], Any], clean: list[Any], noisy: list[list[Any]]
) -> list[Any]:
    return [score(one, true) for level in noisy for one, true in zip(level, clean, strict=True)]


def _each(times: float) -> str:
    return f"{1000 * times / LEVELS / len(PHOTOGRAPHS):.0f} ms an image and level"


def _against_skimage(clean: list[Tensor], noisy: list[list[Tensor]]) -> Iterator[Figure]:
    from skimage.metrics import structural_similarity

    window: dict[str, Any] = {
        "data_range": 1.0,
        "channel_axis": 0,
        "gaussian_weights": True,
        "sigma": 1.5,
        "use_sample_covariance": False,
    }

    def whole(images: list[Tensor]) -> list[Any]:
        return [(one.double() * 255).round().numpy() / 255 for one in images]

    def scratch() -> list[float]:
        return _scratch(
            lambda one, true: structural_similarity(true, one, **window),
            whole(clean),
            [whole(level) for level in noisy],
        )

    def ours() -> list[float]:
        scorer = Scorer(("ssim-rgb",), PROTOCOLS["rgb"])
        return [scores["ssim-rgb"].value for scores in _sweep(scorer, clean, noisy)]

    apart = max(abs(one - two) for one, two in zip(ours(), scratch(), strict=True))
    times = rivals(
        {
            "ours": _fresh(("ssim-rgb",), clean, noisy),
            "scratch": scratch,
            "every": _fresh(FIDELITY, clean, noisy),
        }
    )
    yield Figure(
        "SSIM of a sweep against scikit-image per level and image",
        times["ours"] / times["scratch"],
        note=_each(times["ours"]),
    )
    yield Figure("SSIM: largest difference", apart, "", limit=CLOSE)
    yield Figure(
        "PSNR and SSIM, RGB and Y, against that",
        times["every"] / times["scratch"],
        note=_each(times["every"]),
    )


def _against_packages(clean: list[Tensor], noisy: list[list[Tensor]]) -> Iterator[Figure]:
    import pyiqa

    lpips = lpips_network("alex")
    niqe = pyiqa.create_metric("niqe", device="cpu", pretrained_model_path=str(assets.path("niqe")))

    def whole(images: list[Tensor]) -> list[Tensor]:
        return [(one * 255).round() / 255 for one in images]

    @torch.no_grad()
    def both(one: Tensor, true: Tensor) -> tuple[float, float]:
        return lpips(2 * one[None] - 1, 2 * true[None] - 1).item(), niqe(one[None]).item()

    def scratch() -> list[tuple[float, float]]:
        return _scratch(both, whole(clean), [whole(level) for level in noisy])

    def apart(images: list[list[Tensor]]) -> tuple[float, float]:
        """Returns the largest difference of LPIPS and of NIQE."""
        ours = _sweep(Scorer((LPIPS, NIQE), PROTOCOLS["rgb"]), clean, images)
        theirs = _scratch(both, whole(clean), [whole(level) for level in images])
        return tuple(
            max(abs(one[metric].value - two[at]) for one, two in zip(ours, theirs, strict=True))
            for at, metric in enumerate((LPIPS, NIQE))
        )

    coloured, gray = apart(noisy), apart([[_gray(one) for one in level] for level in noisy])
    alone = {name: _fresh((name,), clean, noisy) for name in (LPIPS, NIQE)}
    times = rivals({"ours": _fresh((LPIPS, NIQE), clean, noisy), "scratch": scratch, **alone})
    yield Figure(
        "LPIPS and NIQE of a sweep against both from scratch",
        times["ours"] / times["scratch"],
        limit=0.6,
        note=f"LPIPS {_each(times[LPIPS])}, NIQE {_each(times[NIQE])}",
    )
    yield Figure("LPIPS: largest difference", max(coloured[0], gray[0]), "", limit=CLOSE)
    yield Figure("NIQE: largest difference, gray", gray[1], "", limit=CLOSE)
    yield Figure(
        "NIQE: largest difference, colour",
        coloured[1],
        "",
        note="pyiqa rounds ties of luma as the processor adds; see docs/niqe.md",
    )


def _gray(image: Tensor) -> Tensor:
    """Returns an image whose luma is nowhere near a tie."""
    return torch.from_numpy(luma(image.numpy())).float().expand(3, -1, -1) / 255
