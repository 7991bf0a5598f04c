"""Image operators whose outputs networks learn to imitate, each with its published algorithm.

Every one takes an image (H, W, 3), RGB in [0, 1], and its parameters in the order of the table.
This package imports neither torch nor SciPy before an operator is applied.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmark.errors import UserError, unknown
from benchmark.operators.l0 import l0_smoothing
from benchmark.operators.rgf import rolling_guidance
from benchmark.operators.rtv import relative_total_variation
from benchmark.operators.shock import STEPS, shock_filter
from benchmark.operators.wls import weighted_least_squares
from benchmark.operators.wmf import weighted_median


@dataclass(frozen=True)
class Parameter:
    """One parameter of an operator.

    Args:
        name: The quantity, as the paper calls it.
        start: Smallest value (weak smoothing).
        end: Largest value (strong smoothing).
        log: Whether values are sampled geometrically, not linearly.
        integer: Whether only whole values exist.
        default: Value used where none is given; None if one must be.
    """

    name: str
    start: float
    end: float
    log: bool = False
    integer: bool = False
    default: float | None = None

    def at(self, share: float) -> float:
        """Returns the value at a share of the range: 0 is the start, 1 the end."""
        if self.log:
            value = self.start ** (1 - share) * self.end**share
        else:
            value = self.start + share * (self.end - self.start)
        return float(round(value)) if self.integer else value

    def check(self, value: float) -> float:
        """Returns the value as a float.

        Raises:
            UserError: If it lies outside the range, or is a fraction where only whole values exist.
        """
        whole = " whole" if self.integer else ""
        if not self.start <= value <= self.end or (self.integer and value != int(value)):
            raise UserError(
                f"{self.name} {value:g} is not allowed; "
                f"give a{whole} value from {self.start:g} to {self.end:g}"
            )
        return float(value)


@dataclass(frozen=True)
class Operator:
    """An image operator and the parameters it has.

    Args:
        compute: ``(image, *parameters) -> filtered`` in float64; does not check its arguments.
        parameters: Names and ranges, in the order in which ``compute`` takes them.
    """

    compute: Callable[..., np.ndarray]
    parameters: tuple[Parameter, ...] = ()

    def apply(self, image: np.ndarray, *parameters: float) -> np.ndarray:
        """Returns the filtered image, clipped to [0, 1], in the image's shape and dtype.

        Args:
            image: RGB in [0, 1], shape (H, W, 3), a floating dtype.
            parameters: Physical values; trailing ones that have a default may be left out.

        Raises:
            UserError: If the image has another shape, dtype or range, or a parameter is missing,
                superfluous or outside its range.
            ValueError: If what the operator computes has another shape, or is not finite.
        """
        _check_image(image)
        values = self._values(parameters)
        found = self.compute(image.astype(np.float64), *values)
        name = getattr(self.compute, "__name__", "the operator")
        if found.shape != image.shape:
            raise ValueError(
                f"{name} gives an image of shape {found.shape} for one of {image.shape}"
            )
        if not np.isfinite(found).all():
            raise ValueError(f"{name} gives values that are not finite")
        return found.clip(0, 1).astype(image.dtype)

    def _values(self, given: tuple[float, ...]) -> list[float]:
        missing = self.parameters[len(given) :]
        if len(given) > len(self.parameters) or any(one.default is None for one in missing):
            names = ", ".join(one.name for one in self.parameters) or "none"
            raise UserError(
                f"{len(given)} operator parameters were given, but it takes these: {names}"
            )
        return [one.check(value) for one, value in zip(self.parameters, given, strict=False)] + [
            one.default for one in missing if one.default is not None
        ]


L0 = Operator(l0_smoothing, (Parameter("lambda", 0.002, 0.2, log=True),))
WLS = Operator(weighted_least_squares, (Parameter("lambda", 0.1, 10, log=True),))
RTV = Operator(
    relative_total_variation,
    (Parameter("lambda", 0.002, 0.05, log=True), Parameter("sigma", 2, 6, default=3)),
)
RGF = Operator(rolling_guidance, (Parameter("sigma", 1, 10),))
WMF = Operator(weighted_median, (Parameter("radius", 1, 10, integer=True),))
SHOCK = Operator(shock_filter, (Parameter("steps", STEPS, STEPS, integer=True, default=STEPS),))

SIX = (L0, WLS, RTV, RGF, WMF, SHOCK)
"""What joint operators choose from."""
STRENGTH = Parameter("strength", 0, 1)


def _chosen(image: np.ndarray, strength: float, number: float) -> np.ndarray:
    """Applies operator ``number`` of ``SIX``, from 1; any larger number leaves the image as it is.

    Args:
        image: RGB in [0, 1], float64.
        strength: 0 is the start and 1 the end of the operator's first parameter.
        number: Which operator.
    """
    if number > len(SIX):
        return image
    operator = SIX[int(number) - 1]
    first, *others = operator.parameters
    return operator.compute(image, first.at(strength), *(one.default for one in others))


OPERATORS = {
    "l0": L0,
    "wls": WLS,
    "rtv": RTV,
    "rgf": RGF,
    "wmf": WMF,
    "shock": SHOCK,
    "six": Operator(_chosen, (STRENGTH, Parameter("operator", 1, 6, integer=True))),
    "ten": Operator(_chosen, (STRENGTH, Parameter("operator", 1, 10, integer=True))),
}
"""``six`` is any of the six before it, and ``ten`` these or none, by number."""


def get(name: str) -> Operator:
    """Returns an operator by name.

    Raises:
        UserError: If there is none of that name.
    """
    if name not in OPERATORS:
        raise UserError(unknown("operator", name, OPERATORS))
    return OPERATORS[name]


def _check_image(image: np.ndarray) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or min(image.shape[:2]) < 2:
        raise UserError(
            f"operators take images of shape (H, W, 3) with at least 2x2 pixels, not {image.shape}"
        )
    if not np.issubdtype(image.dtype, np.floating):
        raise UserError(f"operators take floating images in [0, 1]; divide {image.dtype} by 255")
    # Written so that a NaN fails too.
    if not (image.min() >= 0 and image.max() <= 1):
        raise UserError("operators take images in [0, 1]; this one leaves that range")
