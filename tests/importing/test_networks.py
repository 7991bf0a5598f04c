"""What imported networks compute, and where they run."""

import hashlib
import json

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from benchmark import cli, plan, tasks
from benchmark.engines import local
from benchmark.errors import UserError
from benchmark.planning.request import request_of
from benchmark.scoring import blind
from benchmark.store import Store
from tests.importing.conftest import RUN, cdncnn, estimator, ffdnet, imported, planned


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
