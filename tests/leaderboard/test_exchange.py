"""Entries pushed to and pulled from a folder, and a server that answers as the hub does."""

import os
import pickle
import subprocess
import sys
import uuid

import pytest

from benchmark import cli
from benchmark.leaderboard import check, exchange, folder, loaded, proof, synthetic

REPOSITORY = "someone/dials"


@pytest.fixture
def there(tmp_path):
    return tmp_path / "there"


def pulled(place, boards):
    return [(name, text, good) for name, text, good in exchange.pull(place, boards)]


def test_an_entry_goes_to_a_folder_and_comes_back_claimed(put, boards, there, tmp_path, capsys):
    path = put(status="reproduced")
    before = {one.name: one.read_bytes() for one in path.iterdir() if one.is_file()}
    assert cli.main(["board", "push", str(path), "--to", f"file://{there}"]) == 0
    other = tmp_path / "other"
    for said in (str(other), "is there already"):
        capsys.readouterr()
        assert cli.main(["board", "pull", str(there), "--boards", str(other)]) == 0
        assert said in capsys.readouterr().out
    (copy,) = (other / "sr" / "entries").iterdir()
    del before[proof.NAME]
    assert {one.name: one.read_bytes() for one in copy.iterdir() if one.is_file()} == before
    assert loaded.load(copy)[0].status == "claimed"
    assert check.faults(copy, "sr", copy.name) == []


def test_only_what_was_asked_for_is_pulled(put, there, tmp_path):
    for path in (put(), put(method="ftn"), put("denoise")):
        exchange.push(path, exchange.Disk(there))
    place = exchange.Disk(there)
    for wanted, count in (("denoise", 1), (f"denoise/{path.name}", 1), ("sr", 2), ("", 3)):
        assert len(list(exchange.pull(place, tmp_path / wanted / "b", wanted))) == count
    with pytest.raises(exchange.UserError, match="there is no entry of sr/other"):
        list(exchange.pull(place, tmp_path, "sr/other"))


@pytest.mark.parametrize(
    ("name", "blob", "words"),
    [
        ("model.pt", pickle.dumps([1]), "may hold a pickle, which is never opened"),
        ("rows.csv.gz", b"PK\x03\x04", "rows.csv.gz: changed; its check sum is not the one"),
        ("weights/start-0.safetensors", pickle.dumps([1]), "a pickle (or PyTorch file)"),
        ("weights/start-0.safetensors", synthetic.tensors(9), "not what its hash says"),
        ("card.md", b"<script>", "card.md: not what entry.json makes"),
        ("entry.json", b"{}", "entry.json: "),
        ("canary.json", bytes(folder.SIZES["canary.json"] + 1), "more than"),
    ],
)
def test_what_the_referee_refuses_is_not_pulled(put, there, tmp_path, name, blob, words):
    path = put()
    exchange.push(path, exchange.Disk(there))
    (there / "sr" / "entries" / path.name / name).write_bytes(blob)
    ((_, text, good),) = pulled(exchange.Disk(there), tmp_path / "other")
    assert words in text and not good
    assert not list((tmp_path / "other").rglob("*.*"))


def test_what_a_killed_push_leaves_half_written_goes_when_it_runs_again(put, there, tmp_path):
    path = put()
    inside = there / "sr" / "entries" / path.name
    for name in ("card.md", "weights/start-0.safetensors"):
        left = inside / name
        left.parent.mkdir(parents=True, exist_ok=True)
        left.with_name(f".{left.name}.{uuid.uuid4().hex}.tmp").write_bytes(b"half")
    exchange.push(path, exchange.Disk(there))
    ((_, text, good),) = pulled(exchange.Disk(there), tmp_path / "other")
    assert good, text
    assert not list(inside.rglob("*.tmp"))


def test_links_are_not_followed_and_spoilt_entries_not_pushed(put, there, tmp_path, edit):
    path = put()
    exchange.push(path, exchange.Disk(there))
    secret = tmp_path / "secret"
    secret.write_text("x")
    card = there / "sr" / "entries" / path.name / "card.md"
    card.unlink()
    card.symlink_to(secret)
    ((_, text, good),) = pulled(exchange.Disk(there), tmp_path / "other")
    assert "card.md: cannot be read" in text and not good
    edit(path, rows=7)
    with pytest.raises(exchange.UserError, match="it is not pushed: entry.json: rows: 7"):
        exchange.push(path, exchange.Disk(there))


def test_a_place_is_a_folder_or_a_repository():
    assert exchange.place("user/dials@v1") == exchange.Hub("user/dials", "v1")
    assert exchange.place("user/dials") == exchange.Hub("user/dials")
    assert exchange.place("file:///a%20b").root.as_posix() == "/a b"
    assert exchange.place("./user/dials").root.as_posix() == "user/dials"
    for wrong in ("dials", "https://x/y/z", "a/b/c", "user/../x", "", "file:///%00", "./a\0b"):
        with pytest.raises(exchange.UserError, match="is no place"):
            exchange.place(wrong)
    with pytest.raises(
        exchange.UserError, match="names a machine, elsewhere; write file:///folder"
    ):
        exchange.place("file://elsewhere/x")


def on_hub(hub_url: str, *words: object) -> subprocess.CompletedProcess:
    """Runs a command with its own hub; the client reads the address when it is imported."""
    env = {**os.environ, "HF_ENDPOINT": hub_url, "HF_TOKEN": "x", "HF_HUB_DISABLE_TELEMETRY": "1"}
    env.pop("HF_HUB_OFFLINE", None)
    command = [sys.executable, "-m", "benchmark", "board", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, env=env, check=False)


def test_an_entry_goes_to_the_hub_in_one_commit_and_comes_back(put, boards, hub, tmp_path):
    path = put()
    inside = f"sr/entries/{path.name}"
    done = on_hub(hub.url, "push", path, "--to", REPOSITORY)
    assert (done.returncode, hub.commits) == (0, 1), done.stderr
    files = {one.relative_to(path).as_posix() for one in path.rglob("*") if one.is_file()}
    assert set(hub.files) == {"README.md", *(f"{inside}/{name}" for name in files)}
    # Neither a strange file elsewhere nor a path that leads out is ever asked for.
    hub.files["evil.pkl"] = b"x"
    done = on_hub(hub.url, "pull", REPOSITORY, f"sr/{path.name}", "--boards", tmp_path / "other")
    assert done.returncode == 0, done.stderr
    copy = tmp_path / "other" / inside
    assert {one.relative_to(copy).as_posix() for one in copy.rglob("*") if one.is_file()} == files
    hub.asked.clear()
    hub.files[f"{inside}/weights/../../../../x.safetensors"] = b"x"
    done = on_hub(hub.url, "pull", REPOSITORY, "--boards", tmp_path / "more")
    assert done.returncode == 1 and "unknown file" in done.stderr
    assert not [one for one in hub.asked if "resolve" in one] and not (tmp_path / "more").exists()


def test_a_hub_that_is_out_of_reach_is_one_sentence(put, hub):
    path, url = put(), hub.url
    hub.shutdown()
    hub.server_close()
    done = on_hub(url, "push", path, "--to", REPOSITORY)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "the hub cannot be reached" in done.stderr


def test_an_entry_without_facts_stops_no_other(put, there, tmp_path):
    boards = tmp_path / "other"
    first = put()
    exchange.push(first, exchange.Disk(there))
    pulled(exchange.Disk(there), boards)
    (there / "sr" / "entries" / first.name / "entry.json").write_text("{}")
    ((_, text, good),) = pulled(exchange.Disk(there), boards)
    assert "cannot be an entry" in text and not good
