"""Importing networks that others trained: read safely, checked strictly, kept as safetensors.

What can be imported is listed in ``baselines.external``. Nothing is written before every file has
been read and checked. This module imports no torch.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baselines.external import KINDS, Kind, stored_name
from benchmark.checkpoints import bytes_of, opened
from benchmark.errors import UserError, unknown
from benchmark.registry.spec import Spec
from benchmark.store import IMPORTED, Store

if TYPE_CHECKING:
    from torch import Tensor, nn


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
    blobs = [bytes_of(file) for file in files]
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


def _converted(file: Path, blob: bytes, from_official: Any, kind: str) -> nn.Module:
    try:
        return from_official(opened(blob).state)
    except ValueError as error:
        raise UserError(f"{file} is not a file for {kind}: it {error}") from None


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
