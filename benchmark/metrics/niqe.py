"""NIQE in numpy, with a model fitted by ``benchmark.metrics.fit_niqe`` and shipped as text.

Mittal, Soundararajan and Bovik, "Making a completely blind image quality analyzer", 2013: statistics
of normalised luminance in 96 x 96 blocks at two scales, and the distance of their Gaussian from that
of good photographs. The features are those of the authors' code; the photographs are not, so its
numbers are of their own kind: ``niqe@dialbench-bsds`` is never compared with another NIQE.
"""

from __future__ import annotations

import functools
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import correlate1d
from scipy.special import gammaln

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

SHAPES = np.arange(200, 10001) / 1000
"""Shapes of the generalised Gaussian that are told apart."""

RATIOS = np.exp(2 * gammaln(2 / SHAPES) - gammaln(1 / SHAPES) - gammaln(3 / SHAPES))
"""Their ratios of (mean absolute value)^2 to mean square, which rise with the shape."""


@dataclass(frozen=True)
class Model:
    """The Gaussian that good photographs follow: ``mean`` (36,), ``covariance`` (36, 36)."""

    mean: Array
    covariance: Array


class Niqe:
    """Distance of single images from the fitted photographs; smaller is better."""

    def __init__(self) -> None:
        self.model = stored_model()

    def __call__(self, restored: Array, clean: Array | None = None) -> float:
        """Returns the NIQE of an RGB image (3, H, W) in [0, 1]; ``clean`` is not looked at.

        Raises:
            Unscorable: If the image holds no whole block, or is too flat for its statistics.
        """
        return distance(features(luma(np.asarray(restored)))[0], self.model)


def luma(image: Array) -> Array:
    """Returns the full-range luma of an RGB image (3, H, W) in [0, 1], rounded to 0 .. 255."""
    return np.rint(np.tensordot(LUMA, image.astype(np.float64) * 255, axes=1).round(6))


def features(gray: Array) -> tuple[Array, Array]:
    """Returns the features (n, 36) and the sharpness (n,) of the whole blocks of an image.

    Args:
        gray: Luma in 0 .. 255, (H, W); rows and columns beyond the last whole block are left out.

    Raises:
        Unscorable: If there is no whole block.
    """
    height, width = gray.shape
    rows, columns = height // BLOCK, width // BLOCK
    if not rows * columns:
        raise Unscorable(f"NIQE needs {BLOCK} pixels on each side, the image is {width}x{height}")
    gray = gray[: rows * BLOCK, : columns * BLOCK]
    fine, contrast = normalised(gray)
    coarse, _ = normalised(halved(gray))
    both = [_statistics(_blocks(image, rows, columns)) for image in (fine, coarse)]
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


def normalised(image: Array) -> tuple[Array, Array]:
    """Returns the mean-subtracted, contrast-normalised image (eq. 1) and its local deviation."""
    mean = _smoothed(image)
    deviation = np.sqrt(np.abs(_smoothed(image * image) - mean * mean))
    # Flat parts hold rounding errors of either sign, which the statistics would count as texture.
    detail = np.where(np.abs(image - mean) < FLAT, 0, image - mean)
    return detail / (deviation + 1), deviation


def halved(image: Array) -> Array:
    """Returns an image of even sides at half the size, as MATLAB's ``imresize(.., 0.5)`` does."""
    taps = np.abs(np.arange(-3.5, 4) / 2)
    near = 1.5 * taps**3 - 2.5 * taps**2 + 1
    far = -0.5 * taps**3 + 2.5 * taps**2 - 4 * taps + 2
    weights = np.where(taps < 1, near, far)
    weights /= weights.sum()
    for axis in range(2):
        padded = np.pad(np.moveaxis(image, axis, 0), ((3, 4), (0, 0)), mode="symmetric")
        count = image.shape[axis]
        image = sum(w * padded[k : k + count : 2] for k, w in enumerate(weights))
        image = np.moveaxis(image, 0, axis)
    return image


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


def _smoothed(image: Array) -> Array:
    window = WINDOW / WINDOW.sum()
    return correlate1d(correlate1d(image, window, 0, mode="nearest"), window, 1, mode="nearest")


def _blocks(image: Array, rows: int, columns: int) -> Array:
    """Returns the (rows x columns) equal parts of an image, shape (n, h, w)."""
    height, width = image.shape
    parts = image.reshape(rows, height // rows, columns, width // columns)
    return parts.swapaxes(1, 2).reshape(rows * columns, height // rows, width // columns)


def _statistics(blocks: Array) -> Array:
    """Returns 18 features of each block: two of its values, four each of neighbours' products."""
    shape, left, right = _asymmetric_gaussian(blocks)
    found = [shape, (left + right) / 2]
    for shift in NEIGHBOURS:
        shape, left, right = _asymmetric_gaussian(blocks * np.roll(blocks, shift, axis=(1, 2)))
        mean = (right - left) * np.exp(gammaln(2 / shape) - gammaln(1 / shape))
        found += [shape, mean, left, right]
    return np.stack(found, axis=1)


def _asymmetric_gaussian(values: Array) -> tuple[Array, Array, Array]:
    """Fits an asymmetric generalised Gaussian to each block by moments (eq. 5 to 7).

    Returns:
        Shape, left and right scale, each (n,); the scales are NaN where a block has one sign only.
    """
    values = values.reshape(len(values), -1)
    squares = values * values
    negative, positive = values < 0, values > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        left = np.sqrt((squares * negative).sum(1) / negative.sum(1))
        right = np.sqrt((squares * positive).sum(1) / positive.sum(1))
        ratio = left / right
        moment = np.abs(values).mean(1) ** 2 / squares.mean(1)
        moment *= (ratio**3 + 1) * (ratio + 1) / (ratio**2 + 1) ** 2
    after = np.searchsorted(RATIOS, moment).clip(1, len(RATIOS) - 1)
    nearest = np.where(moment - RATIOS[after - 1] <= RATIOS[after] - moment, after - 1, after)
    # Where there is no moment the authors' search ends at the first shape.
    shape = SHAPES[np.where(np.isnan(moment), 0, nearest)]
    scale = np.exp((gammaln(1 / shape) - gammaln(3 / shape)) / 2)
    return shape, left * scale, right * scale
