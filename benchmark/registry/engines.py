"""Engines by name, with their options. This module imports no torch."""

from __future__ import annotations

import importlib.util
import math
import shutil

from benchmark.errors import UserError, to_get, unknown
from benchmark.registry import spec
from benchmark.registry.spec import Spec

OPTIONS: dict[str, dict[str, type]] = {
    "local": {"timeout": float},
    "ray": {"address": str, "cpus": int, "gpus": float, "retries": int, "timeout": float},
    "slurm": {
        "account": str,
        "chunk": int,
        "cpus": int,
        "gpus": int,
        "memory": float,
        "minutes": int,
        "partition": str,
        "qos": str,
    },
}
"""Every engine with its options; ``docs/engines.md`` says what they mean."""

LOWEST = {"gpus": 0, "minutes": 3, "retries": 0}
"""The smallest value of options for which it is not 1.

SLURM tells an element of its time limit 90 seconds ahead, or up to a minute earlier: of a shorter one
it would be told before it has begun, and end without a result.
"""

PACKAGES = {"ray": "ray", "slurm": "submitit"}


def engine(text: str) -> Spec:
    """Returns the engine and options behind text like ``slurm:partition=gpu:chunk=4``.

    Raises:
        UserError: If there is no such engine or option, a value is wrong, or a package is missing.
    """
    address = text.removeprefix("ray:address=")
    _, colon, rest = address.partition(":")
    if address != text and colon and "=" not in rest.partition(":")[0]:
        raise UserError(
            f"--engine {text}: an address with a port goes into a variable: RAY_ADDRESS={address}"
        )
    chosen = spec.parse(text)
    name = chosen.name
    if name not in OPTIONS:
        raise UserError(unknown("engine", name, OPTIONS))
    for key, value in chosen.options.items():
        if key not in OPTIONS[name]:
            known = ", ".join(OPTIONS[name])
            raise UserError(f"--engine {text}: there is no option '{key}'; {name} takes: {known}")
        kind = OPTIONS[name][key]
        if kind is str:
            # As it was written: an account 00 is no 0.
            written = text.split(f":{key}=", 1)[1].partition(":")[0]
            if value == "":
                # An empty variable of a shell must not become the default.
                raise UserError(f"--engine {text}: {key} has no value; give one, or leave it out")
            chosen.options[key] = value if isinstance(value, str) else written
            continue
        given = isinstance(value, int if kind is int else int | float)
        if not given or isinstance(value, bool) or not LOWEST.get(key, 1) <= value < math.inf:
            what = "a whole number" if kind is int else "a number"
            raise UserError(
                f"--engine {text}: {key} must be {what} of {LOWEST.get(key, 1)} or more"
            )
    if name in PACKAGES and not _installed(PACKAGES[name]):
        raise UserError(f"--engine {name} needs the package {PACKAGES[name]}; {to_get(name)}")
    if name == "slurm" and shutil.which("sbatch") is None:
        raise UserError("--engine slurm: there is no sbatch here; run on a host that submits jobs")
    return chosen


def _installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ValueError:
        return False
