"""``dialbench doctor RESTORED CLEAN``: every score of one pair of images, and why they differ.

Two tables of the same results seldom agree, because PSNR alone is counted in a dozen ways. Given
the pair, this shows which way gives which number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.data.pictures import Picture, is_gray
from benchmark.errors import UserError
from benchmark.metrics import records
from benchmark.metrics.protocol import PROTOCOLS, SCALE, Protocol

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

SCALES = (2, 3, 4)
"""Scales at which a protocol is shown whose border depends on the scale."""


@dataclass(frozen=True)
class Line:
    """One number, or None; ``why`` says why there is none, or what sets it apart."""

    name: str
    value: float | None
    why: str
    digits: int = 4


def main(restored: Path, clean: Path, offline: bool = False) -> int:
    """Prints all scores of two image files; returns 0.

    Raises:
        UserError: If an image is not there or cannot be read, or their sizes differ.
    """
    from benchmark.data.patches import to_tensor

    for path in (restored, clean):
        if not path.is_file():
            raise UserError(f"there is no file {path}; name the restored image and the clean one")
    pixels = [Picture(path.stem, path).read() for path in (restored, clean)]
    if pixels[0].shape != pixels[1].shape:
        sizes = [f"{one.shape[1]}x{one.shape[0]}" for one in pixels]
        raise UserError(
            f"the images are {sizes[0]} and {sizes[1]}; scores need two of the same size"
        )
    print("\n".join(report(to_tensor(pixels[0]), to_tensor(pixels[1]), offline)))
    return 0


def report(restored: Tensor, clean: Tensor, offline: bool = False) -> list[str]:
    """Returns the scores of a pair (3, H, W) in [0, 1] as text: our ids, then other ways."""
    lines = ["dialbench, by protocol"]
    size = (clean.shape[1], clean.shape[2])
    for protocol, ids in treatments(size):
        lines.append(f"  {ids}: {treatment(protocol, size)}")
        lines += [_shown(line, 4) for line in scored(restored, clean, protocol, offline)]
    lines += ["", "other ways that are in use, and what sets them apart"]
    lines += [_shown(line, 2) for line in elsewhere(restored, clean, offline)]
    return lines


def treatments(size: tuple[int, int]) -> Iterator[tuple[Protocol, str]]:
    """Yields every different treatment of a finished pair (H, W) with the ids of its protocols."""
    groups: dict[tuple, tuple[Protocol, list[str]]] = {}
    for protocol in PROTOCOLS.values():
        for scale in SCALES if protocol.shave == SCALE else (1,):
            one = protocol.at(scale)
            name = f"{one.id} at x{scale}" if protocol.shave == SCALE else one.id
            # 8-bit images are what they were after clamping and rounding.
            kind = (one.colour, one.shave, one.cropped(size))
            groups.setdefault(kind, (one, []))[1].append(name)
    for protocol, names in groups.values():
        yield protocol, ", ".join(names)


def treatment(protocol: Protocol, size: tuple[int, int]) -> str:
    """Returns in words what a protocol does to a finished pair (H, W)."""
    luma = "the luma plane alone, rounded to 8 bits, or gray images themselves"
    colour = "RGB images" if protocol.colour == "rgb" else luma
    height, width = protocol.cropped(size)
    cuts = [f"cropped to {width}x{height}"] if (height, width) != size else []
    cuts += [f"{protocol.shave} pixels cut from every side"] if protocol.shave else []
    return f"{colour}, {', then '.join(cuts) or 'whole'}"


def scored(restored: Tensor, clean: Tensor, protocol: Protocol, offline: bool) -> Iterator[Line]:
    """Yields every metric whose value depends on the protocol, or all under the plain one."""
    from benchmark.metrics.scorer import Scorer

    size = (clean.shape[1], clean.shape[2])
    height, width = protocol.cropped(size)
    plain = protocol.colour == "rgb" and not protocol.shave and (height, width) == size
    ids = [
        one
        for one in records.METRICS
        if plain or one.startswith(("psnr", "ssim", "mse"))
        if not records.get(one).of_target and not records.get(one).of_dial
        if protocol.colour == "rgb" or "y601" in one
    ]
    restored, clean = (one[:, :height, :width] for one in (restored, clean))
    if not height or not width:
        for one in ids:
            yield Line(one, None, f"cropping leaves nothing of a {size[1]}x{size[0]} image")
        return
    # What is restored of a gray image is averaged over channels, by the protocol.
    if protocol.colour != "rgb" and not is_gray(clean.permute(1, 2, 0).numpy()):
        restored, clean = (_luma_plane(one) for one in (restored, clean))
    for one, score in Scorer(ids, protocol, offline).score(restored, clean).items():
        yield Line(one, score.value, score.reason, records.get(one).digits)


def _luma_plane(image: Tensor) -> Tensor:
    from benchmark.metrics.colour import y601

    return ((y601(image) * 255).round() / 255).expand(3, -1, -1)


def elsewhere(restored: Tensor, clean: Tensor, offline: bool = False) -> Iterator[Line]:
    """Yields scores as other code counts them, each with what sets it apart."""
    import numpy as np
    from skimage.metrics import peak_signal_noise_ratio as psnr
    from skimage.metrics import structural_similarity as ssim

    from benchmark.metrics.colour import y601

    pair = [one.permute(1, 2, 0).double().numpy() for one in (clean, restored)]
    gray = [np.rint(255 * (one @ (0.299, 0.587, 0.114))) for one in pair]
    y = [255 * y601(one.double())[0].numpy() for one in (clean, restored)]
    rounded = [np.rint(one) for one in y]

    def channels(measure: Callable[[np.ndarray, np.ndarray], float]) -> float:
        return float(np.mean([measure(pair[0][..., c], pair[1][..., c]) for c in range(3)]))

    with np.errstate(divide="ignore"):
        yield Line(
            "PSNR of gray",
            psnr(*gray, data_range=255),
            "full-range luma (OpenCV, Pillow): 1.32 dB below psnr-y601, whose scale is 16 to 235",
            2,
        )
        yield Line(
            "PSNR of rounded Y",
            psnr(*rounded, data_range=255),
            "MATLAB's rgb2ycbcr of uint8 images: the luma is rounded before it is compared",
            2,
        )
        yield Line(
            "PSNR, mean over channels",
            channels(lambda a, b: psnr(a, b, data_range=1)),
            "of R, G and B one by one; psnr-rgb takes the error over all three together",
            2,
        )
        yield Line(
            "PSNR with range 219",
            psnr(*y, data_range=219),
            "of the luma against its true range instead of 255",
            2,
        )
    if min(clean.shape[1:]) >= 11:
        gauss = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
        yield Line(
            "SSIM of gray",
            ssim(*gray, data_range=255, **gauss),
            "full-range luma; the constants weigh less on it than on ssim-y601's",
        )
        yield Line(
            "SSIM, scikit-image's defaults",
            ssim(*pair, data_range=1, channel_axis=-1),
            "a flat 7 x 7 window and sample covariance instead of the paper's Gaussian",
        )
        yield Line(
            "SSIM, torchmetrics",
            _torchmetrics_ssim(restored, clean),
            "averages over a padded border as well, in single precision",
        )
        yield Line(
            "SSIM of 8-bit values, range 1",
            ssim(*(255 * one for one in pair), data_range=1, channel_axis=-1, **gauss),
            "a common slip: values up to 255 with the constants for values up to 1",
        )
    yield from _lpips(restored, clean, offline)


def _torchmetrics_ssim(restored: Tensor, clean: Tensor) -> float:
    from torchmetrics.functional.image import structural_similarity_index_measure

    value = structural_similarity_index_measure(restored[None], clean[None], data_range=1.0)
    return float(value)  # type: ignore[arg-type]


def _lpips(restored: Tensor, clean: Tensor, offline: bool) -> Iterator[Line]:
    from benchmark import assets
    from benchmark.metrics.perceptual import SMALLEST, lpips_network

    name = "LPIPS (alex) of values in [0, 1]"
    reason = assets.fetch("alexnet", offline).reason
    if reason or min(clean.shape[1:]) < SMALLEST["alex"]:
        yield Line(name, None, reason or "the image is too small")
        return
    import torch

    with torch.no_grad():
        value = lpips_network("alex", offline)(restored[None], clean[None]).item()
    yield Line(name, value, "a common slip: the network expects [-1, 1]; lpips-alex is given that")


def _shown(line: Line, indent: int) -> str:
    value = "-" if line.value is None else f"{line.value:.{line.digits}f}"
    return f"{'':<{indent}}{line.name:<{34 - indent}}{value:>10}  {line.why}".rstrip()
