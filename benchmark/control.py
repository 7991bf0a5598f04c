"""Control spaces: physical ranges (sigma, quality, weight ...) mapped to levels in [0, 1]^d.

Level 0 is the start (weak or fidelity) end and level 1 the other end, whatever a paper's own
orientation. This module imports no torch, so the command line can use it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from benchmark.errors import LevelError

Level = tuple[float, ...]
"""A point in [0, 1]^d."""

DECIMALS = 6
"""Levels are compared, stored and hashed with this many decimals."""

SLACK = 1e-5
"""How far the levels of a simplex may add up to more than 1 through rounding."""


@dataclass(frozen=True)
class Axis:
    """One dial: a physical quantity that runs from ``start`` (level 0) to ``end`` (level 1).

    Args:
        name: The quantity, for example ``"sigma"``.
        start: Physical value at level 0.
        end: Physical value at level 1; may be smaller than ``start`` (JPEG quality). An axis whose
            ends are the same is no dial: there is level 0 alone.
        unit: What the value is measured in, for labels.
        integer: Whether only whole physical values exist (JPEG quality).
        log: Whether the physical value grows geometrically with the level.
        names: What whole values are called where they only number things, from ``start`` to ``end``.
    """

    name: str
    start: float
    end: float
    unit: str = ""
    integer: bool = False
    log: bool = False
    names: tuple[str, ...] = ()

    @property
    def turns(self) -> bool:
        """Whether there is more than one value to set."""
        return self.start != self.end

    def text(self, physical: float) -> str:
        """Returns a physical value as text: its name if it has one."""
        return self.names[round(physical - self.start)] if self.names else f"{physical:.4g}"

    def line(self, points: int) -> list[float]:
        """Returns ``points`` evenly spaced positions, or those of all values that have names."""
        points = len(self.names) or (points if self.turns else 1)
        # Levels are rounded once, when they are made of positions: twice is another level than the grid's.
        return [index / max(1, points - 1) for index in range(points)]

    def physical(self, level: float) -> float:
        """Returns the physical value at ``level`` in [0, 1]."""
        if self.log:
            value = math.exp((1 - level) * math.log(self.start) + level * math.log(self.end))
        else:
            value = self.start + level * (self.end - self.start)
        # Five significant digits: what a level of DECIMALS decimals can tell apart, no more.
        return float(round(value)) if self.integer else float(f"{value:.5g}")

    def level(self, physical: float) -> float:
        """Returns the level of a physical value; it may lie outside [0, 1]."""
        if not self.turns:
            return 0.0 if physical == self.start else math.inf
        if self.log:
            level = math.log(physical / self.start) / math.log(self.end / self.start)
        else:
            level = (physical - self.start) / (self.end - self.start)
        return round(level, DECIMALS) + 0.0


@dataclass(frozen=True)
class ControlSpace:
    """The product of one or more axes.

    Args:
        axes: The dials.
        first: The level that start networks are trained at, if not the start of every axis.
        last: The level that end networks are trained at, if not the end of every axis.
        simplex: Whether levels may not add up to more than 1: the axes then share one budget, as
            the weights of several styles do, and the end is that of the first axis alone.
    """

    axes: tuple[Axis, ...]
    first: Level = ()
    last: Level = ()
    simplex: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "first", self.first or self.start)
        object.__setattr__(self, "last", self.last or self._far)

    @property
    def d(self) -> int:
        """Number of axes."""
        return len(self.axes)

    @property
    def dials(self) -> int:
        """Number of axes on which there is something to set."""
        return sum(axis.turns for axis in self.axes)

    @property
    def start(self) -> Level:
        return (0.0,) * self.d

    @property
    def end(self) -> Level:
        return (1.0, *self.start[1:]) if self.simplex else self._far

    @property
    def corners(self) -> tuple[Level, ...]:
        """The corners of [0, 1]^d, last axis fastest; of a simplex, the start and each axis's end."""
        if self.simplex:
            units = ((float(at == axis) for at in range(self.d)) for axis in range(self.d))
            return (self.start, *map(tuple, units))
        return tuple(itertools.product((0.0, 1.0), repeat=self.d))

    @property
    def _names(self) -> str:
        return ", ".join(axis.name for axis in self.axes)

    @property
    def _far(self) -> Level:
        return tuple(1.0 if axis.turns else 0.0 for axis in self.axes)

    def trained(self) -> ControlSpace:
        """Returns the part between the anchors, as a space of its own: what methods are built on."""
        ends = zip(self.axes, self.first, self.last, strict=True)
        axes = tuple(
            replace(axis, start=axis.physical(a), end=axis.physical(b)) for axis, a, b in ends
        )
        return ControlSpace(axes, simplex=self.simplex)

    def position(self, level: Sequence[float]) -> Level:
        """Returns where a level lies between the anchors: 0 up to the first, 1 from the last on."""
        ends = zip(self.check(level), self.first, self.last, strict=True)
        return tuple(min(1.0, max(0.0, (value - a) / (b - a or 1.0))) for value, a, b in ends)

    def between(self, level: Sequence[float]) -> bool:
        """Whether a level lies between the anchors; beyond, methods stay as they are at the nearer."""
        ends = zip(self.check(level), self.first, self.last, strict=True)
        return all(min(a, b) <= value <= max(a, b) for value, a, b in ends)

    def spread(self, position: Sequence[float]) -> Level:
        """Returns the level at a position in [0, 1]^d between the anchors."""
        ends = zip(position, self.first, self.last, strict=True)
        return self.check([a + value * (b - a) for value, a, b in ends])

    def lattice(self, points: int) -> tuple[Level, ...]:
        """Returns all combinations of ``points`` evenly spaced levels on each axis, last axis fastest.

        They lie between the anchors. Axes whose values have names are gone through value by value.
        """
        lines = [axis.line(points) for axis in self.axes]
        every = itertools.product(*lines)
        inside = (one for one in every if not self.simplex or sum(one) <= 1 + SLACK)
        return tuple(self.spread(position) for position in inside)

    def drawn(self, position: Sequence[float]) -> Level:
        """Returns the level that a point drawn from [0, 1)^d stands for.

        Whole values that have names are equally likely; everything else is as in ``spread``. On a
        simplex all levels are equally likely too.
        """
        if self.simplex:
            ordered = sorted(position)
            position = [b - a for a, b in zip([0.0, *ordered], ordered, strict=False)]
        shares = [
            min(int(value * len(axis.names)), len(axis.names) - 1) / (len(axis.names) - 1)
            if axis.names
            else value
            for axis, value in zip(self.axes, position, strict=True)
        ]
        return self.level_of(self.physical(self.spread(shares)))

    def check(self, level: Sequence[float] | float) -> Level:
        """Returns ``level`` as a tuple rounded to ``DECIMALS``; on one axis a number will do.

        Raises:
            LevelError: If it is no numbers, has the wrong number of axes or leaves [0, 1].
        """
        try:
            values = [*level]
        except TypeError:
            values = [level]
        try:
            point = tuple(round(float(value), DECIMALS) + 0.0 for value in values)
        except (TypeError, ValueError):
            raise LevelError(
                f"{level!r} is no level; give a number from 0 to 1 for each of: {self._names}"
            ) from None
        if len(point) != self.d:
            raise LevelError(
                f"level {point} has {len(point)} values, but the axes are: {self._names}"
            )
        if not all(0.0 <= value <= 1.0 for value in point):
            raise LevelError(
                f"level {level_text(point)} lies outside [0, 1]; give values from 0 to 1"
            )
        if self.simplex and sum(point) > 1 + SLACK:
            raise LevelError(
                f"level {level_text(point)} adds up to more than 1; the axes share one budget"
            )
        for axis, value in zip(self.axes, point, strict=True):
            if value and not axis.turns:
                raise LevelError(f"{axis.name} is always {axis.start:g}; the only level is 0")
        return point

    def physical(self, level: Sequence[float]) -> tuple[float, ...]:
        """Returns the physical values at ``level``."""
        return tuple(
            axis.physical(value) for axis, value in zip(self.axes, self.check(level), strict=True)
        )

    def level_of(self, physical: Sequence[float]) -> Level:
        """Returns the level of physical values.

        Raises:
            LevelError: If a value lies outside its axis or is none of it, or their number is wrong.
        """
        if len(physical) != self.d:
            raise LevelError(f"{len(physical)} physical values were given for {self.d} axes")
        point = []
        for axis, value in zip(self.axes, physical, strict=True):
            if value != axis.start and not axis.turns:
                raise LevelError(f"{axis.name} is always {axis.start:g}, not {value:g}")
            if axis.integer and value % 1:
                raise LevelError(f"{axis.name} {value:g} is no whole number; choose one")
            level = axis.level(value) if value > 0 or not axis.log else math.inf
            if not 0.0 <= level <= 1.0:
                raise LevelError(
                    f"{axis.name} {value:g} lies outside {axis.start:g} to {axis.end:g}; "
                    "choose a value inside the range"
                )
            point.append(level)
        return tuple(point)


def level_text(level: Sequence[float]) -> str:
    """Returns the canonical decimal string of a level: ``"0.25"``, or ``"0.25/1"`` for two axes."""
    return "/".join(f"{value + 0.0:.{DECIMALS}f}".rstrip("0").rstrip(".") or "0" for value in level)


def parse_level(text: str) -> Level:
    """Parses ``level_text``'s format.

    Raises:
        LevelError: If a part is not a finite number.
    """
    try:
        point = tuple(float(part) for part in text.split("/"))
    except ValueError:
        raise LevelError(f"'{text}' is not a level; write numbers from 0 to 1, like 0.25") from None
    if not all(math.isfinite(value) for value in point):
        raise LevelError(f"'{text}' is not a level; write numbers from 0 to 1, like 0.25")
    return point


def level_key(text: str) -> tuple[float, ...]:
    """Returns the sort key of a level text; text that is no level comes last."""
    try:
        return parse_level(text)
    except LevelError:
        return (math.inf,)
