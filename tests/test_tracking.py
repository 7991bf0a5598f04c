"""The mirror in Weights & Biases, read back from the file that wandb wrote."""

import json
import math
import struct
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark import cli, mirrored, tasks, tracking
from benchmark.report.results import CLEAN, INPUT, Results
from benchmark.verbs import bench

BLOCK, HEADER = 32768, 7
FULL, FIRST, LAST = 1, 2, 4
LEVELS = ("0", "0.5", "1")
PATIENCE = 20
"""Seconds that wandb may take to write."""
PSNR, LPIPS = "psnr-y601", "lpips-alex@lpips-0.1.4"


def build(folder: Path, methods=("dni",), seeds=(0,), levels=LEVELS, gain: float = 0.0) -> Results:
    """Results of the sr task with two metrics, and one picture per level."""
    folder.mkdir(exist_ok=True)
    pictures = []

    def paint(method: str, backbone: str, level: str, size: int) -> None:
        path = folder / f"{len(pictures)}.png"
        Image.fromarray(np.full((size, size, 3), 7 * len(pictures), np.uint8)).save(path)
        pictures.append((method, backbone, 0, "set5", "a", level, str(path)))

    paint(CLEAN, "", "", 32)
    for level in levels:
        paint(INPUT, "", level, 8)
        for method in methods:
            paint(method, "small", level, 32)
    keys = ("method", "backbone", "seed", "dataset", "image", "level", "path")
    rows = [
        {
            "task": "sr",
            "protocol": "sr-y",
            "dataset": "set5",
            "image": "a",
            "method": method,
            "backbone": "small",
            "preset": "laptop",
            "seed": seed,
            "level": level,
            "set_level": level,
            "level_physical": level,
            "metric": metric,
            "value": start + slope * float(level) + 0.1 * seed + gain,
            "status": "ok",
            "reason": "",
        }
        for method in methods
        for seed in seeds
        for level in levels
        for metric, start, slope in ((PSNR, 28.0, -0.5), (LPIPS, 0.3, -0.05))
    ]
    costs = [
        {
            "method": method,
            "backbone": "small",
            "preset": "laptop",
            "seed": seed,
            "folds": True,
            "params_stored": 300,
            "params_folded": 150,
            "macs": 1000,
            "ms_per_image": math.nan,
            "train_steps": 800,
        }
        for method in methods
        for seed in seeds
    ]
    return Results.of(rows, costs, [dict(zip(keys, one, strict=True)) for one in pictures])


def records(path: Path) -> list:
    """Returns the records of a .wandb file: a LevelDB log of protocol buffers."""
    from wandb.proto import wandb_internal_pb2

    data, at, found, parts = path.read_bytes(), HEADER, [], b""
    assert data[:4] == b":W&B"
    while at + HEADER <= len(data):
        if BLOCK - at % BLOCK < HEADER:
            at += BLOCK - at % BLOCK
            continue
        _, length, kind = struct.unpack("<IHB", data[at : at + HEADER])
        piece = data[at + HEADER : at + HEADER + length]
        at += HEADER + length
        parts = piece if kind in (FULL, FIRST) else parts + piece
        if kind in (FULL, LAST):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(parts)
            found.append(record)
    return found


def history(folder: Path) -> list[dict]:
    """Returns what an offline run logged, step by step."""
    (path,) = folder.glob("run-*.wandb")
    steps = []
    for record in records(path):
        if record.WhichOneof("record_type") != "history":
            continue
        step: dict = {}
        for item in record.history.item:
            *outer, last = item.nested_key or [item.key]
            inside = step
            for name in outer:
                inside = inside.setdefault(name, {})
            inside[last] = json.loads(item.value_json)
        steps.append(step)
    return steps


def offline(out: Path) -> list[Path]:
    return sorted((out / "wandb").glob("offline-run-*"))


def runs_of(out: Path) -> dict[str, Path]:
    """Returns the folders of all offline runs, by the name of the run."""
    found = {}
    for folder in offline(out):
        (path,) = folder.glob("run-*.wandb")
        limit, names = time.monotonic() + PATIENCE, set()
        # wandb's own process may still be writing when a run has finished, on a busy machine.
        while len(names) != 1 and time.monotonic() < limit:
            names = {one.run.display_name for one in records(path) if one.HasField("run")}
            time.sleep(0.0 if names else 0.2)
        (name,) = names
        found[name] = folder
    return found


def tables(folder: Path) -> dict[str, dict]:
    """Returns the tables that an offline run logged."""
    return {
        key: json.loads((folder / "files" / value["path"]).read_text())
        for step in history(folder)
        for key, value in step.items()
        if isinstance(value, dict) and value.get("_type") == "table-file"
    }


def artifacts(folder: Path) -> dict[tuple[str, str], dict[str, str]]:
    """Returns the files of an offline run's artifacts (by type and name), with where they lie."""
    (path,) = folder.glob("run-*.wandb")
    return {
        (one.artifact.type, one.artifact.name): {
            file.path: file.local_path for file in one.artifact.manifest.contents
        }
        for one in records(path)
        if one.WhichOneof("record_type") == "artifact"
    }


@pytest.fixture
def wandb(monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.delenv("WANDB_PROJECT", raising=False)
    module = pytest.importorskip("wandb")
    yield module
    module.teardown()


def test_importing_the_mirror_does_not_import_wandb():
    import subprocess

    code = "import sys, benchmark.tracking; assert not {'wandb', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_offline_run_holds_metrics_pictures_the_curve_and_the_facts(tmp_path, wandb):
    results = build(tmp_path / "pictures")
    weights = tmp_path / "start.safetensors"
    weights.write_bytes(b"weights")
    models = {("dni", "small", "laptop", 0): {"start.safetensors": weights}}
    said = tracking.mirror(results, tasks.get("sr"), tmp_path / "report", models)
    assert "2 runs mirrored offline" in said.text and said.failed == 0
    folder = runs_of(tmp_path / "report")["dni · seed 0"]
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
    report = folders["sr · report"]
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
    assert {line[3] for line in curve["data"]} == {*folders} - {"sr · report"}
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
        (method, "small", "laptop", seed): {"start.safetensors": path}
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

    def mirror(results, task, folder, weights, offline):
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
    assert {*runs_of(out)} == {"floor · seed 0", "denoise · report"}
    levels = [step["level"] for step in history(runs_of(out)["floor · seed 0"]) if "level" in step]
    assert levels == [0.2, 0.6, 1]
    ((_, files),) = [
        one for one in artifacts(runs_of(out)["denoise · report"]).items() if one[0][0] == "report"
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
    old = runs_of(out)["dni · seed 0"]
    # Two copies of one second would share a folder.
    old = old.rename(old.with_name(f"offline-run-20260101_000000-{old.name[-16:]}"))
    (path,) = old.glob("run-*.wandb")
    path.with_name(f"{path.name}.synced").touch()
    results = build(tmp_path / "pictures", levels=("0", "1"))
    changed = results.rows["level"] == "1"
    results.rows.loc[changed, "value"] += 1.0
    tracking.mirror(results, task, out)
    (new,) = [one for one in offline(out) if one != old and one.name.endswith(old.name[-16:])]
    assert [one["level"] for one in history(new) if "level" in one] == [1]


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
    assert "dni · seed 0 failed (no room left)" in said.text


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


def test_without_wandb_the_mirror_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    said = tracking.mirror(build(tmp_path / "pictures"), tasks.get("sr"), tmp_path)
    assert "pip install wandb" in said.text and said.failed


def test_long_tables_are_split_since_wandb_would_cut_them_off():
    parts = list(tracking.pieces("rows", list(range(7)), 3))
    assert parts == [("rows", [0, 1, 2]), ("rows-2", [3, 4, 5]), ("rows-3", [6])]
    assert list(tracking.pieces("rows", [], 3)) == [("rows", [])]


def test_run_ids_depend_on_who_was_trained_but_not_on_the_numbers(tmp_path):
    task = tasks.get("sr")
    one = mirrored.runs(build(tmp_path / "p", ("dni",), (0, 1)), task, {}, tmp_path / "no")
    more = build(tmp_path / "p", ("dni", "ftn"), (0, 1), gain=2.0)
    other = mirrored.runs(more, task, {}, tmp_path / "no")
    assert [run.id for run in one] == [run.id for run in (*other[:2], other[-1])]
    assert len({run.id for run in other}) == 5
    assert one[0].digests() != other[0].digests()
