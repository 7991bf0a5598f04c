"""Linear systems of edge-preserving smoothing: the identity plus a weighted graph Laplacian.

Each pixel is coupled to its four neighbours, none across the border: the minimiser u of
``sum (u - g)^2 + sum h (du/dx)^2 + sum v (du/dy)^2`` solves ``(I + L) u = g``. As L has no positive
entry off its diagonal and its rows sum to 0, u stays within the range of g.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from benchmark.errors import UserError

TOLERANCE = 1e-10
STEPS = 50

LEAF = 32
"""Blocks of at most this many pixels are not dissected further."""


@dataclass(frozen=True)
class FivePoint:
    """The matrix I + L of an image of H x W pixels.

    Args:
        horizontal: Weight of each pair of horizontal neighbours, (H, W-1), not negative.
        vertical: Weight of each pair of vertical neighbours, (H-1, W), not negative.
    """

    horizontal: np.ndarray
    vertical: np.ndarray

    def times(self, u: np.ndarray) -> np.ndarray:
        """Returns (I + L) u for u of shape (H, W, C), from differences, without a matrix."""
        product = u.copy()
        flow = self.horizontal[..., None] * np.diff(u, axis=1)
        product[:, :-1] -= flow
        product[:, 1:] += flow
        flow = self.vertical[..., None] * np.diff(u, axis=0)
        product[:-1] -= flow
        product[1:] += flow
        return product

    def residual(self, u: np.ndarray, g: np.ndarray) -> float:
        """Returns ``|(I + L) u - g| / |g|`` (Euclidean norms over all channels)."""
        return float(np.linalg.norm(self.times(u) - g) / np.linalg.norm(g))

    def solve(self, g: np.ndarray) -> np.ndarray:
        """Returns u with (I + L) u = g, shape (H, W, C), to a relative residual of ``TOLERANCE``.

        A sparse factorisation in single precision, which takes half the time and memory of double,
        preconditions conjugate gradients in double: a few steps make up for what it lacks.

        Raises:
            UserError: If the weights are so large that single precision cannot represent the system.
        """
        with _without_denormals():
            return self._solved(g)

    def _solved(self, g: np.ndarray) -> np.ndarray:
        precondition = self._factorised(g.shape)
        limit = TOLERANCE * np.linalg.norm(g, axis=(0, 1))
        u = precondition(g)
        rest = g - self.times(u)
        direction, weight = np.zeros_like(g), np.ones(g.shape[2])
        for _ in range(STEPS):
            if (np.linalg.norm(rest, axis=(0, 1)) <= limit).all():
                return u
            towards = precondition(rest)
            new = _products(rest, towards)
            direction = towards + _ratio(new, weight) * direction
            weight = new
            image = self.times(direction)
            step = _ratio(weight, _products(direction, image))
            u = u + step * direction
            rest = rest - step * image
        raise UserError("the operator's linear system did not converge; choose weaker smoothing")

    def _factorised(self, shape: tuple[int, ...]) -> Callable[[np.ndarray], np.ndarray]:
        """Returns the map from g to an approximate solution.

        The pixels of one colour of a checkerboard have no neighbours among themselves, so they are
        eliminated by hand, which halves the system and the time. The others are ordered by nested
        dissection, which keeps the factors of a grid of n pixels at O(n log n) entries. The matrix
        is diagonally dominant, so no pivoting is needed.
        """
        from scipy.sparse import diags_array
        from scipy.sparse.linalg import splu

        kept, gone = _colours(shape[0], shape[1])
        diagonal = self._diagonal().ravel()
        coupling = self._neighbours()[kept][:, gone]
        inverse = diags_array(1 / diagonal[gone])
        reduced = diags_array(diagonal[kept]) - coupling @ inverse @ coupling.T
        factors = splu(
            reduced.tocsc().astype(np.float32),
            permc_spec="NATURAL",
            diag_pivot_thresh=0.0,
            options={"SymmetricMode": True},
            relax=20,
            panel_size=4,
        )

        def solve(g: np.ndarray) -> np.ndarray:
            pixels = g.reshape(-1, shape[2])
            solution = np.empty_like(pixels)
            right = pixels[kept] + coupling @ (inverse @ pixels[gone])
            solution[kept] = factors.solve(right.astype(np.float32))
            solution[gone] = inverse @ (pixels[gone] + coupling.T @ solution[kept])
            return solution.reshape(shape)

        return solve

    def _diagonal(self) -> np.ndarray:
        diagonal = np.ones((self.vertical.shape[0] + 1, self.horizontal.shape[1] + 1))
        diagonal[:, :-1] += self.horizontal
        diagonal[:, 1:] += self.horizontal
        diagonal[:-1] += self.vertical
        diagonal[1:] += self.vertical
        return diagonal

    def _neighbours(self):
        """Returns the weights of all pairs of neighbours as a sparse matrix, pixels in row order."""
        from scipy.sparse import coo_array

        height, width = self.vertical.shape[0] + 1, self.horizontal.shape[1] + 1
        pixel = np.arange(height * width, dtype=np.int32).reshape(height, width)
        one = np.concatenate([pixel[:, :-1].ravel(), pixel[:-1].ravel()])
        other = np.concatenate([pixel[:, 1:].ravel(), pixel[1:].ravel()])
        weight = np.concatenate([self.horizontal.ravel(), self.vertical.ravel()])
        places = (np.concatenate([one, other]), np.concatenate([other, one]))
        return coo_array((np.tile(weight, 2), places), shape=(pixel.size, pixel.size)).tocsr()


@contextmanager
def _without_denormals() -> Iterator[None]:
    """Makes numbers too small for single precision 0 instead of denormal.

    Weak smoothing hardly couples distant pixels, and a processor takes a hundred times as long for
    the denormal entries that then fill the factors.
    """
    import torch

    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


@functools.lru_cache(4)
def _colours(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the pixels of the two colours of a checkerboard, the first in nested dissection."""
    row, column = np.ogrid[:height, :width]
    odd = (row + column) % 2 == 1
    return dissection(odd), np.flatnonzero(~odd)


def dissection(chosen: np.ndarray) -> np.ndarray:
    """Returns the chosen pixels of a mask (indices in row order) in nested-dissection order.

    The two middle lines of the longer side, enough to part pixels coupled at a distance of two,
    come after the two sides that they separate, and so on inside each side (George 1973).
    """
    pixels = np.arange(chosen.size, dtype=np.int32).reshape(chosen.shape)
    return np.concatenate(_dissected(np.where(chosen, pixels, -1)))


def _dissected(block: np.ndarray) -> list[np.ndarray]:
    if block.size <= LEAF:
        return [block[block >= 0]]
    if block.shape[0] > block.shape[1]:
        block = block.T
    middle = block.shape[1] // 2
    sides = _dissected(block[:, : middle - 1]) + _dissected(block[:, middle + 1 :])
    lines = block[:, middle - 1 : middle + 1]
    return [*sides, lines[lines >= 0]]


def _products(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.einsum("hwc,hwc->c", a, b)


def _ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns a / b, and 0 for channels whose b is 0: those are solved already."""
    return np.divide(a, b, out=np.zeros_like(a), where=b != 0)
