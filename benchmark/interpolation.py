"""Networks between two that others trained, from their files alone, and how far the two are apart.

Deep network interpolation (1811.10515) needs no architecture, but two networks of which one was
tuned from the other, or both from a third: between networks of their own lies nothing that works.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmark import records
from benchmark.amount import amount
from benchmark.checkpoints import Checkpoint, bytes_of, opened
from benchmark.control import Axis, ControlSpace, level_text
from benchmark.errors import UserError, spelled

if TYPE_CHECKING:
    from torch import Tensor

APART = 0.3
"""Mean cosine of filters below which two networks share no origin.

Measured on networks of this suite: 0.66 to 0.91 where one was tuned from the other, at most 0.012
where both were trained from random weights.
"""


SPACE = ControlSpace((Axis("share of END", 0, 1),))
"""The levels: START at 0, END at 1."""


class Distance(NamedTuple):
    """How far the kernels of two networks lie apart.

    Args:
        cosine: Mean cosine of their filters.
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

    return {
        name: torch.lerp(_exact(one), _exact(end[name]), level).to(one.dtype)
        if _is_weight(one)
        else one
        for name, one in start.items()
    }


def distance(start: Mapping[str, Tensor], end: Mapping[str, Tensor]) -> Distance | None:
    """Compares all tensors of two axes or more, filter by filter (FTN Table 3); None without any."""
    from benchmark.studies.filter_similarity import compare

    def kernels(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {
            name: one.flatten(1)
            for name, one in state.items()
            if one.ndim > 1 and one.numel() and one.is_floating_point()
        }

    if not (first := kernels(start)):
        return None
    lines = compare("", first, kernels(end))
    layers, total = lines.iloc[:-1].dropna(subset="cosine"), lines.iloc[-1]
    if layers.empty:  # all zero
        return None
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
    if far:
        cosine, layer = far.lowest
        text += (
            f"; filters of END against those of START: mean cosine {far.cosine:.3f} (lowest "
            f"{cosine:.3f}, in {spelled(layer)}), mean absolute difference {far.difference:.2g}"
        )
    if far and far.cosine < APART:
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
        UserError: If another file is there already; then none is written, since files of two pairs
            would lie side by side.
        JobError: If a file cannot be written.
    """

    def blob(level: float) -> bytes:
        return start.blob(between(start.state, end.state, level))

    paths = {folder / f"level-{level_text([level])}{suffix}": level for level in levels}
    there = [path for path in paths if path.exists()]
    for path in there:
        if bytes_of(path) != blob(paths[path]):
            raise UserError(f"{path} is there already, and another file; name a folder with --to")
    for path, level in paths.items():
        if path not in there:
            records.write_alone(path, blob(level))
        yield path


def _read(file: Path) -> Checkpoint:
    try:
        found = opened(bytes_of(file))
    except ValueError as error:
        raise UserError(f"{file} holds no network to interpolate: it {error}") from None
    for name, one in found.state.items():
        if one.is_quantized or (_is_weight(one) and not _finite(one)):
            raise UserError(f"{file}: '{name}' has values that are no finite numbers; use another")
    return found


def _is_weight(one: Tensor) -> bool:
    return one.is_floating_point() or one.is_complex()


def _exact(one: Tensor) -> Tensor:
    """Returns numbers in 64 bits; for those of 8, torch has next to no operations."""
    import torch

    return one.to(torch.complex128 if one.is_complex() else torch.float64)


def _finite(one: Tensor) -> bool:
    import torch

    return bool(torch.isfinite(_exact(one)).all())


def _check(start: Path, first: Checkpoint, end: Path, last: Checkpoint) -> None:
    """Raises UserError unless both networks have the same tensors, and START's types hold them."""
    for here, one, there, other in ((start, first, end, last), (end, last, start, first)):
        if only := [name for name in one.state if name not in other.state]:
            raise UserError(
                f"{there} lacks {amount(len(only), 'tensor')} of {here}, like '{only[0]}'; give two "
                "networks of one architecture"
            )
    for name, one in first.state.items():
        other = last.state[name]
        if one.shape != other.shape:
            forms = ["x".join(map(str, x.shape)) or "a single number" for x in (one, other)]
        elif (one.is_floating_point(), one.is_complex()) != (
            other.is_floating_point(),
            other.is_complex(),
        ):
            forms = [_type(x) for x in (one, other)]
        elif _is_weight(one) and not _finite(other.to(one.dtype)):
            raise UserError(
                f"'{name}' in {end} is beyond the {_type(one)} that {start} has; give START in more "
                "bits"
            )
        else:
            continue
        raise UserError(
            f"'{name}' is {forms[0]} in {start} and {forms[1]} in {end}; give two networks of "
            "one architecture"
        )


def _type(one: Tensor) -> str:
    return str(one.dtype).removeprefix("torch.")
