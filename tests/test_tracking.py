"""The mirror in Weights & Biases, read back from the file that wandb wrote."""

import json
import os
import shutil
from pathlib import Path

import pandas as pd
import pytest

from benchmark import cli, mirrored, tasks, tracking
from benchmark.results import Results
from benchmark.verbs import bench
from tests.wandb_files import (
    LEVELS,
    LPIPS,
    PSNR,
    artifacts,
    build,
    history,
    offline,
    records,
    runs_of,
    tables,
)


@pytest.fixture
def wandb(monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_PROJECT", "")
    module = pytest.importorskip("wandb")
    yield module
    module.teardown()


def test_an_offline_run_holds_metrics_pictures_the_curve_and_the_facts(tmp_path, wandb):
    results = build(tmp_path / "pictures")
    weights = tmp_path / "start.safetensors"
    weights.write_bytes(b"weights")
    losses = {"start": [(25, 0.2), (50, 0.1)]}
    model = mirrored.Model({"start.safetensors": weights}, losses, {"start": {"seconds": 3}})
    models = {("dni", "small", "laptop", 0): model}
    budget = {"sets": ["t91"], "steps": 450}
    said = tracking.mirror(results, tasks.get("sr"), tmp_path / "report", models, training=budget)
    assert "2 runs mirrored offline" in said.text and said.failed == 0
    folder = runs_of(tmp_path / "report")["sr · dni · small · laptop · seed 0"]
    logged = history(folder)
    steps = [one for one in logged if "level" in one]
    assert [one["level"] for one in steps] == [0, 0.5, 1]
    assert [one["set5/psnr-y601"] for one in steps] == pytest.approx([28.0, 27.75, 27.5])
    assert [one["set5/lpips-alex"] for one in steps] == pytest.approx([0.3, 0.275, 0.25])
    for one in steps:
        assert one["set5/restored"]["_type"] == "image-file"
        assert {"set5/input", "set5/clean"} <= set(one)
        assert (folder / "files" / one["set5/restored"]["path"]).is_file()
    (curve,) = [value for one in logged for key, value in one.items() if key.startswith("pd_curve")]
    table = json.loads((folder / "files" / curve["path"]).read_text())
    assert table["columns"] == ["psnr-y601", "lpips-alex", "level", "data set"]
    assert table["data"][-1][2:] == ["1", "set5"]
    assert table["data"][-1][:2] == pytest.approx([27.5, 0.25])
    (path,) = folder.glob("run-*.wandb")
    every = records(path)
    run = next(one.run for one in every if one.WhichOneof("record_type") == "run")
    assert (run.run_group, run.project) == ("sr", "dialbench")
    config = {item.key: json.loads(item.value_json) for item in run.config.update}
    assert (config["method"], config["seed"], config["protocol"]) == ("dni", 0, ["sr-y"])
    assert config["training"] == {**budget, "stages": {"start": {"seconds": 3}}}
    curve = [(one["training_step"], one["loss/start"]) for one in logged if "loss/start" in one]
    assert curve == losses["start"]
    stepped = {one.metric.name for one in every if one.metric.step_metric == "level"}
    assert {"set5/psnr-y601", "set5/lpips-alex", "set5/restored"} <= stepped
    summary = {
        item.key: json.loads(item.value_json)
        for one in every
        if one.WhichOneof("record_type") == "summary"
        for item in one.summary.update
    }
    assert summary["params_stored"] == 300
    assert summary["end/set5/psnr-y601"] == pytest.approx(27.5)
    assert summary["mean/set5/psnr-y601"] == pytest.approx(27.75)
    rows = tables(folder)["rows"]
    assert rows["columns"] == list(mirrored.ROWS)
    assert [line[2:6] for line in rows["data"] if line[4] == PSNR] == [
        [level, level, PSNR, pytest.approx(28.0 - 0.5 * float(level))] for level in LEVELS
    ]
    ((model,),) = [own.items() for key, own in artifacts(folder).items() if key[0] == "model"]
    # The store's own file: wandb copies nothing, and syncs from there.
    assert model == ("start.safetensors", str(weights))


def test_the_run_of_the_report_compares_all_methods(tmp_path, wandb):
    out = tmp_path / "report"
    out.mkdir()
    (out / "index.html").write_text("the page")
    results = build(tmp_path / "pictures", ("dni", "ftn:groups=4"), (0, 1))
    tracking.mirror(results, tasks.get("sr"), out)
    folders = runs_of(out)
    assert len(folders) == 5
    report = folders["sr · report · laptop"]
    table = tables(report)["table"]
    assert len(table["data"]) == 2 * len(LEVELS) and PSNR in table["columns"]
    ((name, path),) = artifacts(report)[
        next(k for k in artifacts(report) if k[0] == "report")
    ].items()
    assert name == "index.html" and Path(path).read_text() == "the page"
    (curve,) = [
        json.loads((report / "files" / value["path"]).read_text())
        for step in history(report)
        for key, value in step.items()
        if key.startswith("pd_curve")
    ]
    assert curve["columns"] == ["psnr-y601", "lpips-alex", "level", "method"]
    assert {line[3] for line in curve["data"]} == {
        f"{method} · seed {seed}" for method in ("dni", "ftn:groups=4") for seed in (0, 1)
    }
    assert len(curve["data"]) == 4 * len(LEVELS)
    # Once more, after the page was written again: nothing but the report is sent.
    (out / "index.html").write_text("another page")
    assert (
        "1 run mirrored offline, 4 unchanged" in tracking.mirror(results, tasks.get("sr"), out).text
    )
    assert {*runs_of(out)} == {*folders} and len(offline(out)) == 5


def test_every_level_of_every_method_is_in_the_offline_copy(tmp_path, wandb):
    out, methods, seeds = tmp_path / "report", ("dni", "ftn:groups=4", "experts"), (0, 1)
    results = build(tmp_path / "pictures", methods, seeds)
    wanted = {
        (method, seed): tmp_path / f"{number}.safetensors"
        for number, (method, seed) in enumerate((m, s) for m in methods for s in seeds)
    }
    for number, path in enumerate(wanted.values()):
        path.write_bytes(bytes(number + 1))
    weights = {
        (method, "small", "laptop", seed): mirrored.Model({"start.safetensors": path})
        for (method, seed), path in wanted.items()
    }
    for _ in range(2):
        tracking.mirror(results, tasks.get("sr"), out, weights)
        folders = runs_of(out)
        assert len(offline(out)) == len(folders) == len(wanted) + 1
    seen = set()
    for one in mirrored.runs(results, tasks.get("sr"), weights, out)[:-1]:
        folder = folders[one.name]
        method, seed = one.config["method"], one.config["seed"]
        steps = {str(step["level"]): step for step in history(folder) if "level" in step}
        mine = results.rows[(results.rows["method"] == method) & (results.rows["seed"] == seed)]
        for level in LEVELS:
            for metric, key in ((PSNR, "set5/psnr-y601"), (LPIPS, "set5/lpips-alex")):
                own = mine[(mine["level"] == level) & (mine["metric"] == metric)]
                assert steps[level][key] == pytest.approx(own["value"].mean())
            if seed == 0:
                assert steps[level]["set5/restored"]["_type"] == "image-file"
        assert any(key.startswith("pd_curve") for step in history(folder) for key in step)
        (files,) = [own for key, own in artifacts(folder).items() if key[0] == "model"]
        assert files == {"start.safetensors": str(wanted[method, seed])}
        seen.add((method, seed))
    assert seen == set(wanted)


def test_a_run_mirrors_as_it_was_asked_to_and_tells_when_it_could_not(home, monkeypatch):
    asked = []

    def mirror(results, task, folder, trained, offline, training):
        assert training["steps"] == 4
        asked.append(offline)
        return tracking.Said("could not", 1)

    monkeypatch.setattr(tracking, "mirror", mirror)
    options = ["--methods", "floor", "--preset", "smoke", "--offline", "--wandb", "--jobs", "1"]
    assert cli.main(["run", "denoise", *options]) == 1
    assert asked == [True]


def test_publish_mirrors_what_is_stored_of_every_task_once(home, wandb, capsys, monkeypatch):
    options = ["--methods", "floor", "--preset", "smoke", "--offline"]
    assert cli.main(["publish", *options]) == 2
    assert "nothing is stored yet" in capsys.readouterr().err

    def page(results, plan, store):
        folder = store.home / "report" / plan.task.name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "index.html").write_text("the page")

    monkeypatch.setattr(bench, "_write_report", page)
    assert cli.main(["run", "denoise", *options, "--jobs", "1"]) == 0
    for said in ("2 runs mirrored offline, 0 unchanged", "0 runs mirrored offline, 2 unchanged"):
        capsys.readouterr()
        assert cli.main(["publish", *options]) == 0
        assert said in capsys.readouterr().out
    out = home / "report" / "denoise"
    report = "denoise · report · smoke"
    (name,) = {*runs_of(out)} - {report}
    assert name == "denoise · floor · small:blocks=2:width=8 · smoke · seed 0"
    levels = [step["level"] for step in history(runs_of(out)[name]) if "level" in step]
    assert levels == [0.2, 0.6, 1]
    ((_, files),) = [
        one for one in artifacts(runs_of(out)[report]).items() if one[0][0] == "report"
    ]
    assert {*files} == {"index.html"}


def test_the_same_results_are_mirrored_once_and_changed_ones_replace_the_offline_copy(
    tmp_path, wandb
):
    task, out = tasks.get("sr"), tmp_path / "report"
    tracking.mirror(build(tmp_path / "pictures", ("dni", "ftn:groups=4"), (0, 1)), task, out)
    first = offline(out)
    assert len(first) == 5
    said = tracking.mirror(build(tmp_path / "pictures", ("dni", "ftn:groups=4"), (0, 1)), task, out)
    assert "0 runs mirrored offline, 5 unchanged" in said.text
    assert offline(out) == first
    said = tracking.mirror(build(tmp_path / "pictures", ("dni",), (0,), gain=1.0), task, out)
    assert "2 runs mirrored offline" in said.text
    ids = [folder.name.rpartition("-")[2] for folder in offline(out)]
    assert sorted(ids) == sorted(folder.name.rpartition("-")[2] for folder in first)
    steps = [history(folder)[0] for folder in offline(out)]
    values = [one["set5/psnr-y601"] for one in steps if "level" in one]
    assert max(values) == pytest.approx(29.0)


def test_after_an_upload_only_changed_levels_are_logged(tmp_path, wandb):
    task, out = tasks.get("sr"), tmp_path / "report"
    tracking.mirror(build(tmp_path / "pictures", levels=("0", "1")), task, out)
    old = runs_of(out)["sr · dni · small · laptop · seed 0"]
    # Two copies of one second would share a folder.
    fresh = old.name
    old = old.rename(old.with_name(f"offline-run-20260101_000000-{old.name[-16:]}"))
    ledger = out / "wandb" / tracking.LEDGER
    ledger.write_text(ledger.read_text().replace(fresh, old.name))
    (path,) = old.glob("run-*.wandb")
    path.with_name(f"{path.name}.synced").touch()
    results = build(tmp_path / "pictures", levels=("0", "1"))
    changed = results.rows["level"] == "1"
    results.rows.loc[changed, "value"] += 1.0
    tracking.mirror(results, task, out)
    (new,) = [one for one in offline(out) if one != old and one.name.endswith(old.name[-16:])]
    assert [one["level"] for one in history(new) if "level" in one] == [1]


def test_what_was_uploaded_is_not_sent_again_when_its_copy_is_gone(tmp_path, wandb):
    task, out = tasks.get("sr"), tmp_path / "report"
    results = build(tmp_path / "pictures", ("dni", "ftn"))
    tracking.mirror(results, task, out)
    for copy in offline(out):
        (path,) = copy.glob("run-*.wandb")
        path.with_name(f"{path.name}.synced").touch()
    assert "0 runs mirrored offline, 3 unchanged" in tracking.mirror(results, task, out).text
    for copy in offline(out):
        shutil.rmtree(copy)
    assert "0 runs mirrored offline, 3 unchanged" in tracking.mirror(results, task, out).text
    # One that was lost before it was uploaded is written again.
    fresh = tmp_path / "fresh"
    tracking.mirror(results, task, fresh)
    shutil.rmtree(offline(fresh)[0])
    assert "1 run mirrored offline, 2 unchanged" in tracking.mirror(results, task, fresh).text


def test_a_change_that_never_reached_the_server_is_not_taken_for_uploaded(tmp_path, wandb):
    task, out = tasks.get("sr"), tmp_path / "report"
    tracking.mirror(build(tmp_path / "pictures"), task, out)
    old = runs_of(out)["sr · dni · small · laptop · seed 0"]
    # Two copies of one second would share a folder, and the ledger knows them by name.
    early = old.with_name(f"offline-run-20260101_000000-{old.name[-16:]}")
    old.rename(early)
    ledger = out / "wandb" / tracking.LEDGER
    ledger.write_text(ledger.read_text().replace(old.name, early.name))
    (path,) = early.glob("run-*.wandb")
    path.with_name(f"{path.name}.synced").touch()
    changed = build(tmp_path / "pictures", gain=1.0)
    tracking.mirror(changed, task, out)
    (new,) = [one for one in offline(out) if one != early and one.name.endswith(old.name[-16:])]
    shutil.rmtree(new)
    tracking.mirror(changed, task, out)
    (new,) = [one for one in offline(out) if one != early and one.name.endswith(old.name[-16:])]
    assert [one["level"] for one in history(new) if "level" in one] == [0, 0.5, 1]


def test_what_waits_to_be_uploaded_lies_below_the_report(tmp_path, wandb, monkeypatch):
    monkeypatch.delenv("WANDB_DATA_DIR", raising=False)
    out = tmp_path / "report"
    out.mkdir()
    (out / "index.html").write_text("the page")
    tracking.mirror(build(tmp_path / "pictures"), tasks.get("sr"), out)
    ((_, files),) = [
        one
        for one in artifacts(runs_of(out)["sr · report · laptop"]).items()
        if one[0][0] == "report"
    ]
    assert all(Path(path).is_relative_to(out / "wandb") for path in files.values())
    assert "WANDB_DATA_DIR" not in os.environ


def test_levels_of_several_dials_have_numbers_to_be_drawn_against(tmp_path, wandb):
    levels = ("0/0", "0/0.5", "1/1")
    rows = build(tmp_path / "pictures").rows
    rows = pd.concat(
        rows[(rows["level"] == "0") & (rows["metric"] == PSNR)].assign(level=one, set_level=one)
        for one in levels
    )
    results = Results(rows, build(tmp_path / "p").costs, build(tmp_path / "q").pictures.iloc[:0])
    tracking.mirror(results, tasks.get("blur-noise"), tmp_path / "report")
    (name,) = [one for one in runs_of(tmp_path / "report") if "report" not in one]
    folder = runs_of(tmp_path / "report")[name]
    steps = [one for one in history(folder) if "level" in one]
    assert [one["level"] for one in steps] == [*levels]
    assert [one["point"] for one in steps] == [0, 1, 2]
    # A slash is a step into a group: the dials of the level.
    dials = [
        {key: value for key, value in one.items() if key.startswith("level/")} for one in steps
    ]
    assert dials == [
        {"level/blur": 0, "level/sigma": 0},
        {"level/blur": 0, "level/sigma": 0.5},
        {"level/blur": 1, "level/sigma": 1},
    ]


def test_disabled_mode_and_trouble_are_reported_and_never_raise(tmp_path, wandb, monkeypatch):
    results, task = build(tmp_path / "pictures"), tasks.get("sr")
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert "disabled" in tracking.mirror(results, task, tmp_path / "off").text
    assert not (tmp_path / "off").exists()
    monkeypatch.setenv("WANDB_MODE", "offline")

    def broken(*_, **__):
        raise RuntimeError("no room\nleft")

    monkeypatch.setattr(wandb, "init", broken)
    said = tracking.mirror(results, task, tmp_path / "broken")
    assert "0 runs mirrored" in said.text and said.failed == 2
    assert "seed 0 failed (no room left)" in said.text


def test_without_a_server_an_online_mirror_goes_offline(tmp_path, wandb, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "online")
    start = wandb.init

    def unreachable(*args, **options):
        if options["mode"] == "online":
            raise ConnectionError("no route to the server")
        return start(*args, **options)

    monkeypatch.setattr(wandb, "init", unreachable)
    said = tracking.mirror(build(tmp_path / "pictures", seeds=(0, 1)), tasks.get("sr"), tmp_path)
    assert "3 runs mirrored offline" in said.text
    assert said.text.count("no route to the server") == 1
    assert len(offline(tmp_path)) == 3


def test_without_a_login_nothing_asks_for_one(wandb, monkeypatch, tmp_path):
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("asked for input"))
    wandb.teardown()
    assert tracking._mode() == "offline"
