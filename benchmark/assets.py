"""Pretrained weights that some metrics and losses need: where they are, and whether they are right.

They are looked up in the folder DIALBENCH_WEIGHTS, then in torch's cache, then downloaded into
torch's cache (unless offline). A file counts only if the tensors in it that are used are the right
ones, so a full torchvision file and a features-only file are both accepted. This module imports
torch only when there is a file to verify, and never unpickles code.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import http.client
import os
import sys
import tempfile
import threading
import urllib.error
import urllib.parse
import urllib.request
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

PATIENCE = 5.0
"""Seconds to wait for a server before it counts as unreachable."""


@dataclass(frozen=True)
class Asset:
    """One set of pretrained tensors.

    Args:
        name: Name in ``ASSETS``.
        title: What it is, for messages.
        files: Known file names; the first one names the download.
        url: Where to get it.
        megabytes: Size of the download.
        prefix: The tensors used are those whose names begin with this.
        fingerprint: ``fingerprint`` of the tensors used, or None where the file itself is hashed.
        file_hash: Beginning of the SHA-256 of the whole file (torchvision writes it into the file
            name); looked at only if ``fingerprint`` is None.
        cache: Subfolder of torch's hub cache that downloads go to.
    """

    name: str
    title: str
    files: tuple[str, ...]
    url: str
    megabytes: int
    prefix: str = "features."
    fingerprint: str | None = None
    file_hash: str = ""
    cache: str = "checkpoints"


ASSETS: dict[str, Asset] = {
    asset.name: asset
    for asset in (
        Asset(
            "alexnet",
            "AlexNet weights",
            ("alexnet-owt-7be5be79.pth", "alexnet-owt-7be5be79_features.pth"),
            "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
            megabytes=233,
            fingerprint="ceb4ae875b20e1f88ff8f2ab97e24bf877f319013d399f9342b74776d67e76b2",
        ),
        Asset(
            "squeezenet1_1",
            "SqueezeNet 1.1 weights",
            ("squeezenet1_1-b8a52dc0.pth", "squeezenet1_1-b8a52dc0_features.pth"),
            "https://download.pytorch.org/models/squeezenet1_1-b8a52dc0.pth",
            megabytes=5,
            fingerprint="1627d7c1c774cb6036692ff9cb4d794b57bd39c27250050460d347021f9db251",
        ),
        Asset(
            "niqe",
            "NIQE model",
            ("niqe_modelparameters.mat", "modelparameters.mat"),
            "https://huggingface.co/chaofengc/IQA-PyTorch-Weights/resolve/main/"
            "niqe_modelparameters.mat",
            megabytes=1,
            prefix="",
            fingerprint="8815d7e099308267a64f24faf23012ff07f45cd708fbc8bebb91d6945834f132",
            cache="pyiqa",
        ),
        # Its tensors were not at hand to fingerprint: the whole file is checked against the hash in
        # its name, as torch.hub does, so only torchvision's own file is accepted.
        Asset(
            "vgg19",
            "VGG-19 weights",
            ("vgg19-dcbb9e9d.pth",),
            "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth",
            megabytes=548,
            file_hash="dcbb9e9d",
        ),
    )
}


@dataclass(frozen=True)
class State:
    """Where an asset stands.

    Args:
        status: ``found`` (and verified), ``downloadable`` (not here, not tried yet),
            ``unreachable`` (not here, and cannot be downloaded now) or ``wrong`` (a file of that
            name holds something else).
        reason: One sentence: what is missing and how to get it; empty if found. The same on every
            machine, because it is stored with results.
        path: The file that is found or wrong.
    """

    status: str
    reason: str = ""
    path: Path | None = None


def state(name: str, offline: bool = False) -> State:
    """Returns where an asset stands, without touching the network.

    Args:
        name: Name in ``ASSETS``.
        offline: Whether downloads are forbidden.
    """
    asset = ASSETS[name]
    how = f"put {asset.files[0]} ({asset.url}) into a folder and set DIALBENCH_WEIGHTS to it"
    wrong = None
    for path in _candidates(asset):
        problem = _problem_of(asset, path)
        if not problem:
            return State("found", path=path)
        wrong = wrong or State(
            "wrong", f"the file {path.name} {problem}; remove it and {how}", path
        )
    if wrong:
        return wrong
    if not offline and name not in _attempts:
        return State("downloadable", f"the {asset.title} must be downloaded first; run online")
    return State("unreachable", f"the {asset.title} cannot be had here; {how}")


def fetch(name: str, offline: bool = False) -> State:
    """Returns where an asset stands after downloading it if needed and possible.

    A download is tried once in a process; an unreachable server costs ``PATIENCE`` seconds. While
    ``as_they_are`` holds, none is.
    """
    found = state(name, offline)
    if found.status == "found" or offline or name in _attempts or _still:
        return found
    _attempts.add(name)
    _download(ASSETS[name])
    return state(name, offline)


@contextlib.contextmanager
def as_they_are() -> Iterator[None]:
    """Keeps assets as they are: nothing is downloaded, for verbs that only look."""
    _still.append(True)
    try:
        yield
    finally:
        _still.pop()


def close_hub(sets: Iterable[str]) -> None:
    """Keeps the hub's libraries from the network, if one of some sets is on the hub.

    Copies in their own cache still work. They read the variable when they are imported, which torch's
    companions may have done before anybody knows what is allowed; processes to come are told by it.
    """
    if not any(one.startswith("hub/") for one in sets):
        return
    os.environ["HF_HUB_OFFLINE"] = "1"
    for name in ("huggingface_hub.constants", "datasets.config"):
        if name in sys.modules:
            sys.modules[name].HF_HUB_OFFLINE = True  # type: ignore[attr-defined]


def can_load(name: str, offline: bool = False) -> bool:
    """Returns whether an asset is here, after a download if needed and possible."""
    return fetch(name, offline).status == "found"


def path(name: str, offline: bool = False) -> Path:
    """Returns the verified file of an asset.

    Raises:
        UserError: If it cannot be had; the message says how to get it.
    """
    found = fetch(name, offline)
    if found.status != "found" or found.path is None:
        raise UserError(found.reason)
    return found.path


def load(name: str, offline: bool = False) -> dict[str, Tensor]:
    """Returns the tensors of an asset that are used, verified, by their names in the file.

    Raises:
        UserError: If the asset cannot be had; the message says how to get it.
    """
    return _read(ASSETS[name], path(name, offline))


def fingerprint(tensors: Mapping[str, Any]) -> str:
    """Returns the SHA-256 over name, dtype, shape and bytes of arrays or CPU tensors, by name."""
    import numpy as np

    digest = hashlib.sha256()
    for name in sorted(tensors):
        array = np.ascontiguousarray(tensors[name])
        digest.update(f"{name} {array.dtype} {array.shape} ".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


_still: list[bool] = []
"""Not empty while downloads are held back."""

_attempts: set[str] = set()
"""Assets whose download was tried in this process."""


def _cache() -> Path:
    """Returns torch's hub cache, as ``torch.hub.get_dir`` does, without importing torch."""
    home = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    return Path(os.environ.get("TORCH_HOME", os.path.join(home, "torch"))).expanduser() / "hub"


def _candidates(asset: Asset) -> list[Path]:
    folders = [_cache() / "checkpoints", _cache() / asset.cache]
    if own := os.environ.get("DIALBENCH_WEIGHTS"):
        folders = [Path(own).expanduser(), Path(own).expanduser() / asset.name, *folders]
    paths = dict.fromkeys(folder / file for folder in folders for file in asset.files)
    return [path for path in paths if path.is_file()]


def _problem_of(asset: Asset, path: Path) -> str:
    """Returns what is wrong with a file, or an empty string."""
    try:
        facts = path.stat()
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return _problem(asset, path, facts.st_size, facts.st_mtime_ns)


@functools.cache
def _problem(asset: Asset, path: Path, size: int, changed: int) -> str:
    """As ``_problem_of``, remembered until the file changes."""
    try:
        if asset.fingerprint is None:
            with path.open("rb") as file:
                file_hash = hashlib.file_digest(file, "sha256").hexdigest()
            if not file_hash.startswith(asset.file_hash):
                return "is cut off or altered (its SHA-256 is not the one in its name)"
        tensors = _read(asset, path)
        if asset.fingerprint not in (None, fingerprint(tensors)):
            return f"does not hold the {asset.title}"
    except OSError as error:
        return f"cannot be read ({error.strerror or error})"
    except Exception:  # noqa: BLE001 - whatever a hostile or broken file makes the readers raise
        return "is damaged or not a weights file"
    return ""


def _read(asset: Asset, path: Path) -> dict[str, Any]:
    """Returns the tensors used, unverified; only plain tensors and arrays are ever read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if path.suffix == ".mat":
            from scipy.io import loadmat

            content = {k: v for k, v in loadmat(path).items() if not k.startswith("__")}
        else:
            import torch

            content = torch.load(path, map_location="cpu", weights_only=True)
    return {k: v for k, v in content.items() if k.startswith(asset.prefix)}


def unreachable(url: str) -> str:
    """Returns why the server of ``url`` cannot be reached, or an empty string if it can.

    It is asked once a process, for at most ``PATIENCE`` seconds.
    """
    return _unreachable("{0.scheme}://{0.netloc}/".format(urllib.parse.urlsplit(url)))


@functools.cache
def _unreachable(root: str) -> str:
    answer = ["no answer"]

    def ask() -> None:
        try:
            urllib.request.urlopen(root, timeout=PATIENCE).close()
            answer[0] = ""
        except urllib.error.HTTPError:
            answer[0] = ""
        except (OSError, ValueError, http.client.HTTPException) as error:
            answer[0] = str(getattr(error, "reason", error))

    # In a thread, because looking up a host name has no timeout of its own.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    return answer[0]


def _download(asset: Asset) -> None:
    """Downloads an asset into torch's cache; what fails leaves nothing there."""
    if unreachable(asset.url):
        return
    print(f"downloading {asset.title}, {asset.megabytes} MB", file=sys.stderr)
    folder = _cache() / asset.cache
    temporary = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        suffix = Path(asset.files[0]).suffix
        with (
            tempfile.NamedTemporaryFile(dir=folder, suffix=suffix, delete=False) as file,
            urllib.request.urlopen(asset.url, timeout=PATIENCE) as response,
        ):
            temporary = Path(file.name)
            while block := response.read(1 << 20):
                file.write(block)
        if not _problem_of(asset, temporary):
            os.replace(temporary, folder / asset.files[0])
    except (OSError, ValueError, http.client.HTTPException):
        return
    finally:
        if temporary:
            temporary.unlink(missing_ok=True)
