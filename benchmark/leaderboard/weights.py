"""Weights files: safetensors, whose header is read within bounds and whose tensors are never loaded."""

from __future__ import annotations

import hashlib
import math
import re
from pathlib import Path
from typing import Any

from benchmark.leaderboard import schema
from benchmark.leaderboard.faults import Fault, shown

HEADER = 1 << 20
"""Bytes that a header may have."""
BYTES = {"F16": 2, "BF16": 2, "F32": 4, "F64": 8, "C64": 8}
BYTES |= {"I8": 1, "I16": 2, "I32": 4, "I64": 8, "U8": 1, "BOOL": 1}
PICKLES = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK\x03\x04")
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.]{0,200}")


def check_file(path: Path, name: str, sha256: str, size: int) -> None:
    """Raises ``Fault`` unless a file is the safetensors file that an entry speaks of.

    Args:
        path: The file; its size is known to be within limits.
        name: What faults call it.
        sha256: What its bytes hash to.
        size: Its bytes.
    """
    actual = path.stat().st_size
    with open(path, "rb") as file:
        start = file.read(8 + HEADER)
        check_header(start, actual, name)
        file.seek(0)
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256 or actual != size:
        raise Fault(f"{name}: not what its hash says (it is {found[:12]}..., {actual} bytes)")


def check_header(start: bytes, size: int, name: str) -> None:
    """Raises ``Fault`` unless a file begins as a safetensors file of its size must.

    Args:
        start: The first bytes, at least the header if there is one.
        size: Bytes in the file.
        name: What faults call it.
    """
    # The length of a header may begin like a pickle (0x280 bytes), but only JSON goes on with a brace.
    if start.startswith(PICKLES) and start[8:9] != b"{":
        raise Fault(f"{name}: a pickle (or PyTorch file), which is never opened; give safetensors")
    length = int.from_bytes(start[:8], "little")
    if len(start) < 8 or not 2 <= length <= HEADER or 8 + length > size:
        raise Fault(f"{name}: not a safetensors file")
    header = schema.parsed(start[8 : 8 + length], f"{name}, header")
    if type(header) is not dict:
        raise Fault(f"{name}: not a safetensors file")
    notes = header.pop("__metadata__", None)
    if notes not in (None, {}, {"format": "pt"}):
        raise Fault(f"{name}: text in its metadata: {shown(notes)}")
    spans = sorted(_span(key, about, name) for key, about in header.items())
    at = 0
    for begin, end in spans:
        if begin != at:
            raise Fault(f"{name}: tensors overlap or leave gaps")
        at = end
    if at != size - 8 - length:
        raise Fault(f"{name}: tensors fill {at} of {size - 8 - length} bytes")


def _span(key: str, about: Any, name: str) -> tuple[int, int]:
    """Returns where a tensor begins and ends."""
    if NAME.fullmatch(key) is None:
        raise Fault(f"{name}: '{shown(key)}' is no name of a tensor")
    if type(about) is not dict or set(about) != {"dtype", "shape", "data_offsets"}:
        raise Fault(f"{name}: tensor {key} is not described as it must be")
    shape, offsets = about["shape"], about["data_offsets"]
    whole = all(
        type(part) is list
        and len(part) <= 8
        and all(type(n) is int and 0 <= n < 2**40 for n in part)
        for part in (shape, offsets)
    )
    if not whole or len(offsets) != 2 or type(about["dtype"]) is not str:
        raise Fault(f"{name}: tensor {key} is not described as it must be")
    width = BYTES.get(about["dtype"])
    if width is None:
        raise Fault(f"{name}: tensor {key} holds {shown(about['dtype'])}, not {', '.join(BYTES)}")
    # An empty tensor too: readers multiply its sides from the left, and overflow before they meet the 0.
    if math.prod(side for side in shape if side) >= 2**60:
        raise Fault(f"{name}: tensor {key} is too large")
    if math.prod(shape) * width != offsets[1] - offsets[0]:
        raise Fault(f"{name}: tensor {key} has not the size of its shape")
    return offsets[0], offsets[1]
