"""Networks of entries, opened for use; and fetching their weights from a server that nobody knows."""

import json
import os
import shutil
import socket
import threading
import urllib.request
from pathlib import Path

import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from benchmark import assets, cli
from benchmark.data.sources import open_set
from benchmark.errors import JobError, UserError
from benchmark.leaderboard import card, entered, entry, schema
from benchmark.leaderboard.entry import Entry
from benchmark.opened import open_entry, open_method
from benchmark.registry.digest import ROOT


def test_what_a_server_announces_takes_no_memory():
    with pytest.raises(UserError, match="more than 2147483648 are not fetched"):
        entered._downloaded("https://nowhere.invalid/x.safetensors", 10**15)


def test_a_server_may_lead_on_to_encrypted_addresses_only(monkeypatch):
    handler = entered._Encrypted()
    request = urllib.request.Request("https://nowhere.invalid/x.safetensors")
    onward = handler.redirect_request(request, None, 302, "", {}, "https://other.invalid/x")
    assert onward.full_url == "https://other.invalid/x"
    with pytest.raises(urllib.error.URLError, match="not encrypted"):
        handler.redirect_request(request, None, 302, "", {}, "http://169.254.169.254/x")


@pytest.mark.parametrize("size", [0, 5, 100])
def test_no_more_is_read_than_was_announced(size, tmp_path, monkeypatch):
    file = tmp_path / "x.safetensors"
    file.write_bytes(bytes(50))
    monkeypatch.setattr(entered, "PIECE", 7)
    found = entered._downloaded(file.as_uri(), size)
    assert len(found) == min(50, size + 1)


def test_an_address_that_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(JobError, match="cannot be had"):
        entered._downloaded((tmp_path / "nothing").as_uri(), 5)


@pytest.fixture
def answering():
    """Returns a function that starts a server with one answer, and returns its address."""
    servers = []

    def start(answer: bytes) -> str:
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)

        def once() -> None:
            with server.accept()[0] as asked:
                asked.recv(4096)
                asked.sendall(answer)

        threading.Thread(target=once, daemon=True).start()
        return f"http://127.0.0.1:{server.getsockname()[1]}/x"

    yield start
    for one in servers:
        one.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-elsewhere\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nmany\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 404 \x1b[2J\x07\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_whatever_a_server_says_is_one_printable_sentence(answer, answering):
    with pytest.raises(JobError, match="cannot be had") as caught:
        entered._downloaded(answering(answer), 5)
    assert str(caught.value).isprintable()


WANTED = ["denoise", "--preset", "smoke", "--offline", "--set", "steps=1", "--jobs", "1"]
OPTIONS = {"preset": "smoke", "changes": ["steps=1"], "offline": True}
ALL = [*WANTED, "--methods", "dni,experts,floor", "--seeds", "0,1"]


@pytest.fixture(scope="module")
def made(tmp_path_factory, at_home):
    """Entries of networks that were trained for a moment, and the store that they were trained in."""
    root = tmp_path_factory.mktemp("entered")
    with at_home(root / "runs"):
        assert cli.main(["run", *ALL]) == 0
        submit = ["board", "submit", *ALL, "--weights", "copy"]
        assert cli.main([*submit, "--boards", str(root / "boards")]) == 0
    found = (root / "boards" / "denoise" / "entries").iterdir()
    return {path.name.split("-")[0]: path for path in found}


@pytest.fixture
def told(home, capsys):
    """Returns a function that calls the command line, and returns its exit code, output and errors."""

    def call(*words: object) -> tuple[int, str, str]:
        capsys.readouterr()
        return cli.main([str(word) for word in words]), *capsys.readouterr()

    return call


@pytest.fixture
def copied(made, boards):
    """Returns a function that copies an entry to where it may be changed."""

    def copy(name: str) -> Path:
        there = boards / "denoise" / "entries" / made[name].name
        return Path(shutil.copytree(made[name], there))

    return copy


def test_an_opened_entry_is_the_network_that_was_handed_in(made, at_home):
    x = torch.rand(1, 3, 20, 24)
    for seed in (0, 1):
        with at_home(made["dni"].parents[3] / "runs"):
            trained = open_method("denoise", "dni", seeds=[seed], **OPTIONS)
        found = open_entry(made["dni"], seed)
        assert not found.training and not any(one.requires_grad for one in found.parameters())
        assert torch.equal(found(x, 0.3), trained(x, 0.3))
        with pytest.raises(UserError, match="give images"):
            found(x[0], 0.3)
    assert torch.equal(open_entry(str(made["dni"]))(x, 1), open_entry(made["dni"], 0)(x, 1))
    assert not torch.equal(open_entry(made["dni"], 0)(x, 1), open_entry(made["dni"], 1)(x, 1))


def test_photographs_are_restored_by_entries_as_by_what_is_trained(
    made, told, tmp_path, photographs, at_home
):
    image = photographs / "p0.png"
    with at_home(made["dni"].parents[3] / "runs"):
        words = ("--preset", "smoke", "--set", "steps=1", "--offline", "--levels", "0.6,0.7")
        methods = ("--methods", "dni,experts")
        code, _, _ = told(
            "restore", "denoise", image, *words, *methods, "--to", tmp_path / "trained"
        )
        assert code == 0
    # Two networks of one name, and an empty store that stays away.
    entries = [part for name in ("dni", "experts", "dni") for part in ("--entry", made[name])]
    to = ("--levels", "0.6,0.7", "--to", tmp_path / "entered")
    code, out, err = told("restore", "denoise", image, *entries, *to)
    assert code == 0 and out.count("\n") == 3
    lines = err.splitlines()
    assert len(lines) == 3 and sum("claimed; nobody has computed" in line for line in lines) == 2
    assert "answers only at levels 0.2, 0.6, 1; the others are left out" in err
    for name, level in (("dni", "0.6"), ("dni", "0.7"), ("experts", "0.6")):
        found = tmp_path / "entered" / f"p0-{made[name].name}-{level}.png"
        assert found.read_bytes() == (tmp_path / "trained" / f"p0-{name}-{level}.png").read_bytes()
    assert not Path(os.environ["DIALBENCH_HOME"]).exists()
    code, out, err = told("restore", "denoise", image, "--entry", made["floor"], "--levels", "1")
    assert code == 0 and (Path.cwd() / out.strip()).is_file()


def test_an_exported_entry_says_what_it_is_and_gives_its_weights(made, told, tmp_path):
    code, out, err = told(
        "export", "denoise", "--entry", made["dni"], "--seeds", "1", "--onnx", "--to", tmp_path
    )
    assert code == 0 and "3 levels" in out
    folder = tmp_path / made["dni"].name
    facts = json.loads((folder / "network.json").read_text())
    claimed = json.loads((made["dni"] / "entry.json").read_text())
    assert facts["entry"] == {
        **{name: claimed[name] for name in ("id", "licence", "preset", "training")},
        "seed": 1,
        "status": "claimed",
    }
    assert facts["trained"] == [[0.2], [1.0]] and facts["method"] == "dni"
    assert [one["level"] for one in facts["levels"]] == [[0.2], [0.6], [1.0]]
    state = open_entry(made["dni"], 1).tuned((0.6,)).state_dict()
    found = load_file(folder / "0.6.safetensors")
    assert {*found} == {*state} and all(torch.equal(found[key], state[key]) for key in state)
    assert {"0.6.onnx", "dial.onnx"} <= {path.name for path in folder.iterdir()}
    for name, said in (("floor", "no weights to export"), ("experts", "name one of them")):
        words = ("--entry", made[name], "--levels", "0.7", "--to", tmp_path)
        code, _, err = told("export", "denoise", *words)
        assert code == 2 and said in err


def test_entries_are_scored_as_what_is_trained_was(made, told, home, at_home):
    with at_home(made["dni"].parents[3] / "runs"):
        code, _, _ = told("report", *ALL[:-4], "--methods", "dni,experts,floor", "--seeds", "1")
        assert code == 0
        there = Path(os.environ["DIALBENCH_HOME"])
        trained, steps = rows_of(there), steps_of(there)
    entries = [part for name in made for part in ("--entry", made[name])]
    words = ("denoise", *entries, "--seeds", "1", "--offline")
    code, out, _ = told("sweep", *words, "--dry-run")
    assert code == 0 and "cells: 9 to score of 9" in out and not home.exists()
    code, _, err = told("report", *words)
    assert code == 2 and "start with 'dialbench sweep denoise'" in err
    code, out, err = told("sweep", *words, "--jobs", "1")
    assert code == 0 and "PSNR-RGB on builtin" in out
    assert f"dni: network of the entry {made['dni'].name} (claimed), trained on builtin" in err
    found = rows_of(home)
    own = ["created_utc", "harness_version"]
    assert found.drop(columns=own).equals(trained.drop(columns=own)) and len(found) > 50
    assert steps_of(home) == steps and steps["dni"] > 0
    # Nothing is left to do, and the report can be had again, also from a store that is only read.
    code, out, err = told("sweep", *words)
    assert code == 0 and "sweep dni" not in err
    code, out, _ = told("report", *words, "--to", home.parent / "again")
    assert code == 0
    again = (home.parent / "again" / "rows.csv").read_bytes()
    assert again == (home / "report" / "denoise" / "rows.csv").read_bytes()
    code, out, _ = told("store", "clear", "--methods", "dni")
    assert code == 0 and not any("dni" in line for line in told("store")[1].splitlines())
    code, _, err = told("sweep", *words, "--matrix", "--jobs", "1")
    assert code == 0 and "sweep dni on builtin seed 1 done" in err
    found = rows_of(home)
    assert {*found.loc[found["level"] != found["set_level"], "method"]} == {"dni", "floor"}


@pytest.mark.parametrize("verb", ["sweep --dry-run", "report"])
def test_looking_at_entries_downloads_nothing(verb, made, told, tmp_path, monkeypatch):
    asked: list[str] = []
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.delenv("DIALBENCH_WEIGHTS", raising=False)
    monkeypatch.setattr(assets, "_attempts", set())
    monkeypatch.setattr(assets, "_download", lambda asset: asked.append(asset.name))
    verb, *more = verb.split()
    told(verb, "denoise", *more, "--entry", made["dni"])
    assert not asked


def steps_of(home: Path) -> dict[str, int]:
    table = pd.read_csv(home / "report" / "denoise" / "table.csv")
    return table.groupby("method")["train_steps"].first().to_dict()


def rows_of(home: Path) -> pd.DataFrame:
    return pd.read_csv(home / "report" / "denoise" / "rows.csv")


def test_entries_trained_on_what_is_tested_are_noted(made, told, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    picture = open_set("builtin", "train").pictures[0]
    Image.fromarray(picture.read()).save(folder / "shown.png")
    words = ("--entry", made["dni"], "--levels", "0.6", "--offline", "--jobs", "1")
    code, _, err = told("sweep", "denoise", *words, "--test", folder)
    assert code == 0 and f"1 image of them, like builtin/{picture.name}, show" in err


def test_networks_that_a_table_could_not_tell_apart_are_refused(made, told, copied, edit, boards):
    other = boards / "denoise" / "entries" / "another"
    shutil.copytree(made["dni"], other)
    facts = json.loads((other / "entry.json").read_text())
    facts["method_digest"] = "0" * 20
    facts["id"] = entry.entry_id(facts)
    other = other.rename(other.with_name(facts["id"]))
    (other / "entry.json").write_bytes(schema.written(facts))
    (other / "card.md").write_bytes(card.card(Entry(facts)))
    code, _, err = told("sweep", "denoise", "--entry", made["dni"], "--entry", other, "--offline")
    assert code == 2 and "could not tell them apart" in err


def test_the_demo_shows_entries_by_their_methods_names_where_these_differ(made, told, monkeypatch):
    shown = []
    monkeypatch.setattr("benchmark.demo.app.launch", lambda session, port: shown.append(session))
    entries = ("--entry", made["dni"], "--entry", made["experts"])
    assert told("demo", "denoise", *entries)[0] == 0
    assert told("demo", "denoise", *entries[:2], *entries[:2])[0] == 0
    assert [[*one.methods] for one in shown] == [["dni", "experts"], ["dni"]]
    x = torch.rand(1, 3, 16, 16)
    found = shown[0].methods["dni"].cpu()
    assert torch.equal(found(x, 0.5), open_entry(made["dni"])(x, 0.5))
    code, _, err = told("demo", "denoise@pairs", *entries)
    assert code == 2 and "single images of your own" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--preset gpu", "--entry says what was trained"),
        ("--methods dni", "--entry says what was trained"),
        ("--set steps=2", "--entry says what was trained"),
        ("--seeds 0,1", "--seeds takes one"),
        ("--calibrated", "leave it out with --entry"),
        ("--seeds 7", "has no network of seed 7; choose from: 0, 1"),
        ("--levels 30", "lies outside"),
    ],
)
def test_options_that_do_not_go_with_an_entry_are_refused(words, said, made, told, photographs):
    image = photographs / "p0.png"
    code, out, err = told("restore", "denoise", image, "--entry", made["dni"], *words.split())
    assert (code, out) == (2, "") and said in err and err.count("\n") == 1


def test_what_is_no_entry_of_the_task_is_refused(made, told, copied, edit, photographs):
    def refused(*words: object) -> str:
        code, out, err = told("restore", *words, photographs / "p0.png")
        assert (code, out) == (2, "") and err.count("\n") == 1
        return err

    assert "is an entry of denoise, not sr" in refused("sr", "--entry", made["dni"])
    assert "has no entry.json" in refused("denoise", "--entry", made["dni"].parent)
    path = copied("dni")
    weights = path / "weights" / "end-1.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    # Also where the network of the other seed is wanted: nothing of it can be trusted.
    assert "not what its hash says" in refused("denoise", "--entry", path)
    weights.write_bytes(whole)
    edit(path, method="nobody")
    assert "nobody" in refused("denoise", "--entry", path)


def test_weights_on_a_server_are_fetched_unless_that_is_forbidden(made, copied, monkeypatch):
    path, facts = copied("dni"), json.loads((made["dni"] / "entry.json").read_text())
    shutil.rmtree(path / "weights")
    files = {f"https://nowhere.invalid/{one['sha256']}": one["file"] for one in facts["weights"]}

    def put(urls) -> None:
        weights = [
            {**one, "file": None, "url": url}
            for one, url in zip(facts["weights"], urls, strict=True)
        ]
        changed = {**facts, "weights": weights}
        (path / "entry.json").write_bytes(schema.written(changed))
        (path / "card.md").write_bytes(card.card(Entry(changed)))

    put(files)
    asked = []

    def downloaded(url: str, size: int) -> bytes:
        asked.append(url)
        blob = (made["dni"] / files[url]).read_bytes()
        assert len(blob) == size
        return blob

    monkeypatch.setattr(entered, "_downloaded", downloaded)
    with pytest.raises(UserError, match="leave out --offline to fetch them"):
        open_entry(path, offline=True)
    x = torch.rand(1, 3, 16, 16)
    assert torch.equal(open_entry(path, 1)(x, 0.5), open_entry(made["dni"], 1)(x, 0.5))
    assert len(asked) == 2 and all(files[url].endswith("-1.safetensors") for url in asked)
    put([None] * len(files))
    with pytest.raises(UserError, match="its weights are not published"):
        open_entry(path)


def test_every_network_that_the_boards_hold_can_be_opened():
    opened = 0
    for path in sorted((ROOT / "leaderboards").glob("*/entries/*/")):
        if (path / "weights").is_dir():
            one = entered.Entered(path, offline=True)
            assert not one.method().training
            opened += 1
    assert opened > 100
