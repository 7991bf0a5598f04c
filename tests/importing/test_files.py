"""Which files can be imported, and what is kept of them."""

import hashlib
import json
import pickle
import re

import pytest
import torch
from safetensors.torch import load_file, save_file

from benchmark import cli
from tests.importing.conftest import cdncnn, chain, ffdnet, srvgg


def test_provenance_names_the_file_by_content_and_holds_no_path_or_date(home, file, tmp_path):
    path = file(cdncnn(), "CDnCNN-S-50.pth")
    assert cli.main(["import", "cdncnn", path, "--sigma", "50"]) == 0
    text = (home / "imported" / "cdncnn-50" / "stage.json").read_text()
    facts = json.loads(text)["facts"]
    (source,) = facts["files"]
    assert source["name"] == "CDnCNN-S-50.pth"
    with open(path, "rb") as content:
        assert source["sha256"] == hashlib.file_digest(content, "sha256").hexdigest()
    assert facts["options"] == {"sigma": 50} and "MIT" in facts["licence"]
    assert str(tmp_path) not in text and not re.search(r"20\d\d-\d\d", text)


def test_every_layout_of_a_release_gives_the_same_weights(home, file, tmp_path):
    state = ffdnet()
    sparse = {
        f"module.model.{2 * int(key.split('.')[0])}.{key.split('.')[1]}": value
        for key, value in state.items()
    }
    stored = []
    layouts = (state, sparse, {"state_dict": state}, {"params": {}, "params_ema": sparse})
    paths = [file(one, f"{place}.pth") for place, one in enumerate(layouts)]
    save_file(sparse, tmp_path / "network.safetensors")
    for path in (*paths, str(tmp_path / "network.safetensors")):
        assert cli.main(["import", "ffdnet", path]) == 0
        stored.append(load_file(home / "imported" / "ffdnet" / "model.safetensors"))
    for other in stored[1:]:
        assert all(torch.equal(value, other[key]) for key, value in stored[0].items())


def without(state, name):
    return {key: value for key, value in state.items() if key != name}


BROKEN = {
    "a missing tensor": (without(ffdnet(), "3.bias"), "lacks 'convs.3.bias'"),
    "a missing layer": (without(without(ffdnet(), "3.bias"), "3.weight"), "11 convolutions"),
    "another width": (chain([5, *[64] * 11, 4]), "of shape 64x5x3x3 instead of 96x13x3x3"),
    "another network": (srvgg(1), "5 convolutions instead of 12"),
    "not a number": ({**ffdnet(), "0.bias": torch.full((96,), float("nan"))}, "not finite"),
    "too large": (
        {**ffdnet(), "0.bias": torch.full((96,), 1e300, dtype=torch.float64)},
        "not finite",
    ),
    "whole numbers": ({**ffdnet(), "0.bias": torch.zeros(96, dtype=torch.int64)}, "not finite"),
    "more than tensors": ({**ffdnet(), "epoch": 3}, "holds 'epoch', which is not a tensor"),
    "no values": ({**ffdnet(), "0.bias": torch.zeros(96, device="meta")}, "without its values"),
    "sparse": ({**ffdnet(), "0.bias": torch.zeros(96).to_sparse()}, "'0.bias' as a sparse tensor"),
    "two networks": (
        {**ffdnet(), **{f"ema.{key}": value for key, value in ffdnet(seed=1).items()}},
        "more than one network: '0.weight' and 'ema.0.weight'",
    ),
    "one name twice": ({**ffdnet(), "module.0.bias": torch.zeros(96)}, "without 'module.' before"),
    "a list": ([torch.zeros(3)], "no state dict"),
    "nothing": ({}, "no state dict"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_wrong_file_is_refused_in_one_line_and_leaves_nothing(case, home, file, capsys):
    state, part = BROKEN[case]
    assert cli.main(["import", "ffdnet", file(state)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "network.pth is not a file for ffdnet" in error
    assert re.search(part, error)
    assert not (home / "imported").exists()


class Payload:
    """Would write a file if it were unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("content", ["code", "text", "empty", "cut", "length", "header"])
def test_a_file_that_holds_no_tensors_is_refused_and_never_run(content, home, tmp_path, capsys):
    path, victim = tmp_path / "network.pth", tmp_path / "written"
    torch.save(ffdnet(), path)
    blobs = {
        "code": pickle.dumps(Payload(victim)),
        "text": b"not a network",
        "empty": b"",
        "cut": path.read_bytes()[:10_000],
        # Of safetensors, whose header would be longer than the file, or is no JSON.
        "length": (1 << 62).to_bytes(8, "little") + b"{}",
        "header": (9).to_bytes(8, "little") + b"{damaged}",
    }
    path.write_bytes(blobs[content])
    assert cli.main(["import", "ffdnet", str(path)]) == 2
    assert "damaged, or holds more than tensors" in capsys.readouterr().err
    assert not victim.exists() and not (home / "imported").exists()


def test_a_pair_of_two_sizes_is_refused(home, file, capsys):
    words = ["import", "srvgg-dni", file(srvgg(1), "a.pth"), file(srvgg(2), "b.pth")]
    assert cli.main(words) == 2
    assert "START and END are networks of different sizes" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ("ffdnett x.pth", "did you mean 'ffdnet'"),
        ("ffdnet nowhere.pth", r"nowhere\.pth cannot be read"),
        ("ffdnet a b", "import ffdnet FILE"),
        ("srvgg-dni a", "import srvgg-dni START END"),
        ("cdncnn a", "needs --sigma"),
        ("ffdnet a --sigma 3", "takes no --sigma"),
        ("cdncnn a --sigma -3", "positive"),
        ("ffdnet", "FILE"),
    ],
)
def test_wrong_words_are_one_line_and_exit_2(words, part, home, capsys):
    assert cli.main(["import", *words.split()]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and re.search(part, error)
