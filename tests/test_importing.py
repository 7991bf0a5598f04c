"""Importing networks that others trained, from files with random weights in the official layouts."""

import hashlib
import json
import pickle
import re

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file, save_file

from baselines.external.noise_estimator import NoiseEstimator
from benchmark import build, cli, plan, tasks
from benchmark.build import create_method
from benchmark.engines import local
from benchmark.errors import UserError
from benchmark.method import ControlMethod
from benchmark.planning.request import request_of
from benchmark.scoring import blind
from benchmark.store import Store

RUN = ("--preset", "smoke", "--offline")


def chain(widths, seed=0):
    """The tensors of a plain chain of convolutions, numbered as the authors' files are."""
    generator = torch.Generator().manual_seed(seed)
    found = {}
    for index, (a, b) in enumerate(zip(widths, widths[1:], strict=False)):
        found[f"{index}.weight"] = torch.randn(b, a, 3, 3, generator=generator) / (9 * a) ** 0.5
        found[f"{index}.bias"] = 0.1 * torch.randn(b, generator=generator)
    return found


def ffdnet(seed=0):
    return chain([13, *[96] * 11, 12], seed)


def cdncnn(seed=0):
    return chain([3, *[64] * 19, 3], seed)


def srvgg(convs, seed=0):
    found = {}
    for name, tensor in chain([3, *[64] * (convs + 1), 48], seed).items():
        index, what = name.split(".")
        found[f"body.{2 * int(index)}.{what}"] = tensor
    for index in range(convs + 1):
        found[f"body.{2 * index + 1}.weight"] = torch.full((64,), 0.1 * seed + 0.2)
    return found


def estimator():
    torch.manual_seed(0)
    return NoiseEstimator().state_dict()


def imported(method: str, task: str) -> ControlMethod:
    """A method with its imported weights, as a sweep loads them."""
    judged = tasks.get(task)
    made = build.build_method(create_method(method), "small:width=8:blocks=1", judged, 0)
    (stage,) = made.stages(judged)
    build.load_stage(made, stage, Store().load_stage(f"imported/{stage.imported}"))
    return made.eval().requires_grad_(False)


@pytest.fixture
def file(tmp_path):
    """Saves a state dict and gives back its path as text."""

    def save(state, name="network.pth") -> str:
        torch.save(state, tmp_path / name)
        return str(tmp_path / name)

    return save


@pytest.fixture
def small_pair(home, file):
    """Two networks of three convolutions, imported; their states."""
    start, end = srvgg(1, seed=1), srvgg(1, seed=2)
    words = [
        "import",
        "srvgg-dni",
        file({"params": start}, "a.pth"),
        file({"params": end}, "b.pth"),
    ]
    assert cli.main(words) == 0
    return start, end


def planned(*words):
    top, _ = cli.parser()
    return plan.make(request_of(top.parse_args(["run", *words, *RUN])), Store())


# ---- running ------------------------------------------------------------------------------------


def test_an_imported_network_runs_like_any_method(home, file, photographs, capsys):
    words = ["denoise", "--methods", "ffdnet", "--test", str(photographs), "--physical", "25"]
    assert cli.main(["import", "ffdnet", file(ffdnet())]) == 0
    assert "run it with: dialbench run denoise --methods ffdnet" in capsys.readouterr().out
    assert cli.main(["run", *words, *RUN]) == 0
    (cell,) = (json.loads(one.read_text()) for one in (home / "cells" / "denoise").glob("*.json"))
    weights = (home / "imported" / "ffdnet" / "model.safetensors").read_bytes()
    assert cell["facts"]["weights_sha256"] == hashlib.sha256(weights).hexdigest()
    assert cell["facts"]["level_physical"] == "25"
    assert (cell["cost"]["params_stored"], cell["cost"]["train_steps"]) == (852_108, 0)
    assert planned(*words).jobs() == []

    assert cli.main(["import", "ffdnet", file(ffdnet(seed=1))]) == 0
    assert len(planned(*words).jobs()) == 1


def test_a_network_that_is_not_imported_is_a_failure_with_the_command_that_helps(home, capsys):
    assert cli.main(["run", "sr", "--methods", "srvgg_dni", *RUN]) == 1
    assert "run 'dialbench import srvgg-dni START END'" in capsys.readouterr().err
    assert cli.main(["list"]) == 0
    assert "not imported: run 'dialbench import ffdnet FILE'" in capsys.readouterr().out


@pytest.mark.parametrize("sigma", ["12.5", "50"])
def test_the_command_that_an_import_prints_runs_and_so_does_the_one_that_helps(
    sigma, home, file, capsys
):
    method = f"cdncnn:sigma={sigma}"
    (failure,) = planned("denoise", "--methods", method).failures
    _, words = failure.reason.removesuffix("'").split("run 'dialbench ")
    assert words == f"import cdncnn FILE --sigma {sigma}"
    assert cli.main(words.replace("FILE", file(cdncnn())).split()) == 0
    assert f"run it with: dialbench run denoise --methods {method}\n" in capsys.readouterr().out
    made = planned("denoise", "--methods", method)
    assert made.failures == [] and made.sweeps


def test_a_damaged_import_counts_as_not_imported(small_pair, home):
    words = ("sr", "--methods", "srvgg_dni:convs=1")
    assert planned(*words).failures == []
    (other,) = planned("sr", "--methods", "srvgg_dni").failures
    assert "not imported as srvgg_dni-32, only srvgg_dni-1" in other.reason
    (home / "imported" / "srvgg_dni-1" / "model.safetensors").write_bytes(b"damaged")
    assert "not imported: run" in planned(*words).failures[0].reason


@pytest.mark.parametrize(
    ("method", "task"), [("ffdnet", "sr"), ("cdncnn", "dejpeg"), ("srvgg_dni", "denoise")]
)
def test_a_task_that_a_network_was_not_made_for_is_skipped(method, task, home):
    made = planned(task, "--methods", method)
    assert made.sweeps == {} and "nothing else" in made.skipped[0].reason


# ---- the networks -------------------------------------------------------------------------------


def test_ffdnet_is_the_published_network_and_sees_the_sigma_of_the_whole_space(home, file):
    state = ffdnet()
    assert cli.main(["import", "ffdnet", file(state)]) == 0
    method, x = imported("ffdnet", "denoise"), torch.rand(1, 3, 9, 11)
    sigma = 20.0
    padded = F.pad(x, (0, 1, 0, 1), mode="replicate")
    corners = [padded[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1)]
    z = torch.stack(corners, dim=2).flatten(1, 2)
    z = torch.cat([z, torch.full((1, 1, 5, 6), sigma / 255)], dim=1)
    for index in range(12):
        z = F.conv2d(z, state[f"{index}.weight"], state[f"{index}.bias"], padding=1)
        z = z.relu() if index < 11 else z
    expected = F.pixel_shuffle(z, 2)[..., :9, :11]
    level = tasks.get("denoise").space.level_of((sigma,))
    torch.testing.assert_close(method.tuned(level)(x), expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(method(x, level), expected, rtol=0, atol=1e-5)
    assert not torch.allclose(method(x, 0.0), expected, rtol=0, atol=1e-5)


def test_ffdnet_takes_a_sigma_for_every_pixel(home, file):
    assert cli.main(["import", "ffdnet", file(ffdnet())]) == 0
    made = planned("pixel-adaptive", "--methods", "ffdnet")
    assert made.sweeps and not made.failures
    method, x = imported("ffdnet", "pixel-adaptive"), torch.rand(1, 3, 9, 60)
    level = torch.full((1, 1, 9, 60), 0.4)
    torch.testing.assert_close(method(x, level), method(x, 0.4))
    level[..., 30:] = 0.8
    torch.testing.assert_close(method(x, level)[..., :4], method(x, 0.4)[..., :4])
    assert not torch.allclose(method(x, level)[..., -4:], method(x, 0.4)[..., -4:])


def test_cdncnn_subtracts_what_its_chain_predicts_whatever_the_level(home, file):
    state = cdncnn()
    assert cli.main(["import", "cdncnn", file(state), "--sigma", "15"]) == 0
    method, x = imported("cdncnn:sigma=15", "denoise"), torch.rand(1, 3, 8, 8)
    z = x
    for index in range(20):
        z = F.conv2d(z, state[f"{index}.weight"], state[f"{index}.bias"], padding=1)
        z = z.relu() if index < 19 else z
    for level in (0.0, 0.3, 1.0):
        torch.testing.assert_close(method.tuned((level,))(x), x - z, rtol=0, atol=1e-5)
    assert sum(one.numel() for one in method.parameters()) == 668_227


def test_the_folded_pair_is_either_file_bit_for_bit_at_its_end(small_pair):
    method, x = imported("srvgg_dni:convs=1", "sr"), torch.rand(1, 3, 8, 10)

    def official(state):
        z = x
        for index in (0, 2):
            z = F.conv2d(z, state[f"body.{index}.weight"], state[f"body.{index}.bias"], padding=1)
            z = F.prelu(z, state[f"body.{index + 1}.weight"])
        z = F.conv2d(z, state["body.4.weight"], state["body.4.bias"], padding=1)
        return F.pixel_shuffle(z, 4) + F.interpolate(x, scale_factor=4, mode="nearest")

    start, end = small_pair
    middle = {name: (value + end[name]) / 2 for name, value in start.items()}
    assert torch.equal(method.tuned((0.0,))(x), official(start))
    assert torch.equal(method.tuned((1.0,))(x), official(end))
    torch.testing.assert_close(method.tuned((0.5,))(x), official(middle), rtol=1e-4, atol=1e-4)
    assert method.folds and method.tuned((0.5,)).state_dict().keys() == start.keys()


def test_the_noise_estimator_takes_the_median_over_crops_of_stored_images(home, file):
    with pytest.raises(UserError, match="dialbench import hyperres-estimator FILE"):
        blind.estimator(Store())
    assert cli.main(["import", "hyperres-estimator", file(estimator())]) == 0
    assert sum(one.numel() for one in blind.estimator(Store()).parameters()) == 330_561

    seen = []

    def brightness(crops):
        seen.append(crops)
        return crops.mean(dim=(1, 2, 3)) * 100

    image = torch.zeros(3, 140, 3 * 128)
    image[..., 128:256], image[..., 256:] = 0.5, 7.0
    # Crops lie in the middle, whose margins no estimator sees.
    image[:, :6] = image[:, 134:] = 1.0
    assert blind.estimated_sigma(image, brightness) == pytest.approx(100 * 127 / 255, abs=0.01)
    assert seen[0].shape == (3, 3, 128, 128) and seen[0].max() == 1
    with pytest.raises(UserError, match="needs 128 pixels"):
        blind.estimated_sigma(torch.zeros(3, 127, 200), brightness)


def test_a_blind_run_scores_the_estimator_of_the_authors_beside_ours(home, file, photographs):
    big = photographs / "p0.png"
    Image.fromarray(np.full((130, 140, 3), 128, np.uint8)).save(big)
    words = ["run", "blind", "--preset", "smoke", "--offline", "--jobs", "1", "--set", "steps=1"]
    words += ["--set", "crop=0", "--methods", "floor", "--levels", "1", "--test", str(photographs)]
    assert cli.main(words) == 0
    table = home / "report" / "blind" / "rows.csv"
    rows = pd.read_csv(table).query("metric == 'level-error-hyperres'").set_index("image")
    assert set(rows["status"]) == {"unavailable"}
    assert cli.main(["import", "hyperres-estimator", file(estimator())]) == 0
    assert cli.main(words) == 0
    rows = pd.read_csv(table).query("metric == 'level-error-hyperres'").set_index("image")
    assert rows.loc["p0", "status"] == "ok"
    assert rows.loc["p1", "status"] == "failed" and "128 pixels" in rows.loc["p1", "reason"]

    # Another network under the same name: its scores are made anew, and no others.
    before = pd.read_csv(table).set_index(["image", "metric"])["value"]
    other = {name: tensor + 0.01 for name, tensor in estimator().items()}
    assert cli.main(["import", "hyperres-estimator", file(other)]) == 0
    assert cli.main(words) == 0
    after = pd.read_csv(table).set_index(["image", "metric"])["value"]
    changed = before.ne(after) & before.notna()
    assert changed[("p0", "level-error-hyperres")]
    assert {metric for _, metric in before.index[changed]} <= {
        *("level-error-hyperres", "psnr-rgb-hyperres")
    }


@pytest.mark.parametrize("there", [True, False])
def test_an_estimator_counts_where_it_is_in_the_store_of_the_run(
    there, home, file, tmp_path, monkeypatch, photographs
):
    Image.fromarray(np.full((130, 140, 3), 128, np.uint8)).save(photographs / "p0.png")
    own, other = Store(tmp_path / "own"), Store(tmp_path / "other")
    monkeypatch.setenv("DIALBENCH_HOME", str((own if there else other).home))
    assert cli.main(["import", "hyperres-estimator", file(estimator())]) == 0
    monkeypatch.setenv("DIALBENCH_HOME", str(other.home))
    words = ["run", "blind", *RUN, "--set", "steps=1", "--set", "crop=0", "--methods", "floor"]
    words += ["--levels", "1", "--test", f"{photographs}:without=p1"]
    request = request_of(cli.parser()[0].parse_args(words))
    assert local.run(plan.make(request, own).jobs(), own, workers=1) == {}
    made = plan.make(request, own)
    assert made.jobs() == []
    (cell,) = plan.stored_cells(made, own)
    found = {row.metric: row.status for row in cell.rows}
    assert found["level-error-hyperres"] == ("ok" if there else "unavailable")


# ---- reading files ------------------------------------------------------------------------------


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
