"""Importing networks that others trained: read safely, checked strictly, kept as safetensors.

What can be imported is listed in ``baselines.external``. Nothing is written before every file has
been read and checked. This module imports no torch.
"""

from __future__ import annotations

import hashlib
import importlib
import io
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baselines.external import KINDS, Kind, stored_name
from benchmark.errors import UserError, unknown
from benchmark.registry.spec import Spec
from benchmark.store import IMPORTED, Store

if TYPE_CHECKING:
    from torch import Tensor, nn

WRAPPERS = ("params_ema", "params", "state_dict", "model")
"""Names under which training codes keep the state dict; the first one found is taken."""


def run(kind: str, files: Sequence[Path], options: Mapping[str, float], store: Store) -> str:
    """Imports a network and returns what was done, in two lines.

    Args:
        kind: A key of ``baselines.external.KINDS``.
        files: The authors' files, one for each of the kind's.
        options: What the user states about the network, such as its sigma.
        store: Where it is kept, under ``imported/``.

    Raises:
        UserError: If the kind, the number of files or an option is wrong, or a file is not what it
            should be.
    """
    if kind not in KINDS:
        raise UserError(unknown("kind of network", kind, KINDS))
    about = KINDS[kind]
    _check(kind, about, files, options)
    module = importlib.import_module(f"baselines.external.{about.module}")
    blobs = [_bytes(file) for file in files]
    networks = [
        _converted(file, blob, module.from_official, kind)
        for file, blob in zip(files, blobs, strict=True)
    ]
    state = _together(about, networks)
    chosen = {key: options.get(key, getattr(networks[0], key, 0)) for key in about.options}
    name = stored_name(about.method, *chosen.values())
    facts = {
        "kind": kind,
        "origin": about.origin,
        "licence": about.licence,
        "options": chosen,
        "files": [
            {"role": role, "name": file.name, "sha256": hashlib.sha256(blob).hexdigest()}
            for role, file, blob in zip(about.files, files, blobs, strict=True)
        ],
        "parameters": sum(tensor.numel() for tensor in state.values()),
        "steps": 0,
    }
    store.write_stage(IMPORTED + name, state, facts)
    return f"imported {about.origin}: {facts['parameters']:,} parameters\n{_next(about, chosen)}"


def _check(kind: str, about: Kind, files: Sequence[Path], options: Mapping[str, float]) -> None:
    usage = " ".join([kind, *about.files, *(f"--{key} N" for key in about.given)])
    if len(files) != len(about.files):
        raise UserError(f"{kind} does not take {len(files)} file(s): dialbench import {usage}")
    if set(options) != set(about.given):
        wrong = sorted(set(options) ^ set(about.given))[0]
        text = "needs" if wrong in about.given else "takes no"
        raise UserError(f"{kind} {text} --{wrong}: dialbench import {usage}")
    for key, value in options.items():
        if not 0 < value < float("inf"):
            raise UserError(f"--{key} {value:g}: give a positive number")


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UserError(f"{file} cannot be read ({error.strerror}); check the path") from None


def _converted(file: Path, blob: bytes, from_official: Any, kind: str) -> nn.Module:
    try:
        return from_official(_tensors(blob))
    except ValueError as error:
        raise UserError(f"{file} is not a file for {kind}: it {error}") from None


def _tensors(blob: bytes) -> dict[str, Tensor]:
    """Returns the state dict in a checkpoint of torch or safetensors; code in it is never run.

    Raises:
        ValueError: If there is none; the message goes on after "it".
    """
    import torch
    from safetensors.torch import load

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # A safetensors file begins with the length of its JSON.
            found: Any = (
                load(blob)
                if blob[8:9] == b"{"
                else torch.load(io.BytesIO(blob), weights_only=True, map_location="cpu")
            )
    except Exception:  # noqa: BLE001 - damaged files make it raise nearly anything
        raise ValueError("is damaged, or holds more than tensors") from None
    for key in WRAPPERS:
        if isinstance(found, dict) and isinstance(found.get(key), dict):
            found = found[key]
            break
    if not isinstance(found, dict) or not found:
        raise ValueError("holds no state dict")
    for key, value in found.items():
        if not isinstance(key, str) or not isinstance(value, torch.Tensor):
            raise ValueError(f"holds '{key}', which is not a tensor")
        if value.is_meta or value.layout is not torch.strided:
            raise ValueError(f"holds '{key}' as a sparse tensor, or without its values")
    state = {key.removeprefix("module."): value for key, value in found.items()}
    if len(state) < len(found):
        raise ValueError(
            "holds tensors with and without 'module.' before one name; keep one of them"
        )
    return state


def _together(about: Kind, networks: Sequence[nn.Module]) -> dict[str, Tensor]:
    """Returns the state of the method, of which each network becomes a part.

    Raises:
        UserError: If the networks are not alike.
    """
    states = [network.state_dict() for network in networks]
    shapes = [{key: value.shape for key, value in state.items()} for state in states]
    if any(one != shapes[0] for one in shapes):
        raise UserError(f"{' and '.join(about.files)} are networks of different sizes; pair others")
    return {
        f"{part}.{key}" if part else key: value
        for part, state in zip(about.parts, states, strict=True)
        for key, value in state.items()
    }


def missing(kind: str, store: Store) -> str | None:
    """Returns what is to be done before a network of a kind can be used, or None if it is there."""
    there = store.read_stage(IMPORTED + KINDS[kind].method) is not None
    files = " ".join(KINDS[kind].files)
    return None if there else f"not imported: run 'dialbench import {kind} {files}'"


def _next(about: Kind, chosen: Mapping[str, float]) -> str:
    """Returns how to use what was imported."""
    if not about.task:
        return "it is used by what has to estimate a noise level"
    changed = {key: value for key, value in chosen.items() if value != about.options[key]}
    spec = Spec(about.method, changed)
    return f"run it with: dialbench run {about.task} --methods {spec}"
