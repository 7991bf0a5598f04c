"""The weights resolver: right, wrong, hostile, missing and downloadable files."""

import hashlib
import http.server
import io
import os
import pickle
import socket
import threading
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import savemat

from benchmark import assets
from benchmark.assets import Asset
from benchmark.errors import UserError

TENSORS = {"features.0.weight": torch.arange(6.0).reshape(2, 3), "features.0.bias": torch.ones(2)}
ARRAYS = {"mu_prisparam": np.arange(3.0)[None], "cov_prisparam": np.eye(3)}
FILE = "tiny-1234.pth"


def packed(content) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


class Bomb:
    """Creates a folder when unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.fixture
def tiny(monkeypatch, tmp_path) -> Path:
    """Plants an asset 'tiny' and empty folders; returns the folder DIALBENCH_WEIGHTS."""
    own = tmp_path / "own"
    own.mkdir()
    monkeypatch.setenv("DIALBENCH_WEIGHTS", str(own))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(assets, "_attempts", set())
    monkeypatch.setattr(assets, "PATIENCE", 0.4)
    assets._unreachable.cache_clear()
    plant(monkeypatch, "http://127.0.0.1:9/tiny-1234.pth")
    return own


def plant(monkeypatch, url, **changes):
    facts = {"fingerprint": assets.fingerprint(TENSORS), **changes}
    asset = Asset("tiny", "tiny weights", (FILE, "tiny_features.pth"), url, 1, **facts)
    monkeypatch.setitem(assets.ASSETS, "tiny", asset)


@pytest.fixture
def serve():
    """Starts local servers that answer with given bytes and remember what they were asked."""
    servers = []

    def start(body: bytes, announced: int | None = None):
        class Handler(http.server.BaseHTTPRequestHandler):
            asked = []

            def do_GET(self):
                self.asked.append(self.path)
                self.send_response(200 if self.path != "/" else 404)
                self.send_header("Content-Length", str(announced or len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/{FILE}", Handler.asked

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_fingerprint_depends_on_names_dtypes_shapes_and_values_but_not_on_order():
    base = assets.fingerprint(TENSORS)
    assert assets.fingerprint(dict(reversed(TENSORS.items()))) == base
    weight = TENSORS["features.0.weight"]
    for changed in (weight.reshape(3, 2), weight.double(), weight + 1e-6):
        assert assets.fingerprint(TENSORS | {"features.0.weight": changed}) != base
    assert assets.fingerprint({"other": weight}) != assets.fingerprint({"features": weight})


@pytest.mark.parametrize("name", [FILE, "tiny_features.pth", "tiny/tiny-1234.pth"])
def test_known_names_are_found_in_the_folder_and_its_subfolder(tiny, name):
    (tiny / name).parent.mkdir(exist_ok=True)
    (tiny / name).write_bytes(packed(TENSORS))
    assert assets.state("tiny", offline=True) == assets.State("found", path=tiny / name)
    assert all(torch.equal(assets.load("tiny")[key], TENSORS[key]) for key in TENSORS)


def test_a_full_file_and_a_features_only_file_are_the_same(tiny):
    full = TENSORS | {"classifier.1.weight": torch.ones(4)}
    (tiny / FILE).write_bytes(packed(full))
    assert assets.load("tiny", offline=True).keys() == TENSORS.keys()


def test_the_old_torch_format_is_read_too(tiny):
    torch.save(TENSORS, tiny / FILE, _use_new_zipfile_serialization=False)
    assert assets.can_load("tiny", offline=True)


def test_torchs_cache_is_looked_at_after_the_own_folder(tiny, monkeypatch, tmp_path):
    cached = tmp_path / "torch" / "hub" / "checkpoints" / FILE
    cached.parent.mkdir(parents=True)
    cached.write_bytes(packed(TENSORS))
    assert assets.path("tiny", offline=True) == cached
    (tiny / FILE).write_bytes(b"broken")
    assert assets.path("tiny", offline=True) == cached
    (tiny / FILE).write_bytes(packed(TENSORS))
    assert assets.path("tiny", offline=True) == tiny / FILE
    monkeypatch.delenv("DIALBENCH_WEIGHTS")
    assert assets.path("tiny", offline=True) == cached


def test_the_cache_is_where_torch_has_it(monkeypatch, tmp_path):
    monkeypatch.delenv("TORCH_HOME", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert str(assets._cache()) == torch.hub.get_dir()
    for variable in ("XDG_CACHE_HOME", "TORCH_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
        assert str(assets._cache()) == torch.hub.get_dir()


def test_hostile_and_broken_files_are_wrong_and_never_run(tiny, tmp_path):
    trap = tmp_path / "trap"
    good = packed(TENSORS)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("archive/data.pkl", pickle.dumps(Bomb(trap), 2))
        file.writestr("archive/version", "3\n")
    contents = {
        "a plain pickle that runs code": pickle.dumps(Bomb(trap)),
        "an archive that runs code": archive.getvalue(),
        "a torch file that runs code": packed({"features.0.weight": Bomb(trap)}),
        "cut off": good[: len(good) // 2],
        "a web page": b"<!DOCTYPE html><html>Sign in to this network</html>",
        "empty": b"",
        "no tensors": packed(["features.0.weight"]),
        "no names": packed({0: torch.ones(2)}),
        "text for tensors": packed({"features.0.weight": "hello"}),
        "other values": packed(TENSORS | {"features.0.bias": torch.zeros(2)}),
        "one missing": packed({"features.0.bias": torch.ones(2)}),
        "one too many": packed(TENSORS | {"features.9.bias": torch.ones(2)}),
        "half precision": packed({key: value.bfloat16() for key, value in TENSORS.items()}),
    }
    for what, content in contents.items():
        (tiny / FILE).write_bytes(content)
        found = assets.state("tiny", offline=True)
        assert found.status == "wrong", what
        assert found.reason.startswith(f"the file {FILE} ") and "DIALBENCH_WEIGHTS" in found.reason
        assert str(tiny) not in found.reason and found.path == tiny / FILE
        with pytest.raises(UserError, match="remove it and put"):
            assets.load("tiny", offline=True)
        assert not trap.exists(), what


def test_a_file_that_is_put_right_is_found_in_the_same_process(tiny):
    (tiny / FILE).write_bytes(b"broken")
    assert assets.state("tiny").status == "wrong"
    (tiny / FILE).write_bytes(packed(TENSORS))
    assert assets.state("tiny").status == "found"


def test_a_folder_or_unreadable_link_of_that_name_is_no_file(tiny):
    (tiny / FILE).mkdir()
    (tiny / "tiny_features.pth").symlink_to(tiny / "nowhere")
    assert assets.state("tiny", offline=True).status == "unreachable"


def test_a_file_without_fingerprint_is_checked_by_its_hash(tiny, monkeypatch):
    content = packed(TENSORS)
    beginning = hashlib.sha256(content).hexdigest()[:8]
    plant(monkeypatch, "http://127.0.0.1:9/x", fingerprint=None, file_hash=beginning)
    (tiny / FILE).write_bytes(content)
    assert assets.state("tiny", offline=True).status == "found"
    (tiny / FILE).write_bytes(content[:-1] + b"!")
    assert "SHA-256" in assets.state("tiny", offline=True).reason


def test_matlab_files_are_read_and_broken_ones_are_wrong(tiny, monkeypatch):
    mat = Asset("tiny", "t", ("m.mat",), "http://x", 1, "", assets.fingerprint(ARRAYS))
    monkeypatch.setitem(assets.ASSETS, "tiny", mat)
    savemat(tiny / "m.mat", ARRAYS)
    assert assets.state("tiny", offline=True).status == "found"
    content = (tiny / "m.mat").read_bytes()
    for broken in (content[:100], b"<html>", content[:-40], content.replace(b"mu_", b"nu_")):
        (tiny / "m.mat").write_bytes(broken)
        assert assets.state("tiny", offline=True).status == "wrong"


def test_offline_nothing_is_tried(tiny, serve, monkeypatch):
    url, asked = serve(packed(TENSORS))
    plant(monkeypatch, url)
    found = assets.fetch("tiny", offline=True)
    assert found.status == "unreachable" and url in found.reason and not asked
    assert assets.state("tiny").status == "downloadable" and not asked


def test_a_download_is_verified_and_lands_whole_in_torchs_cache(tiny, serve, monkeypatch, tmp_path):
    url, _ = serve(packed(TENSORS))
    plant(monkeypatch, url)
    assert assets.load("tiny").keys() == TENSORS.keys()
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    assert [file.name for file in folder.iterdir()] == [FILE]
    assert assets.path("tiny", offline=True) == folder / FILE


def test_a_download_mends_a_wrong_file_in_the_cache(tiny, serve, monkeypatch, tmp_path):
    cached = tmp_path / "torch" / "hub" / "checkpoints" / FILE
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"cut off")
    plant(monkeypatch, serve(packed(TENSORS))[0])
    assert assets.can_load("tiny")


@pytest.mark.parametrize("case", ["page", "short"])
def test_a_bad_download_leaves_nothing_behind(case, tiny, serve, monkeypatch, tmp_path):
    good = packed(TENSORS)
    body = b"<html>Sign in</html>" if case == "page" else good[:-200]
    url, asked = serve(body, None if case == "page" else len(good))
    plant(monkeypatch, url)
    found = assets.fetch("tiny")
    assert found.status == "unreachable" and asked
    assert list((tmp_path / "torch" / "hub" / "checkpoints").iterdir()) == []
    tried = len(asked)
    assert assets.fetch("tiny") == found and len(asked) == tried


def test_a_server_that_never_answers_costs_seconds_once(tiny, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        plant(monkeypatch, f"http://127.0.0.1:{silent.getsockname()[1]}/{FILE}")
        began = time.monotonic()
        assert assets.fetch("tiny").status == "unreachable"
        assert time.monotonic() - began < 3
        began = time.monotonic()
        assert not assets.can_load("tiny")
        assert time.monotonic() - began < 0.1


def test_a_name_lookup_that_hangs_is_given_up(tiny, monkeypatch):
    release = threading.Event()
    monkeypatch.setattr(
        assets.urllib.request, "urlopen", lambda *a, **k: release.wait(5) and io.BytesIO()
    )
    began = time.monotonic()
    assert assets.fetch("tiny").status == "unreachable"
    assert time.monotonic() - began < 3
    assert assets.unreachable(assets.ASSETS["tiny"].url) == "no answer"
    release.set()


def test_an_unwritable_cache_is_a_reason_and_no_crash(tiny, serve, monkeypatch, tmp_path):
    (tmp_path / "torch").write_text("a file where the folder should be")
    plant(monkeypatch, serve(packed(TENSORS))[0])
    assert assets.fetch("tiny").status == "unreachable"


def test_reasons_are_the_same_sentence_on_every_machine(tiny):
    offline = assets.fetch("tiny", offline=True)
    online = assets.fetch("tiny")
    assert offline.reason == online.reason


@pytest.mark.parametrize("name", ["alexnet", "squeezenet1_1", "niqe"])
def test_the_real_weights_are_recognised(name):
    if not os.environ.get("DIALBENCH_WEIGHTS"):
        pytest.skip("DIALBENCH_WEIGHTS is not set")
    assert assets.state(name, offline=True).status == "found"
