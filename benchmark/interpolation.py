"""Networks between two that others trained, from their files alone, and how far the two are apart.

Deep network interpolation (1811.10515) needs no architecture, but two networks of which one was
tuned from the other, or both from a third: between networks of their own lies nothing that works.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmark import records
from benchmark.amount import amount
from benchmark.checkpoints import Checkpoint, bytes_of, opened
from benchmark.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

APART = 0.3
"""Mean cosine of filters below which two networks share no origin.

Measured on networks of this suite: 0.66 to 0.91 where one was tuned from the other, at most 0.012
where both were trained from random weights.
"""


class Distance(NamedTuple):
    """How far the kernels of two networks lie apart.

    Args:
        cosine: Mean cosine of their filters, NaN without kernels.
        lowest: The lowest mean of a layer, and the layer's name.
        difference: Mean absolute difference of the kernels' entries.
    """

    cosine: float
    lowest: tuple[float, str]
    difference: float


def between(
    start: Mapping[str, Tensor], end: Mapping[str, Tensor], level: float
) -> dict[str, Tensor]:
    """Returns the network at a level: ``(1 - t) start + t end``, tensor by tensor (eq. 2).

    Sums are taken in 64 bits and rounded to what ``start`` has. Whole numbers, such as counters,
    stay those of ``start``.

    Args:
        start: The network at level 0.
        end: The network at level 1, with the names and shapes of ``start``.
        level: t, from 0 to 1.
    """
    import torch

    found = {}
    for name, one in start.items():
        if one.is_floating_point() or one.is_complex():
            exact = torch.promote_types(one.dtype, torch.float64)
            found[name] = torch.lerp(one.to(exact), end[name].to(exact), level).to(one.dtype)
        else:
            found[name] = one
    return found


def distance(start: Mapping[str, Tensor], end: Mapping[str, Tensor]) -> Distance:
    """Compares all tensors of two axes or more, filter by filter (FTN Table 3)."""
    from benchmark.studies.filter_similarity import compare

    def kernels(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {
            name: one.flatten(1)
            for name, one in state.items()
            if one.ndim > 1 and one.numel() and one.is_floating_point()
        }

    first = kernels(start)
    if not first:
        return Distance(float("nan"), (float("nan"), ""), float("nan"))
    lines = compare("", first, kernels(end))
    layers, total = lines.iloc[:-1].dropna(subset="cosine"), lines.iloc[-1]
    if layers.empty:
        return Distance(float("nan"), (float("nan"), ""), float(total["mae"]))
    lowest = layers.loc[layers["cosine"].idxmin()]
    return Distance(
        float(total["cosine"]), (float(lowest["cosine"]), str(lowest["layer"])), float(total["mae"])
    )


def read(start: Path, end: Path) -> tuple[Checkpoint, Checkpoint]:
    """Returns the networks of two files.

    Raises:
        UserError: If a file cannot be read, or the networks are not of one architecture.
    """
    first, last = _read(start), _read(end)
    _check(start, first, end, last)
    return first, last


def described(start: Mapping[str, Tensor], end: Mapping[str, Tensor]) -> tuple[str, list[str]]:
    """Returns what two networks are and how far apart, and warnings."""
    numbers = sum(one.numel() for one in start.values())
    text, warnings = f"{numbers:,} numbers in {amount(len(start), 'tensor')}", []
    far = distance(start, end)
    if not math.isnan(far.cosine):
        cosine, layer = far.lowest
        text += (
            f"; filters of END against those of START: mean cosine {far.cosine:.3f} (lowest "
            f"{cosine:.3f}, in {layer}), mean absolute difference {far.difference:.2g}"
        )
    if far.cosine < APART:
        warnings.append(
            f"these networks were trained apart (mean cosine {far.cosine:.3f}); tune one from the "
            "other, since what lies between networks of their own hardly ever works"
        )
    if any(name.endswith("running_var") for name in start):
        warnings.append(
            "running means and variances are interpolated too; take them anew from some images, "
            "since those of a network between may differ"
        )
    return text, warnings


def write(
    start: Checkpoint, end: Checkpoint, levels: Sequence[float], folder: Path, suffix: str
) -> Iterator[Path]:
    """Writes the networks at some levels, in the form of the first, as ``level-0.5.pth``.

    Args:
        start: The network at level 0.
        end: That at level 1.
        levels: From 0 to 1.
        folder: Where files go.
        suffix: What their names end with.

    Yields:
        Each file.

    Raises:
        UserError: If another file is there already.
        JobError: If a file cannot be written.
    """
    for level in levels:
        path = folder / f"level-{level:g}{suffix}"
        blob = start.blob(between(start.state, end.state, level))
        if path.exists() and bytes_of(path) != blob:
            raise UserError(f"{path} is there already, and another file; name a folder with --to")
        records.write(path, blob)
        yield path


def _read(file: Path) -> Checkpoint:
    import torch

    try:
        found = opened(bytes_of(file))
    except ValueError as error:
        raise UserError(f"{file} holds no network to interpolate: it {error}") from None
    for name, one in found.state.items():
        numbers = one.is_floating_point() or one.is_complex()
        if one.is_quantized or (numbers and not bool(torch.isfinite(one).all())):
            raise UserError(f"{file}: '{name}' has values that are no finite numbers; use another")
    return found


def _check(start: Path, first: Checkpoint, end: Path, last: Checkpoint) -> None:
    """Raises UserError unless both networks have the same tensors."""
    for here, one, there, other in ((start, first, end, last), (end, last, start, first)):
        if only := [name for name in one.state if name not in other.state]:
            raise UserError(
                f"{there} lacks {amount(len(only), 'tensor')} of {here}, like '{only[0]}'; give two "
                "networks of one architecture"
            )
    for name, one in first.state.items():
        if one.shape != last.state[name].shape:
            shapes = ["x".join(map(str, x.state[name].shape)) or "1" for x in (first, last)]
            raise UserError(
                f"'{name}' is {shapes[0]} in {start} and {shapes[1]} in {end}; give two networks of "
                "one architecture"
            )
