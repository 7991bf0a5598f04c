"""The method of an entry, with the weights that it was handed in with.

Nothing an entry holds is run: it names its method, which must be one of this repository or of an
installed package, and its weights are read as tensors whose hash it states.
"""

from __future__ import annotations

import dataclasses
import hashlib
import http.client
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmark import tasks
from benchmark.build import build_method, create_method, load_states
from benchmark.control import Level, parse_level
from benchmark.data.sources import ImageSet, open_set
from benchmark.errors import JobError, UserError, one_line
from benchmark.leaderboard import check, folder, loaded, proof, weights
from benchmark.leaderboard import entry as entries
from benchmark.leaderboard.entry import Entry
from benchmark.leaderboard.faults import Fault
from benchmark.method import ControlMethod
from benchmark.planning.jobs import SweepJob
from benchmark.planning.keys import preset_of
from benchmark.registry.digest import digest
from benchmark.registry.discovery import find
from benchmark.registry.spec import parse
from benchmark.scoring.dialling import ESTIMATOR
from benchmark.store import Store

PATIENCE = 20
"""Seconds to wait for a server that holds weights."""
LARGEST, PIECE = 2**31, 2**20
"""Bytes of the largest weights that are fetched, and how many are read at a time."""


def training_set(about: Mapping[str, Any]) -> ImageSet | None:
    """Returns a set that an entry was trained on, or None if it is not here with the same images."""
    try:
        found = open_set(about["name"], "train", offline=True)
    except UserError:
        return None
    return found if found.digest == about["digest"] else None


def refuse(entry: Entry) -> None:
    """Refuses an entry whose method cannot be had here.

    Raises:
        UserError: If it is of another version of its task, or no code goes by the name of its method.
    """
    facts, task = entry.facts, tasks.get(entry.facts["task"])
    if facts["task_version"] != task.version:
        raise UserError(
            f"it is of version {facts['task_version']} of {task.name}, which is at "
            f"{task.version} here; use the release of dialbench that had it"
        )
    name = parse(facts["method"]).name
    try:
        find(name, ("method", "baseline"))
    except UserError as error:
        raise UserError(
            f"unknown method '{name}'; install the package that it comes from, or if it was only a file "
            "ask its author for a package ('dialbench new --package' writes one)"
        ) from error


def bare(entry: Entry, seed: int) -> ControlMethod:
    """Returns the method of an entry, on its backbone, without its weights.

    Raises:
        JobError: If it needs other weights than those that the entry has.
    """
    facts, task = entry.facts, entry.task
    method = build_method(create_method(facts["method"]), facts["backbone"], task, seed)
    stages = [one.name for one in method.stages(task)]
    stages += [ESTIMATOR] if task.dial == "estimate" else []
    there = [one["stage"] for one in facts["weights"] if one["seed"] == seed]
    if sorted(set(stages)) != sorted(there):
        raise JobError(
            f"its method has the stages {', '.join(stages) or 'none'}, but the entry has "
            f"weights of {', '.join(there) or 'none'}"
        )
    return method


class Entered:
    """The network that an entry holds, to be used outside of boards.

    Args:
        path: The entry's folder.
        seed: Which of its seeds; the first by default.
        offline: Whether downloads are forbidden.

    Raises:
        UserError: If the folder is no entry that the referee takes, or its network cannot be had here.
    """

    def __init__(self, path: Path, seed: int | None = None, offline: bool = False):
        self.path, self.entry = path, _read(path)
        self.name, self.offline = self.entry.id, offline
        seeds = self.entry.layout.seeds
        self.seed = seeds[0] if seed is None else seed
        if self.seed not in seeds:
            told = ", ".join(map(str, seeds))
            raise UserError(f"{self.name} has no network of seed {self.seed}; choose from: {told}")
        try:
            refuse(self.entry)
            for one in self._weights():
                _reachable(one, offline)
        except UserError as error:
            raise UserError(f"{self.name}: {error}") from error

    def _weights(self) -> list[Mapping[str, Any]]:
        return [one for one in self.entry.facts["weights"] if one["seed"] == self.seed]

    def method(self) -> ControlMethod:
        """Returns the method with its weights, in evaluation mode.

        Raises:
            UserError: If weights are not what their hash says.
            JobError: If they cannot be fetched, or do not fit.
        """
        from safetensors.torch import load

        try:
            found = bare(self.entry, self.seed)
            blobs = {
                one["stage"]: blob(self.path, one, offline=self.offline) for one in self._weights()
            }
            load_states(found, self.entry.task, {stage: load(one) for stage, one in blobs.items()})
        except (UserError, JobError) as error:
            raise type(error)(f"{self.name}: {error}") from error
        return found.eval().requires_grad_(False)

    def training(self) -> tuple[list[ImageSet], list[str]]:
        """Returns the sets that it was trained on, as far as they are here, and the names of the others."""
        here, away = [], []
        for about in self.entry.facts["training"]:
            found = training_set(about)
            if found is None:
                away.append(about["name"])
            else:
                here.append(found)
        return here, away

    def stage_keys(self) -> dict[str, str]:
        """Returns the keys that its weights have in a store, by their stages."""
        return {
            one["stage"]: digest(["entry", self.name, one["sha256"]]) for one in self._weights()
        }

    def keep(self, store: Store) -> None:
        """Puts its weights into a store, unless they are there.

        Raises:
            UserError: If weights are not what their hash says.
            JobError: If they cannot be fetched, or the disk is full.
        """
        from safetensors.torch import load

        facts, keys = self.entry.facts, self.stage_keys()
        job = {name: facts[name] for name in ("task", "method", "backbone")}
        job |= {"preset": dataclasses.asdict(preset_of(facts["preset"])), "seed": self.seed}
        # What training took is known of all stages together.
        steps = facts["budget"]["steps"]
        for one in self._weights():
            if store.read_stage(keys[one["stage"]]) is None:
                state = load(blob(self.path, one, offline=self.offline))
                about = {"entry": self.name, "job": job, "steps": steps}
                store.write_stage(keys[one["stage"]], state, about)
            steps = 0

    @property
    def levels(self) -> list[Level]:
        """The levels that it was scored at."""
        return [parse_level(one) for one in self.entry.layout.levels]

    def only_levels(self) -> tuple[Level, ...] | None:
        """Returns the only levels that it answers at, or None if it has all."""
        return bare(self.entry, self.seed).only_levels(self.entry.task)

    def job(self, levels: Sequence[Level], dataset: str = "") -> SweepJob:
        """Returns the sweep of the network at some levels, on a test set or on none."""
        facts, preset = self.entry.facts, preset_of(self.entry.facts["preset"])
        names = (facts["task"], facts["method"], None, facts["backbone"])
        own = (preset, self.seed, self.stage_keys())
        return SweepJob("", *names, *own, dataset, tuple(levels), self.offline)


def _reachable(about: Mapping[str, Any], offline: bool) -> None:
    """Refuses weights that are not published, or that would have to be fetched."""
    if not (about["file"] or about["url"]):
        raise UserError("its weights are not published; choose an entry with a folder weights/")
    if offline and not about["file"]:
        raise UserError(f"its weights are at {about['url']}; leave out --offline to fetch them")


def _read(path: Path) -> Entry:
    """Returns the entry in a folder, with its status.

    Raises:
        UserError: If it is none that the referee takes.
    """
    path = path.resolve()
    if not (path / entries.NAME).is_file():
        raise UserError(
            f"{path} has no {entries.NAME}; give the folder of an entry, like "
            "leaderboards/TASK/entries/ID"
        )
    try:
        one = entries.parse(folder.read(path / entries.NAME, folder.SIZES[entries.NAME]))
    except Fault as fault:
        raise UserError(f"{path}: {fault}") from None
    found = check.faults(path, one.facts["task"], path.name)
    # A record of a verification may be out of date, which makes no weights wrong.
    found = [told for told in found if not told.startswith(f"{proof.NAME}:")]
    if found:
        raise UserError(f"{path}: {'; '.join(found)}")
    return Entry(one.facts, loaded.status_known(path))


def blob(
    path: Path, about: Mapping[str, Any], held: Path | None = None, offline: bool = False
) -> bytes:
    """Returns the file of some weights of an entry, sure that it is what its hash says.

    Args:
        path: The entry's folder.
        about: What it says of them.
        held: A folder that holds weights as ``<sha256>.safetensors``, for entries without them.
        offline: Whether downloads are forbidden.

    Raises:
        UserError: If they are not here, or other ones.
        JobError: If they cannot be fetched.
    """
    name = f"{about['sha256']}.safetensors"
    if about["file"]:
        found = folder.read(path / about["file"], folder.WEIGHTS)
    elif held and (held / name).is_file():
        found = (held / name).read_bytes()
    elif about["url"] and not offline:
        found = _downloaded(about["url"], about["bytes"])
    else:
        raise UserError(f"the weights of {about['stage']} are not here; --weights takes {name}")
    if hashlib.sha256(found).hexdigest() != about["sha256"]:
        raise UserError(f"the weights of {about['stage']} are not what their hash says")
    try:
        weights.check_header(found, len(found), name)
    except Fault as fault:
        raise UserError(str(fault)) from None
    return found


class _Encrypted(urllib.request.HTTPRedirectHandler):
    """Follows a server to other encrypted addresses only."""

    def redirect_request(self, request, answer, code, message, headers, url):
        if not url.startswith("https://"):
            raise urllib.error.URLError(f"it leads on to {url}, which is not encrypted")
        return super().redirect_request(request, answer, code, message, headers, url)


def _downloaded(url: str, size: int) -> bytes:
    """Returns a file of known size from a server, reading no more than that.

    Raises:
        JobError: If it cannot be had.
    """
    if size > LARGEST:
        raise UserError(
            f"the weights at {url} have {size} bytes; more than {LARGEST} are not fetched"
        )
    try:
        with urllib.request.build_opener(_Encrypted).open(url, timeout=PATIENCE) as answer:
            found = bytearray()
            # Piece by piece: memory is taken for what comes, not for what was announced.
            while len(found) <= size and (piece := answer.read(min(PIECE, size + 1 - len(found)))):
                found += piece
            return bytes(found)
    except (http.client.HTTPException, OSError, ValueError) as error:
        # A server may say anything, to the terminal too.
        told = one_line(error).encode("unicode_escape").decode("ascii")
        raise JobError(f"the weights at {url} cannot be had: {told}") from None
