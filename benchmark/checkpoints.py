"""Files of state dicts as training codes write them: read safely, and given the same form again.

This module imports no torch until a file is read.
"""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmark.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

WRAPPERS = ("params_ema", "params", "state_dict", "model")
"""Names under which training codes keep the state dict; the first one found is taken."""

PARALLEL = "module."
"""What the names of a network begin with that was trained inside a wrapper for several GPUs."""


class Checkpoint(NamedTuple):
    """A state dict, and the form it had in its file.

    Args:
        state: Tensors by name, without ``module.``.
        names: Their names in the file.
        wrapper: The one of ``WRAPPERS`` that the file keeps them under, or an empty text.
        is_safetensors: Whether the file is one of safetensors, not of torch.
        framework: The one that a file of safetensors names, or an empty text: some codes read none
            without. The rest of what it says of itself is of these tensors alone.
    """

    state: dict[str, Tensor]
    names: dict[str, str]
    wrapper: str
    is_safetensors: bool
    framework: str

    def blob(self, state: Mapping[str, Tensor]) -> bytes:
        """Returns a file of this form with other tensors of the same names."""
        import torch
        from safetensors.torch import save

        named = {name: state[key].contiguous() for key, name in self.names.items()}
        if self.is_safetensors:
            return save(named, {"format": self.framework} if self.framework else None)
        stream = io.BytesIO()
        torch.save({self.wrapper: named} if self.wrapper else named, stream)
        return stream.getvalue()


def bytes_of(file: Path) -> bytes:
    """Returns what a file holds.

    Raises:
        UserError: If it cannot be read.
    """
    try:
        return file.read_bytes()
    except OSError as error:
        raise UserError(f"{file} cannot be read ({error.strerror}); check the path") from None


def opened(blob: bytes) -> Checkpoint:
    """Returns the state dict in a file of torch or safetensors; code in it is never run.

    Raises:
        ValueError: If there is none; the message goes on after "it".
    """
    import torch
    from safetensors.torch import load

    # A safetensors file begins with the length of its JSON.
    is_safetensors = blob[8:9] == b"{"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found: Any = (
                load(blob)
                if is_safetensors
                else torch.load(io.BytesIO(blob), weights_only=True, map_location="cpu")
            )
    except Exception:  # noqa: BLE001 - damaged files make it raise nearly anything
        raise ValueError("is damaged, or holds more than tensors") from None
    wrapper = ""
    for key in WRAPPERS:
        if isinstance(found, dict) and isinstance(found.get(key), dict):
            found, wrapper = found[key], key
            break
    if not isinstance(found, dict) or not found:
        raise ValueError("holds no state dict")
    for key, value in found.items():
        if not isinstance(key, str) or not isinstance(value, torch.Tensor):
            raise ValueError(f"holds '{key}', which is not a tensor")
        if value.is_meta or value.layout is not torch.strided:
            raise ValueError(f"holds '{key}' as a sparse tensor, or without its values")
    names = {key.removeprefix(PARALLEL): key for key in found}
    if len(names) < len(found):
        raise ValueError(
            f"holds tensors with and without '{PARALLEL}' before one name; keep one of them"
        )
    # Parameters would record what is computed from them.
    state = {key: found[name].detach() for key, name in names.items()}
    return Checkpoint(state, names, wrapper, is_safetensors, _framework(blob, is_safetensors))


def _framework(blob: bytes, is_safetensors: bool) -> str:
    if not is_safetensors:
        return ""
    header = json.loads(blob[8 : 8 + int.from_bytes(blob[:8], "little")])
    return header.get("__metadata__", {}).get("format", "")
