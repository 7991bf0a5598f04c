"""How a file becomes pixels: one way for training, tests, the demo and comparisons of two files.

Stored orientation (an EXIF turn is ignored; Pillow applies that of a TIFF), no colour management, first
frame, alpha dropped as OpenCV does, gray repeated over three channels, palettes resolved. Files with
more than 8 bits a sample are refused, because the usual readers silently disagree on how to shorten
them. This module imports no torch.
"""

from __future__ import annotations

import hashlib
import io
import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

from benchmark.errors import UserError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX")

LARGEST = 64_000_000
"""Pixels of an image that is read: larger ones are no photographs, and networks need room for them."""

BITS = 258
"""Tag of a TIFF that holds the bits of each sample."""

NAMED = 10
"""Images of a set that a message names."""

Found = TypeVar("Found")


class Unusable(UserError):
    """An image that cannot be used.

    Args:
        path: Its file.
        what: What is wrong with it, as it follows a name.
        remedy: What to do.
    """

    def __init__(self, path: Path, what: str, remedy: str):
        super().__init__(f"image {path} {what}; {remedy}")
        self.short = f"{path.name} {what}"


@dataclass(frozen=True)
class Picture:
    """One image, read when asked for.

    Args:
        name: Unique in its set.
        path: Its file; for hub sets, what error messages call it.
        crop: Side of the centre crop to read, or 0 for the whole image.
        content: The file's bytes where there is no file (hub sets).
        sha256: Of the file's bytes, where they have to be these.
    """

    name: str
    path: Path
    crop: int = 0
    content: bytes | None = None
    sha256: str = ""

    def read(self) -> np.ndarray:
        """Returns the pixels as uint8 RGB, shape (H, W, 3).

        Raises:
            Unusable: If the file is missing, empty, damaged, or of a kind that is not read.
        """
        with self._opened(self.stored()) as image:
            pixels = np.asarray(image.convert("RGB"))
        height, width = self._cropped(*pixels.shape[:2])
        top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2
        return np.ascontiguousarray(pixels[top : top + height, left : left + width])

    def size(self, content: bytes | None = None) -> tuple[int, int]:
        """Returns height and width, from the head of the file alone.

        Args:
            content: The bytes of the file, if they were read.

        Raises:
            Unusable: As ``read``, but for damage behind the head.
        """
        with self._opened(content or self.stored()) as image:
            return self._cropped(image.height, image.width)

    def stored(self) -> bytes:
        """Returns the bytes of the file.

        Raises:
            Unusable: If there are none, or others than there have to be.
        """
        content = self.content
        if content is None:
            try:
                content = self.path.read_bytes()
            except OSError as error:
                what = f"cannot be read ({error.strerror})"
                raise Unusable(self.path, what, "put it back") from None
        if not content:
            raise Unusable(self.path, "is empty", "replace or remove it")
        if self.sha256 and hashlib.sha256(content).hexdigest() != self.sha256:
            raise Unusable(
                self.path, "has changed since it was first read", "run the command again"
            )
        return content

    def _cropped(self, height: int, width: int) -> tuple[int, int]:
        return min(self.crop or height, height), min(self.crop or width, width)

    @contextmanager
    def _opened(self, content: bytes) -> Iterator[Image.Image]:
        try:
            with warnings.catch_warnings():
                # Pillow warns of large files and of odd tags; what it cannot read it raises.
                warnings.simplefilter("ignore")
                with Image.open(io.BytesIO(content)) as image:
                    if image.width * image.height > LARGEST:
                        raise Image.DecompressionBombError
                    # Pillow shortens 16-bit colour to 8 bits without a word; only the decoder's raw
                    # mode tells, and the tag of a TIFF, whose planes it takes for 8 bits.
                    # "BGR;16" is no such mode, but a BMP's 16 bits of all samples together.
                    deep = any(re.search("(?<!BGR);16", str(tile.args)) for tile in image.tile)
                    deep = deep or max(getattr(image, "tag_v2", {}).get(BITS, (8,))) > 8
                    if deep or image.mode.startswith(("I", "F")):
                        what = "has more than 8 bits a sample"
                        raise Unusable(self.path, what, "convert it to 8 bits")
                    if image.mode not in MODES:
                        raise Unusable(self.path, f"is {image.mode}", "convert it to RGB")
                    yield image
        except Image.DecompressionBombError:
            raise Unusable(self.path, "is too large to read", "cut or shrink it") from None
        except (OSError, ValueError, SyntaxError, EOFError, OverflowError, RuntimeError):
            # Of the last kind are what decoders do not implement, and AVIF's complaints.
            what = "is damaged or not an image"
            raise Unusable(self.path, what, "replace or remove it") from None


def is_gray(pixels: np.ndarray) -> bool:
    """Whether the three channels (H, W, 3) are equal everywhere, however the file stores them."""
    return bool((pixels == pixels[..., :1]).all())


def of_each(pictures: Iterable[Picture], look: Callable[[Picture], Found]) -> list[Found]:
    """Returns what is found in each of several images.

    Args:
        pictures: The images.
        look: Finds it; raises Unusable where an image is of no use.

    Raises:
        UserError: If images are of no use: one error for all, so that they can be mended in one go.
    """
    found, wrong = [], []
    for picture in pictures:
        try:
            found.append(look(picture))
        except Unusable as error:
            wrong.append(error)
    if len(wrong) == 1:
        raise wrong[0]
    if wrong:
        named = ", ".join(error.short for error in wrong[:NAMED])
        more = f", and {len(wrong) - NAMED} more" if len(wrong) > NAMED else ""
        raise UserError(
            f"{len(wrong)} images cannot be used: {named}{more}; mend, replace or remove them"
        )
    return found
