"""Trained networks for other programs: weights that fit plain backbones, and ONNX that gives the same."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import nn

from baselines.external import ffdnet
from benchmark import cli, export, plan, tasks
from benchmark.build import build_method, create_method
from benchmark.errors import JobError
from benchmark.planning.request import request_of
from benchmark.store import Store
from benchmark.trained import loaded

METHODS = "dni,tunable_conv,hypernet,cfsnet,experts,floor"
WORDS = ("--preset", "smoke", "--offline", "--jobs", "1", "--set", "steps=2")


def trained(task: str, methods: str, tmp_path: Path, *more: str) -> Path:
    words = [task, *WORDS, "--methods", methods]
    assert cli.main(["train", *words]) == 0
    assert cli.main(["export", *words, "--to", str(tmp_path / "out"), *more]) == 0
    return tmp_path / "out"


def method_of(task: str, name: str):
    top, _ = cli.parser()
    store = Store()
    made = plan.make(request_of(top.parse_args(["run", task, *WORDS, "--methods", name])), store)
    return loaded(next(iter(made.sweeps.values())), made.task, store)


def facts(folder: Path) -> dict:
    return json.loads((folder / "network.json").read_text())


def run_onnx(path: Path, **given: np.ndarray) -> torch.Tensor:
    from onnx.reference import ReferenceEvaluator

    (output,) = ReferenceEvaluator(str(path)).run(None, given)
    return torch.from_numpy(output)


@pytest.mark.parametrize("task", ["denoise", "sr"])
def test_weights_of_a_level_fit_the_plain_backbone(task, home, tmp_path, capsys):
    out = trained(task, METHODS, tmp_path)
    told = capsys.readouterr().out
    assert "cfsnet: left out: it does not fold into its backbone; add --onnx" in told
    assert {one.name for one in out.iterdir()} == {"dni", "tunable_conv", "hypernet", "experts"}
    x = torch.rand(1, 3, 20, 26)
    for name in ("dni", "tunable_conv"):
        told = facts(out / name)
        module = importlib.import_module(told["backbone"])
        network = getattr(module, module.__all__[0])(**told["arguments"]).eval()
        for one in told["levels"]:
            network.load_state_dict(load_file(out / name / one["weights"]))
            wanted = method_of(task, name).tuned(one["level"])
            assert torch.equal(network(x), wanted(x))


def test_what_a_matrix_says_of_the_dial_goes_along(home, tmp_path):
    out = trained("denoise", "dni,experts", tmp_path)
    assert "calibration" not in facts(out / "dni")
    assert cli.main(["run", "denoise", *WORDS, "--methods", "dni,experts", "--matrix"]) == 0
    out = trained("denoise", "dni,experts", tmp_path, "--levels", "0.2")
    told = facts(out / "dni")["calibration"]
    assert told["levels"] == [0.2, 0.6, 1.0] and told["measured on"] == ["builtin"]
    assert len(told["dials"]) == 3 and all(0 <= one <= 1 for one in told["dials"])
    assert "calibration" not in facts(out / "experts")


def test_a_file_with_a_dial_holds_its_calibration_and_sets_are_named_without_their_folder(
    home, tmp_path
):
    onnx = pytest.importorskip("onnx")
    mine = tmp_path / "mine"
    mine.mkdir()
    for name in "ab":
        pixels = np.random.default_rng(ord(name)).integers(0, 256, (48, 48, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(mine / f"{name}.png")
    words = ["--methods", "dni", "--test", str(mine)]
    assert cli.main(["run", "denoise", *WORDS, *words, "--matrix"]) == 0
    out = trained("denoise", "dni", tmp_path, "--test", str(mine), "--onnx") / "dni"
    told = facts(out)["calibration"]
    assert told["measured on"] == ["mine"]
    held = {one.key: one.value for one in onnx.load(out / "dial.onnx").metadata_props}
    assert json.loads(held["calibration"]) == told


def test_files_of_an_earlier_export_do_not_stay_beside_the_new_ones(
    home, tmp_path, capsys, monkeypatch
):
    def broken(*given):
        raise JobError("no")

    out = trained("denoise", "dni", tmp_path, "--levels", "0.2,1")
    words = ["export", "denoise", *WORDS, "--to", str(out)]
    assert cli.main([*words, "--methods", "dni,floor", "--levels", "0.5"]) == 0
    assert {path.name for path in (out / "dni").iterdir()} == {"0.5.safetensors", "network.json"}
    assert "floor: left out: it has no weights" in capsys.readouterr().out
    with monkeypatch.context() as patch:
        patch.setattr(export, "_level", broken)
        assert cli.main([*words, "--methods", "dni"]) == 1
    assert not list((out / "dni").iterdir())
    assert cli.main([*words, "--methods", "dni,ftn"]) == 1
    assert (
        "ftn: nothing is trained for this; run 'dialbench train denoise'" in capsys.readouterr().err
    )
    assert cli.main([*words, "--methods", "floor"]) == 2
    assert "there are no weights to export" in capsys.readouterr().err


def test_of_the_seeds_the_first_that_is_trained_is_written(home, tmp_path, capsys):
    words = ["denoise", *WORDS, "--methods", "dni", "--levels", "1"]
    assert cli.main(["train", *words, "--seeds", "0"]) == 0
    to = ["--to", str(tmp_path / "out")]
    assert cli.main(["export", *words, "--seeds", "3", *to]) == 2
    assert "nothing is trained for this" in capsys.readouterr().err
    assert cli.main(["export", *words, "--seeds", "3,0", *to]) == 0
    assert facts(tmp_path / "out" / "dni")["seed"] == 0


def test_files_that_no_export_wrote_are_left_alone(home, tmp_path):
    out = trained("denoise", "dni", tmp_path, "--levels", "0.2")
    own = {"mine_int8.onnx", "mine.safetensors", "0.6.onnx", "notes.txt"}
    for name in own:
        (out / "dni" / name).write_text("mine")
    (out / "outside.onnx").write_text("mine")
    told = facts(out / "dni")
    for changed in ({**told, "dial": "../outside.onnx"}, {"levels": 1}, [1]):
        (out / "dni" / "network.json").write_text(json.dumps(changed))
        words = ["export", "denoise", *WORDS, "--methods", "dni", "--levels", "0.5"]
        assert cli.main([*words, "--to", str(out)]) == 0
    found = {path.name for path in (out / "dni").iterdir()}
    assert found == {"0.5.safetensors", "network.json", *own}
    assert {(out / "dni" / name).read_text() for name in own} == {"mine"}
    assert (out / "outside.onnx").read_text() == "mine"


def test_levels_that_a_method_lacks_leave_an_earlier_export_as_it_was(home, tmp_path, capsys):
    out = trained("denoise", "experts,dni", tmp_path, "--levels", "0.3,0.6")
    told = capsys.readouterr().out
    assert f"experts: 1 level in {out / 'experts'}; it answers only at levels 0.2, 0.6, 1" in told
    before = {path.name: path.read_bytes() for path in (out / "experts").iterdir()}
    words = ["export", "denoise", *WORDS, "--methods", "experts,dni", "--to", str(out)]
    assert cli.main([*words, "--levels", "0.3"]) == 1
    told = capsys.readouterr()
    wanted = "experts: answers only at levels 0.2, 0.6, 1; name one of them with --levels\n"
    assert told.err == wanted and told.out == f"dni: 1 level in {out / 'dni'}\n"
    assert {path.name: path.read_bytes() for path in (out / "experts").iterdir()} == before


def test_onnx_gives_what_networks_give_and_one_file_takes_the_level(home, tmp_path):
    pytest.importorskip("onnx")
    out = trained("denoise", METHODS, tmp_path, "--onnx")
    x = torch.rand(2, 3, 19, 30)
    for name in ("hypernet", "cfsnet"):
        method = method_of("denoise", name)
        for one in facts(out / name)["levels"]:
            found = run_onnx(out / name / one["onnx"], x=x.numpy())
            torch.testing.assert_close(found, method.tuned(one["level"])(x), atol=1e-4, rtol=0)
        for level in (0.1, 0.37, 1.0):
            given = {"x": x.numpy(), "level": np.array([level], np.float32)}
            found = run_onnx(out / name / facts(out / name)["dial"], **given)
            torch.testing.assert_close(found, method.tuned((level,))(x), atol=1e-4, rtol=0)
    # One network for each of three levels has no dial to turn.
    assert "dial" not in facts(out / "experts")


def test_a_dial_may_have_several_axes(home, tmp_path):
    pytest.importorskip("onnx")
    out = trained("blur-noise", "decouple", tmp_path, "--onnx", "--levels", "0/0.5,1/1")
    method, x = method_of("blur-noise", "decouple"), torch.rand(1, 3, 16, 16)
    assert (out / "decouple" / "0_0.5.safetensors").exists()
    # Levels outside are the nearest inside, also where networks are trained over the whole range.
    for level, inside in (((0.2, 0.9), (0.2, 0.9)), ((-0.7, 1.4), (0.0, 1.0))):
        given = {"x": x.numpy(), "level": np.array(level, np.float32)}
        found = run_onnx(out / "decouple" / "dial.onnx", **given)
        torch.testing.assert_close(found, method.tuned(inside)(x), atol=1e-4, rtol=0)
    assert facts(out / "decouple")["level"].startswith("float32, (2,): a number from 0 to 1")


def test_files_say_how_they_are_used(home, tmp_path):
    onnx = pytest.importorskip("onnx")
    out = trained("denoise", "dni", tmp_path, "--onnx", "--levels", "0.6")
    told = facts(out / "dni")
    assert "not clipped: clamp it to 0 to 1 before rounding" in told["output"]
    assert "those outside are clamped" in told["level"]
    assert "below the first and above the last of trained nothing changes" in told["level"]
    module = importlib.import_module(told["backbone"])
    assert told["class"] == module.__all__[0]
    for name, level in (("0.6.onnx", "[0.6]"), ("dial.onnx", told["level"])):
        model = onnx.load(out / "dni" / name)
        held = {one.key: one.value for one in model.metadata_props}
        assert held == {
            **{key: held[key] for key in ("physical",) if level == "[0.6]"},
            **{
                key: told[key] if isinstance(told[key], str) else json.dumps(told[key])
                for key in told.keys() - {"levels", "dial"}
            },
            "level": level,
        }


def test_a_network_of_others_is_named_instead_of_the_backbone_of_the_run():
    from baselines.external.srvgg import SRVGG

    def described(method: str) -> dict:
        made = build_method(create_method(method), "small", tasks.get("sr"), 0)
        return export._network(SimpleNamespace(backbone="small:width=8"), made, tasks.get("sr"))

    told = described("srvgg_dni:convs=2")
    module = importlib.import_module(told["backbone"])
    assert module.SRVGG is SRVGG and told["arguments"] == {"convs": 2}
    assert told["class"] == "SRVGG"
    assert described("dni")["arguments"] == {"scale": 4, "width": 8}


def test_how_authors_trained_a_network_is_not_told_as_the_tasks_way(home, tmp_path):
    onnx = pytest.importorskip("onnx")
    state = ffdnet.FFDNet().state_dict()
    facts = {"origin": "FFDNet", "licence": "MIT"}
    Store().write_stage(
        "imported/ffdnet", {f"backbone.{key}": one for key, one in state.items()}, facts
    )
    assert cli.main(["train", "denoise", *WORDS, "--methods", "dni"]) == 0
    words = ["--methods", "dni,ffdnet", "--levels", "0.6", "--onnx", "--to", str(tmp_path)]
    assert cli.main(["export", "denoise", *WORDS, *words]) == 0
    own, others = (
        json.loads((tmp_path / method / "network.json").read_text()) for method in ("dni", "ffdnet")
    )
    assert own["trained"] == [[0.2], [1]]
    assert own.keys() - others.keys() == {"preset", "seed", "trained"}
    assert others["imported"] == [{**facts, "options": None, "files": None}]
    file = onnx.load(tmp_path / "ffdnet" / "0.6.onnx")
    (told,) = [one.value for one in file.metadata_props if one.key == "imported"]
    assert json.loads(told) == others["imported"]


def test_what_is_not_there_is_said(home, capsys, monkeypatch):
    assert cli.main(["export", "denoise", *WORDS, "--methods", "dni,ffdnet"]) == 2
    said = capsys.readouterr().err
    assert "nothing is trained for this; run 'dialbench train denoise'" in said
    assert "ffdnet: not imported: run 'dialbench import ffdnet FILE'" in said
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert cli.main(["export", "denoise", *WORDS, "--methods", "dni", "--onnx"]) == 2
    assert "pip install -e '.[onnx]'" in capsys.readouterr().err


def test_what_training_would_not_help_is_said_beside_what_is_written(home, tmp_path, capsys):
    out = trained("denoise", "dni", tmp_path, "--levels", "0.2")
    capsys.readouterr()
    words = ["export", "denoise", *WORDS, "--to", str(out), "--levels", "0.2", "--methods"]
    assert cli.main([*words, "dni,ffdnet,srvgg_dni"]) == 1
    told, err = capsys.readouterr()
    assert err == "ffdnet: not imported: run 'dialbench import ffdnet FILE'\n"
    assert "srvgg_dni: skipped: it enlarges images" in told and "dni: 1 level in" in told
    assert cli.main([*words, "dni,srvgg_dni"]) == 0
    capsys.readouterr()
    for methods in ("ffdnet", "ffdnet,floor"):
        assert cli.main([*words, methods]) == 2
        assert capsys.readouterr().err.startswith("dialbench: ffdnet: not imported: run")


def test_a_network_that_onnx_cannot_hold_stops_no_other(home, tmp_path, capsys, monkeypatch):
    pytest.importorskip("onnx")
    whole = export.as_onnx

    def picky(network, what, level=None):
        if what.startswith("DNI"):
            raise JobError(f"ONNX cannot hold {what}: no")
        return whole(network, what, level)

    monkeypatch.setattr(export, "as_onnx", picky)
    words = ["denoise", *WORDS, "--methods", "dni,decouple"]
    assert cli.main(["train", *words]) == 0
    assert cli.main(["export", *words, "--onnx", "--to", str(tmp_path / "out")]) == 1
    assert "dni: ONNX cannot hold DNI at level 0.2: no" in capsys.readouterr().err
    assert not (tmp_path / "out" / "dni" / "network.json").exists()
    assert (tmp_path / "out" / "decouple" / "network.json").exists()


class Fixed(nn.Module):
    """Knows the size that it was traced with."""

    def forward(self, x):
        return x + torch.ones(int(x.shape[-1]))


class Moody(nn.Module):
    """Gives something else every time."""

    def forward(self, x):
        return x + torch.rand(()).item()


@pytest.mark.parametrize("network", [Fixed(), Moody()])
def test_a_file_that_gives_other_outputs_is_not_written(network):
    pytest.importorskip("onnx")
    with pytest.raises(JobError, match="ONNX cannot hold it:"):
        export.as_onnx(network, "it")


class Spectral(nn.Module):
    """Does what ONNX has no operator for."""

    def forward(self, x):
        return x + torch.fft.fft2(x).abs()


class Seeded(nn.Module):
    """Does what torch's exporter takes for a fault of torch."""

    def forward(self, x):
        return x + torch.randn(x.shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("network", "why"),
    [
        (Spectral(), "Exporting the operator 'aten::fft_fft2' to ONNX .* is not supported"),
        (Seeded(), "Unsupported prim::Constant kind: 'ival'"),
    ],
)
def test_what_onnx_cannot_hold_is_told_in_one_sentence(network, why, capfd):
    pytest.importorskip("onnx")
    advice = r"; call the network from Python instead \(docs/library.md\), or write what .*"
    with pytest.raises(JobError, match=f"^ONNX cannot hold it: {why}{advice}$"):
        export.as_onnx(network, "it")
    # torch writes it from C++.
    assert capfd.readouterr() == ("", "")


def test_methods_that_a_sign_tells_apart_have_names_of_their_own():
    assert export.safe("mine:shift=-1") == "mine-shift--1" != export.safe("mine:shift=1")
