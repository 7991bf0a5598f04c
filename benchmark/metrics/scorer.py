"""Scores one restored image against its clean original under a protocol. Always on the CPU.

Every image is scored alone, in single precision or better, so a score depends on nothing but the
pair: not on a batch, an order or a device. This module imports torch where it needs it, so that a
plan can ask for ``availability`` cheaply.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmark import assets
from benchmark.errors import UserError
from benchmark.metrics import records
from benchmark.metrics.protocol import Protocol

if TYPE_CHECKING:
    from torch import Tensor

    from benchmark.store import Store

TOLERANCE = 1e-6
"""How far outside [0, 1] a value may lie through rounding."""

Measure = Callable[["Tensor", "Tensor"], float]


@dataclass(frozen=True)
class Score:
    """The value of one metric for one image.

    Args:
        value: A finite number, or None.
        status: ``ok``; ``unavailable`` (package or weights are missing: it can be filled later);
            ``failed`` (this pair has no value: too small, too flat, or identical images, whose PSNR
            is infinite).
        reason: Why there is no value; empty if there is one.
    """

    value: float | None
    status: str
    reason: str = ""


def availability(
    ids: Iterable[str], offline: bool = False, store: Store | None = None
) -> dict[str, str | None]:
    """Returns why each metric cannot be computed here, or None if it can.

    Args:
        ids: Metric ids.
        offline: Whether downloads of weights are forbidden; see ``benchmark.assets.fetch``.
        store: Where imported networks are; None means that of ``DIALBENCH_HOME``.

    Raises:
        UserError: If an id is unknown.
    """
    return {one: _obstacle(records.get(one), offline, store) for one in ids}


def _obstacle(metric: records.Metric, offline: bool, store: Store | None) -> str | None:
    if metric.package:
        name, version = metric.package
        try:
            installed = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            installed = "none"
        if installed != version:
            return f"{name} {version} is needed ({installed} is installed); pip install {name}=={version}"
    if metric.imported:
        from benchmark.importing import missing
        from benchmark.store import Store

        return missing(metric.imported, store or Store())
    return (assets.fetch(metric.asset, offline).reason or None) if metric.asset else None


class Scorer:
    """Scores image pairs with a fixed list of metrics.

    Args:
        ids: Metric ids.
        protocol: Rounding and border.
        offline: Whether downloads of weights are forbidden.

    Raises:
        UserError: If an id is unknown.
    """

    def __init__(self, ids: Iterable[str], protocol: Protocol, offline: bool = False):
        self.protocol = protocol
        self._obstacles = availability(ids, offline)
        self._measures: dict[str, Measure] = {}
        for one, obstacle in self._obstacles.items():
            if obstacle is None:
                try:
                    self._measures[one] = _measure(one, protocol, offline)
                except Exception as error:  # noqa: BLE001 - a broken package stops no other metric
                    self._obstacles[one] = f"{one} cannot be set up: {error}"

    def unavailable(self) -> dict[str, str]:
        """Returns the metrics that cannot be computed here, with the reason."""
        return {one: reason for one, reason in self._obstacles.items() if reason}

    @property
    def needs_target(self) -> bool:
        """Whether a metric compares with the target of the task's objective."""
        return any(records.get(one).of_target for one in self._obstacles)

    def score(
        self, restored: Tensor, clean: Tensor, target: Tensor | None = None
    ) -> dict[str, Score]:
        """Returns the score of every metric for one pair.

        Args:
            restored: RGB (3, H, W); clamped to [0, 1] and rounded if the protocol says so. Under a
                protocol that clamps without rounding it must lie in [0, 1] already.
            clean: RGB (3, H, W) in [0, 1].
            target: What the task's objective draws the output to, RGB (3, H, W); clamped and rounded
                as the restored image is. Only metrics that ``needs_target`` speaks of need it.

        Raises:
            ValueError: If a shape is wrong, or a value is not finite or out of range.
        """
        if restored.shape != clean.shape:
            raise ValueError(
                f"the restored image has shape {tuple(restored.shape)}, the clean one "
                f"{tuple(clean.shape)}; they must be equal"
            )
        clean = _rounded(_checked(clean, "clean"), self.protocol.quantise)
        bounded = self.protocol.clamp and not self.protocol.quantise
        restored = _checked(restored, "restored", in_range=bounded)
        if target is not None:
            target = _checked(target, "target", in_range=False)
        if self.protocol.clamp or self.protocol.quantise:
            restored = _rounded(restored, self.protocol.quantise)
            target = None if target is None else _rounded(target, self.protocol.quantise)
        return {
            one: self._score(one, restored, target if records.get(one).of_target else clean)
            for one in self._obstacles
        }

    def _score(self, metric: str, restored: Tensor, clean: Tensor | None) -> Score:
        if clean is None:
            return Score(None, "failed", "this pair of images has no target")
        if obstacle := self._obstacles[metric]:
            return Score(None, "unavailable", obstacle)
        try:
            value = self._measures[metric](restored, clean)
        except records.Unscorable as error:
            return Score(None, "failed", str(error))
        if not isinstance(value, int | float):
            raise ValueError(f"metric '{metric}' gives {type(value).__name__}, not a number")
        return Score(value, "ok")


def side_by_side(jobs: Sequence[Callable[[], dict[str, Score]]]) -> list[dict[str, Score]]:
    """Returns what each job gives, running as many at once as this process has threads.

    Each runs on one thread: images scored next to each other use the cores better than one image
    split over them, and values do not depend on the number of cores.
    """
    import torch

    threads = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(lambda job: job(), jobs))
    finally:
        torch.set_num_threads(threads)


def _measure(metric: str, protocol: Protocol, offline: bool) -> Measure:
    from benchmark.metrics.colour import drift, y601
    from benchmark.metrics.fidelity import Ssim, mse, psnr, shaved

    shave = int(protocol.shave)

    def luma(image: Tensor) -> Tensor:
        image = shaved(image, shave).double()
        return y601(image) if protocol.colour == "rgb" else image.mean(dim=0, keepdim=True)

    match metric.partition("@")[0]:
        case "psnr-rgb" | "psnr-rgb-target":
            return lambda restored, clean: psnr(shaved(restored, shave), shaved(clean, shave))
        case "ssim-rgb":
            similar = Ssim()
            return lambda restored, clean: similar(shaved(restored, shave), shaved(clean, shave))
        case "psnr-y601" | "psnr-y601-target":
            return lambda restored, clean: psnr(luma(restored), luma(clean))
        case "mse-y601":
            return lambda restored, clean: 255**2 * mse(luma(restored), luma(clean))
        case "ssim-y601":
            similar = Ssim()
            return lambda restored, clean: similar(luma(restored), luma(clean))
        case "colour-drift":
            return drift
        case "content" | "style-brick" | "style-gravel" | "style-grass" as name:
            from benchmark.texture import SMALLEST, Content, Style

            loss = Content() if name == "content" else Style(name.removeprefix("style-"))

            def of_style(restored: Tensor, clean: Tensor) -> float:
                height, width = clean.shape[-2:]
                if min(height, width) < SMALLEST:
                    raise records.Unscorable(
                        f"'{name}' needs {SMALLEST} pixels on each side, the image is {width}x{height}"
                    )
                # In single precision the number of threads moves the seventh digit.
                return loss(restored.clamp(0, 1)[None].double(), clean[None].double()).item()

            return of_style
        case "lpips-alex" | "lpips-squeeze" as name:
            from benchmark.metrics.perceptual import Lpips

            lpips = Lpips(name.removeprefix("lpips-"), offline)
            return lambda restored, clean: lpips(restored.clamp(0, 1), clean)
        case "niqe":
            from benchmark.metrics import niqe

            natural = niqe.bsds() if metric == "niqe@dialbench-bsds" else niqe.original(offline)
            return lambda restored, clean: natural(restored.clamp(0, 1).numpy())
    raise UserError(f"metric '{metric}' has a record but no code")


def _checked(image: Tensor, which: str, in_range: bool = True) -> Tensor:
    """Returns an image as float32 on the CPU, after checking it."""
    if image.ndim != 3 or image.shape[0] != 3 or not image.numel() or not image.is_floating_point():
        raise ValueError(f"the {which} image must be floating-point RGB of shape (3, H, W)")
    image = image.detach().to("cpu").float().contiguous()
    if not image.isfinite().all():
        raise ValueError(f"the {which} image holds NaN or infinite values")
    if in_range and (image.min() < -TOLERANCE or image.max() > 1 + TOLERANCE):
        raise ValueError(
            f"the {which} image spans {image.min():.4g} to {image.max():.4g}; it must lie in [0, 1]"
        )
    return image


def _rounded(image: Tensor, quantise: bool) -> Tensor:
    image = image.clamp(0, 1)
    return (image * 255).round() / 255 if quantise else image
