"""Says in one screen whether this machine can run dialbench, and what is missing for all of it."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
import re
import shlex
from pathlib import Path
from urllib.parse import urlsplit

import benchmark
from benchmark import assets
from benchmark.amount import amount
from benchmark.errors import UserError, in_own_folder
from benchmark.metrics.records import METRICS
from benchmark.records import folder_in

COMPROMISED = {("lightning", "2.6.2"), ("lightning", "2.6.3")}
STRAYS = ("build", "docs", "options", "tests")


def report(offline: bool = False) -> list[str]:
    """Returns the findings, one line each: ``ok``, ``note``, ``miss`` or ``BAD``, then the fact.

    Args:
        offline: Whether the network is left alone. Nothing is downloaded in either case.
    """
    system = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    lines = [_line("ok", f"dialbench {benchmark.__version__}"), _line("ok", f"python {system}")]
    lines += [
        *_packages(),
        *_known_trouble(),
        *_torch(),
        *_codec(),
        _machine(),
        *_data(),
        *_weights(offline),
    ]
    return lines


def main(offline: bool = False) -> int:
    """Prints the findings; returns 1 if one of them is ``BAD``, else 0."""
    lines = report(offline)
    print("\n".join(lines))
    return int(any(line.startswith("BAD") for line in lines))


def _line(verdict: str, fact: str) -> str:
    return f"{verdict:<4}  {fact}"


def _packages() -> list[str]:
    """Returns a line for each package that dialbench requires, as its installation says."""
    try:
        required = importlib.metadata.requires("dialbench") or []
    except importlib.metadata.PackageNotFoundError:
        return [
            _line(
                "miss",
                "dialbench is not installed, so what it needs is not known; run make setup in its folder",
            )
        ]
    # What an extra needs ends in its name, and is no must.
    found = [re.match(r"([\w.-]+)>=([\d.]+)$", one) for one in required]
    return [_package(one[1], one[2]) for one in found if one]


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _numbers(version: str) -> tuple[int, ...]:
    parts = version.partition("+")[0].split(".")
    return tuple(int(part) for part in parts if part.isdigit())


def _package(name: str, lowest: str) -> str:
    version = _version(name)
    if version is None:
        return _line("miss", f"{name} is not installed; {_to_get(f'{name}>={lowest}')}")
    if (name, version) in COMPROMISED:
        return _line(
            "BAD", f"{name} {version} was compromised on the package index; replace it now"
        )
    if _numbers(version) < _numbers(lowest):
        return _line(
            "BAD", f"{name} {version} is older than {lowest}; {_to_get(f'{name}>={lowest}')}"
        )
    return _line("ok", f"{name} {version}")


def _to_get(*packages: str) -> str:
    if in_own_folder():
        return "run make setup"
    return f"run: pip install {' '.join(map(shlex.quote, packages))}"


def _known_trouble() -> list[str]:
    """Returns notes on what is known to go wrong with the installed packages."""
    lines = []
    if _version("opencv-python") and _version("opencv-python-headless"):
        lines.append(_line("note", "two OpenCV builds are installed (pyiqa brings both)"))
    if _version("pyiqa"):
        files = importlib.metadata.files("pyiqa") or []
        strays = sorted({file.parts[0] for file in files} & set(STRAYS))
        if strays:
            strays_text = ", ".join(strays)
            lines.append(
                _line(
                    "note", f"pyiqa also installs packages named {strays_text}; never import those"
                )
            )
        lines.append(
            _line(
                "note",
                "pyiqa, which only tests and make perf import, is licensed for non-commercial use only",
            )
        )
    return lines


def _torch() -> list[str]:
    lines = []
    for name in ("torch", "torchvision"):
        try:
            importlib.import_module(name)
        except Exception as error:  # noqa: BLE001 - a broken pair of builds raises anything
            text = str(error).splitlines()[0] if str(error) else type(error).__name__
            remedy = _to_get("torch", "torchvision", "--force-reinstall")
            lines.append(_line("BAD", f"{name} does not import ({text}); {remedy}"))
    if lines:
        return lines
    import torch

    if not torch.cuda.is_available():
        return [_line("ok", "no GPU: presets smoke and laptop are made for that")]
    for index in range(torch.cuda.device_count()):
        facts = torch.cuda.get_device_properties(index)
        lines.append(
            _line("ok", f"GPU {index}: {facts.name}, {facts.total_memory / 2**30:.0f} GiB")
        )
    return lines


def _codec() -> list[str]:
    """Returns what JPEG tasks compress with: entries whose digests of a task differ may differ in it."""
    try:
        from PIL import features

        from benchmark.degradations.jpeg import codec

        turbo, plain = features.version("libjpeg_turbo"), features.version("jpg")
        name = f"libjpeg-turbo {turbo}" if turbo else f"libjpeg {plain}"
        return [_line("ok", f"JPEG by {name}, check sum {codec()}")]
    except ImportError:
        # Said of the package already.
        return []


def _machine() -> str:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return _line("ok", f"{amount(cores or 1, 'core')}, {_memory()} memory")


def _memory() -> str:
    """Returns the memory this process may use, where the system says."""
    limits = []
    try:
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
        limits.append(int(Path("/sys/fs/cgroup/memory.max").read_text()))
    except (OSError, ValueError, AttributeError):
        pass
    return f"{min(limits) / 2**30:.1f} GiB" if limits else "unknown"


def _data() -> list[str]:
    try:
        from benchmark.data import sources
    except ImportError as error:
        return [_line("BAD", f"image sets cannot be looked at ({error})")]
    try:
        found = {split: sources.set_names(split) for split in sources.SPLITS}
    except UserError as error:
        return [_line("BAD", str(error))]
    if not os.environ.get("DIALBENCH_DATA"):
        return [_line("note", "DIALBENCH_DATA is not set: only the built-in images are used")]
    lines = []
    for split, names in found.items():
        local = [name for name in names if name != "builtin" and name not in sources.HUB]
        sets = ", ".join(local) if local else "none"
        lines.append(_line("ok" if local else "note", f"{split} sets in DIALBENCH_DATA: {sets}"))
    return lines


def _weights(offline: bool) -> list[str]:
    unset = _line("note", "DIALBENCH_WEIGHTS is not set: torch's cache is looked at")
    try:
        lines = [] if folder_in("DIALBENCH_WEIGHTS") else [unset]
    except UserError as error:
        lines = [_line("BAD", str(error))]
    closed: dict[str, str] = {}
    for name, asset in assets.ASSETS.items():
        served = [metric.label for metric in METRICS.values() if metric.asset == name]
        title = ", ".join(served) or "perceptual loss"
        found = assets.state(name, offline)
        if found.status == "downloadable" and (problem := assets.unreachable(asset.url)):
            closed[urlsplit(asset.url).netloc] = problem
            found = assets.state(name, offline=True)
        if found.status == "found":
            lines.append(_line("ok", f"{title}: {asset.title} in {found.path}"))
        elif found.status == "wrong":
            lines.append(_line("BAD", f"{title}: {found.reason} ({found.path})"))
        elif found.status == "downloadable":
            lines.append(
                _line(
                    "miss", f"{title}: {asset.title}, {asset.megabytes} MB, downloaded when needed"
                )
            )
        else:
            lines.append(_line("miss", f"{title}: {found.reason}"))
    return lines + [_line("note", f"{host}: no connection ({why})") for host, why in closed.items()]
