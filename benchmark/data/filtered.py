"""Outputs of image operators as ground truth: computed once, then read from the store."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterable

import numpy as np
from PIL import Image

from benchmark import operators
from benchmark.records import write
from benchmark.registry.digest import code_digest, digest
from benchmark.store import Store


def operator_digest(operator: str) -> str:
    """Returns the digest of an operator's code."""
    return code_digest([f"benchmark.operators:OPERATORS[{operator}]"], ["benchmark.operators"])


class Filtered:
    """The outputs of one operator, rounded to 8 bits.

    They are PNG files under ``filtered/`` in the store, keyed by the operator's code, its parameters
    and the pixels. A damaged file is computed again.

    Args:
        operator: Name in ``benchmark.operators``.
        store: Where outputs are kept; None computes every one anew.

    Raises:
        UserError: If there is no such operator.
    """

    def __init__(self, operator: str, store: Store | None):
        self.operator, self.code = operators.get(operator), operator_digest(operator)
        self.folder = store.home / "filtered" / operator if store else None

    def output(self, pixels: np.ndarray, parameters: tuple[float, ...]) -> np.ndarray:
        """Returns the output for an image (H, W, 3) uint8, in its shape and type.

        Raises:
            UserError: If a parameter is missing or outside the operator's range.
            JobError: If the store cannot be written to.
        """
        path = None
        if self.folder is not None:
            content = hashlib.sha256(pixels.tobytes()).hexdigest()
            key = digest([self.code, list(parameters), list(pixels.shape), content])
            path = self.folder / f"{key}.png"
            try:
                with Image.open(path) as file:
                    return np.array(file)
            except (OSError, SyntaxError):
                pass
        exact = self.operator.apply(pixels.astype(np.float64) / 255, *parameters)
        rounded = np.rint(exact * 255).astype(np.uint8)
        if path is not None:
            stream = io.BytesIO()
            Image.fromarray(rounded).save(stream, "PNG")
            write(path, stream.getvalue())
        return rounded


def shared_order(count: int) -> Iterable[int]:
    """Returns the numbers below ``count`` in an order of this process's own.

    Processes that start together on the same outputs meet them at different times, so that each
    computes a part and finds the others' in the store.
    """
    return np.random.default_rng(os.getpid()).permutation(count).tolist()
