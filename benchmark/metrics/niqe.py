"""NIQE: one implementation of the features, and two metrics that are made of them.

Mittal, Soundararajan and Bovik, "Making a completely blind image quality analyzer", 2013: statistics
of normalised luminance in 96 x 96 blocks at two scales, and the distance of their Gaussian from that
of good photographs. The features are those of the authors' code, in one of two precisions:

- double, with a model fitted by ``benchmark.niqe.fit`` and shipped as text. Its photographs
  are not the authors', so ``niqe@dialbench-bsds`` is never compared with another NIQE.
- single, with the authors' model from ``benchmark.assets``: what pyiqa 0.1.16 holds in single
  precision (luma, window, table of shapes, halved image) is rounded as there, the rest is double.
  ``niqe@pyiqa-0.1.16`` equals that package without importing it.
"""

from __future__ import annotations

import functools
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.special import gammaln
from torch import Tensor

from benchmark import assets
from benchmark.errors import UserError
from benchmark.metrics.records import Unscorable

Array = np.ndarray

BLOCK = 96
FEATURES = 36
MODEL = Path(__file__).with_name("niqe_bsds.json")
MODEL_SHA256 = "dbe3fab8575b80e0a1019f1939cf24bfd8f6cf9726cb29c20e7bfdfdeff0960b"
"""Of the model's numbers: they are part of every score, so a change must change this file."""

LUMA = (0.299, 0.587, 0.114)
WINDOW = np.exp(-0.5 * (np.arange(-3, 4) / (7 / 6)) ** 2)
NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))

FLAT = 1e-9
"""Differences from the local mean below this (of 255) are rounding errors."""

STRIP = 16
"""Rows that are smoothed by one product of matrices; 96 and 48 are divisible by it."""


@dataclass(frozen=True)
class Model:
    """The Gaussian that good photographs follow: ``mean`` (36,), ``covariance`` (36, 36)."""

    mean: Array
    covariance: Array


class Niqe:
    """Distance of single images from the photographs of a model; smaller is better.

    Args:
        model: The photographs' Gaussian.
        single: Whether to round as pyiqa does; see the head of this module.
    """

    def __init__(self, model: Model, single: bool = False):
        self.model, self.single = model, single

    def __call__(self, restored: Array, clean: Array | None = None) -> float:
        """Returns the NIQE of an RGB image (3, H, W) in [0, 1]; ``clean`` is not looked at.

        Raises:
            Unscorable: If the image holds no whole block, or is too flat for its statistics.
        """
        gray = luma(np.asarray(restored), self.single)
        return distance(features(gray, self.single)[0], self.model)


def luma(image: Array, single: bool = False) -> Array:
    """Returns the full-range luma of an RGB image (3, H, W) in [0, 1], rounded to 0 .. 255.

    In whole numbers one pixel in a thousand is an exact tie. In double precision all ties are rounded
    to even. In single precision they fall as the rounding errors do: of the sum of products in the
    order R, G, B, where each product is added before it is rounded, as torch does on Intel's processors.
    """
    if not single:
        scaled = image.astype(np.float64) * 255
        return np.rint(np.tensordot(LUMA, scaled, axes=1).round(6))
    weights = np.array(LUMA, np.float32).astype(np.float64)
    total = np.zeros(image.shape[1:])
    for channel, weight in zip(image.astype(np.float32), weights, strict=True):
        # Exact before it is rounded: a product of two 24-bit numbers fits into 53 bits.
        total += channel * weight
        total = total.astype(np.float32).astype(np.float64)
    return np.rint((total * 255).astype(np.float32)).astype(np.float64)


def features(gray: Array, single: bool = False) -> tuple[Array, Array]:
    """Returns the features (n, 36) and the sharpness (n,) of the whole blocks of an image.

    Args:
        gray: Luma in 0 .. 255, (H, W); rows and columns beyond the last whole block are left out.
        single: Whether to round as pyiqa does; see the head of this module.

    Raises:
        Unscorable: If there is no whole block.
    """
    height, width = gray.shape
    rows, columns = height // BLOCK, width // BLOCK
    if not rows * columns:
        raise Unscorable(f"NIQE needs {BLOCK} pixels on each side, the image is {width}x{height}")
    gray = gray[: rows * BLOCK, : columns * BLOCK]
    kind = np.float32 if single else np.float64
    small = halved((gray / 255).astype(kind)).astype(np.float64) * 255
    fine, contrast = normalised(gray, single)
    coarse, _ = normalised(small, single)
    both = [_statistics(_blocks(image, rows, columns), single) for image in (fine, coarse)]
    return np.concatenate(both, axis=1), _blocks(contrast, rows, columns).mean(axis=(1, 2))


def distance(found: Array, model: Model) -> float:
    """Returns the distance between the Gaussian of block features (n, 36) and a model (eq. 10).

    Raises:
        Unscorable: If a feature has no value in any block.
    """
    whole = found[np.isfinite(found).all(axis=1)]
    if not len(whole):
        raise Unscorable("the image is too flat for NIQE's statistics")
    centred = whole - whole.mean(axis=0)
    covariance = centred.T @ centred / max(len(whole) - 1, 1)
    gap = model.mean - np.nanmean(found, axis=0)
    inverse = np.linalg.pinv((model.covariance + covariance) / 2)
    return float(np.sqrt(gap @ inverse @ gap))


def normalised(image: Array, single: bool = False) -> tuple[Array, Array]:
    """Returns the mean-subtracted, contrast-normalised image (eq. 1) and its local deviation.

    Args:
        image: (H, W), sides divisible by 16.
        single: Whether the window is rounded as pyiqa does. Its weights then add up to 1 + 1e-8, which
            gives flat parts one sign.
    """
    mean = _smoothed(image, single)
    deviation = _smoothed(image * image, single)
    deviation -= mean * mean
    np.sqrt(np.abs(deviation, out=deviation), out=deviation)
    # Flat parts hold rounding errors of either sign, which the statistics would count as texture.
    detail = np.subtract(image, mean, out=mean)
    detail[np.abs(detail) < FLAT] = 0
    return detail / (deviation + 1), deviation


def halved(image: Array) -> Array:
    """Returns an image of even sides at half the size, as MATLAB's ``imresize(.., 0.5)`` does.

    It is computed in the image's own precision.
    """
    taps = np.abs(np.arange(-3.5, 4) / 2)
    near = 1.5 * taps**3 - 2.5 * taps**2 + 1
    far = -0.5 * taps**3 + 2.5 * taps**2 - 4 * taps + 2
    weights = np.where(taps < 1, near, far)
    weights = (weights / weights.sum()).astype(image.dtype)
    for axis in range(2):
        padded = np.pad(np.moveaxis(image, axis, 0), ((3, 4), (0, 0)), mode="symmetric")
        count = image.shape[axis]
        # In this order, on which the last digit depends.
        parts = (weight * padded[k : k + count : 2] for k, weight in enumerate(weights))
        image = np.moveaxis(functools.reduce(np.add, parts), 0, axis)
    return image


def original(offline: bool = False) -> Niqe:
    """Returns ``niqe@pyiqa-0.1.16``, which needs the authors' model.

    Raises:
        UserError: If the model cannot be had.
    """
    stored = assets.load("niqe", offline)
    mean, covariance = (np.asarray(stored[name]) for name in ("mu_prisparam", "cov_prisparam"))
    return Niqe(Model(mean.ravel(), covariance), single=True)


def bsds() -> Niqe:
    """Returns ``niqe@dialbench-bsds``."""
    return Niqe(stored_model())


@functools.cache
def stored_model() -> Model:
    """Returns the model that is shipped.

    Raises:
        UserError: If its numbers are not the ones this code was written for.
    """
    content = json.loads(MODEL.read_text(encoding="utf-8"))
    if fingerprint(content) != MODEL_SHA256:
        raise UserError(f"{MODEL.name} was changed; reinstall dialbench")
    triangle = np.zeros((FEATURES, FEATURES))
    for row, values in enumerate(content["covariance"]):
        triangle[row, : row + 1] = values
    covariance = triangle + np.tril(triangle, -1).T
    return Model(np.array(content["mean"]), covariance)


def fingerprint(content: dict) -> str:
    """Returns the SHA-256 over the mean and the covariance of a stored model."""
    return hashlib.sha256(json.dumps([content["mean"], content["covariance"]]).encode()).hexdigest()


def _smoothed(image: Array, single: bool) -> Array:
    """Returns the mean of an image (H, W) over the window; edges are repeated outwards."""
    height, width = image.shape
    padded = np.pad(image, 3, mode="edge")
    # Columns at one distance from the centre have the same weights: four kinds, added up first.
    pairs = np.empty((height + 6, 4, width))
    pairs[:, 0] = padded[:, 3 : 3 + width]
    for away in (1, 2, 3):
        near, far = (padded[:, 3 + side : 3 + side + width] for side in (-away, away))
        np.add(near, far, out=pairs[:, away])
    strips = torch.from_numpy(pairs).as_strided(
        (height // STRIP, (STRIP + 6) * 4, width), (STRIP * 4 * width, width, 1)
    )
    return torch.matmul(_weights(single), strips).reshape(height, width).numpy()


@functools.cache
def _weights(single: bool) -> Tensor:
    """Returns the window as a matrix: from rows of all kinds above, in and below a strip to the strip.

    One filter for rows and one for columns would be simpler, but a window that is rounded to single
    precision is no product of two.
    """
    window = np.outer(WINDOW, WINDOW) / np.outer(WINDOW, WINDOW).sum()
    window = window.astype(np.float32 if single else np.float64)
    matrix = np.zeros((STRIP, STRIP + 6, 4))
    for row in range(STRIP):
        matrix[row, row : row + 7] = window[:, 3:]
    return torch.from_numpy(matrix.reshape(STRIP, -1))


def _blocks(image: Array, rows: int, columns: int) -> Array:
    """Returns the (rows x columns) equal parts of an image, shape (n, h, w)."""
    height, width = image.shape
    parts = image.reshape(rows, height // rows, columns, width // columns)
    return parts.swapaxes(1, 2).reshape(rows * columns, height // rows, width // columns)


def _statistics(blocks: Array, single: bool) -> Array:
    """Returns 18 features of each block: two of its values, four each of neighbours' products."""
    shape, left, right = _asymmetric_gaussian(blocks, single)
    found = [shape, (left + right) / 2]
    for shift in NEIGHBOURS:
        products = blocks * np.roll(blocks, shift, axis=(1, 2))
        shape, left, right = _asymmetric_gaussian(products, single)
        mean = (right - left) * np.exp(gammaln(2 / shape) - gammaln(1 / shape))
        found += [shape, mean, left, right]
    return np.stack(found, axis=1)


def _asymmetric_gaussian(values: Array, single: bool = False) -> tuple[Array, Array, Array]:
    """Fits an asymmetric generalised Gaussian to each block by moments (eq. 5 to 7).

    Returns:
        Shape, left and right scale, each (n,); the scales are NaN where a block has one sign only.
    """
    values = values.reshape(len(values), -1)
    above = np.maximum(values, 0)
    below = above - values
    power_above, power_below = np.vecdot(above, above), np.vecdot(below, below)
    count = values.shape[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        left = np.sqrt(power_below / np.count_nonzero(values < 0, axis=1))
        right = np.sqrt(power_above / np.count_nonzero(values > 0, axis=1))
        ratio = left / right
        moment = ((above.sum(1) + below.sum(1)) / count) ** 2
        moment /= (power_above + power_below) / count
        moment *= (ratio**3 + 1) * (ratio + 1) / (ratio**2 + 1) ** 2
    shapes, ratios = _table(single)
    after = np.searchsorted(ratios, moment).clip(1, len(ratios) - 1)
    nearest = np.where(moment - ratios[after - 1] <= ratios[after] - moment, after - 1, after)
    # Where there is no moment the authors' search ends at the first shape.
    shape = shapes[np.where(np.isnan(moment), 0, nearest)]
    scale = np.exp((gammaln(1 / shape) - gammaln(3 / shape)) / 2)
    return shape, left * scale, right * scale


@functools.cache
def _table(single: bool) -> tuple[Array, Array]:
    """Returns the shapes of the generalised Gaussian that are told apart, and their ratios.

    The ratio is that of (mean absolute value)^2 to mean square, which rises with the shape.
    """
    shapes = np.arange(200, 10001) / 1000
    if single:
        # torch counts up in single precision with errors of its own.
        shapes = torch.arange(0.2, 10.001, 0.001).double().numpy()
    return shapes, np.exp(2 * gammaln(2 / shapes) - gammaln(1 / shapes) - gammaln(3 / shapes))
