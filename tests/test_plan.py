"""Plans: wanted less stored."""

import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmark import cli, plan
from benchmark.control import Axis, ControlSpace
from benchmark.engines import local
from benchmark.errors import UserError
from benchmark.planning.request import request_of, wanted
from benchmark.store import Store
from benchmark.training.stage import At, Stage, Uniform, corner_stages, fault, start_stage
from benchmark.verbs.outline import describe

SMALL = ("--preset", "smoke", "--set", "steps=1", "--levels", "0,1", "--offline")

HEADLESS = """
from benchmark.method import At, ControlMethod, Stage

class Headless(ControlMethod):
    def build(self, backbone, control):
        pass

    def stages(self, task):
        return [Stage("joint", ("",), At(0.0), starts_from="nowhere")]

    def forward(self, x, level):
        return self.backbone(x)
"""


ONLY = """
from benchmark.method import ControlMethod

class Only(ControlMethod):
    def build(self, backbone, control):
        pass

    def stages(self, task):
        return []

    def forward(self, x, level):
        return x

    def only_levels(self, task):
        return {only}
"""


@pytest.fixture
def planned(home):
    def make(*words: str) -> tuple[plan.Plan, Store]:
        top, _ = cli.parser()
        request = request_of(top.parse_args(["run", "sr", *SMALL, *words]))
        store = Store()
        store.prepare()
        return plan.make(request, store), store

    return make


def kinds(made: plan.Plan) -> tuple[int, int]:
    """Returns the numbers of train and of sweep jobs to run."""
    jobs = made.jobs()
    trains = [job for job in jobs if hasattr(job, "stage")]
    return len(trains), len(jobs) - len(trains)


def test_the_start_network_is_trained_once_for_all_who_need_it(planned):
    made, _ = planned()
    start = next(key for key, job in made.trains.items() if job.stage.name == "start")
    assert set(made.users[start]) >= {"dni", "adafm", "cfsnet", "dynamic_net", "ftn", "blend"}
    text = describe(made)
    assert "shared by dni, adafm, cfsnet, dynamic_net, ftn, blend" in text
    assert f"training steps: {sum(map(made.steps, made.trains))} to do" in text


def test_levels_are_told_in_the_unit_of_the_dial_and_which_are_not_trained_for(home):
    def told(method: str, sigmas: str) -> str:
        words = ["--preset", "smoke", "--offline", "--methods", method, "--physical", sigmas]
        top, _ = cli.parser()
        request = request_of(top.parse_args(["run", "denoise", *words]))
        return describe(plan.make(request, Store()))

    text = told("dni", "5,50")
    assert "; levels 0 (5), 0.6 (50)\ntraining does not reach levels 0 (5)\n" in text
    assert "; levels 0.2 (20), 0.6 (50)\n\nstage" in told("dni", "20,50")
    # Where nothing is trained, no level lies beyond.
    assert "; levels 0 (5), 0.6 (50)\n\ncells" in told("floor", "5,50")


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ("adafm:k=2", "adafm:k=2: AdaFM's filter size must be odd, not 2; "),
        ("ftn:groups=0", "ftn:groups=0: "),
        ("experts:count=1", "experts:count=1: "),
        ("experts:at=abc", "experts:at=abc: "),
    ],
)
def test_a_wrong_value_of_an_option_stops_the_run_before_anything_is_trained(
    method, said, home, capsys
):
    words = ["--preset", "smoke", "--offline", "--methods", f"floor,{method}"]
    for more in ([], ["--dry-run"]):
        assert cli.main(["run", "denoise", *words, *more]) == 2
        error = capsys.readouterr().err
        assert error.startswith(f"dialbench: {said}") and error.count("\n") == 1


def test_dni_and_blend_train_the_very_same_networks(planned):
    dni, _ = planned("--methods", "dni")
    blend, _ = planned("--methods", "blend")
    assert dni.trains.keys() == blend.trains.keys()


def test_seeds_share_nothing(planned):
    one, _ = planned("--methods", "dni")
    two, _ = planned("--methods", "dni", "--seeds", "0,1")
    assert len(two.trains) == 2 * len(one.trains)
    assert len(two.sweeps) == 2 * len(one.sweeps)


def test_only_what_is_missing_is_done(planned):
    made, store = planned("--methods", "dni")
    assert kinds(made) == (2, 1)
    assert local.run(made.jobs(), store, workers=1) == {}
    assert kinds(planned("--methods", "dni")[0]) == (0, 0)

    wider, _ = planned("--methods", "dni,blend,ftn", "--levels", "0,0.5,1")
    assert kinds(wider) == (1, 3)
    (dni,) = [job for job in wider.jobs() if job.method == "dni"]
    assert dni.levels == ((0.5,),)

    forced, _ = planned("--methods", "dni,blend", "--force", "dni")
    again = [job.stage.name for job in forced.jobs() if hasattr(job, "stage")]
    assert again == ["end"]
    forced.begin(store)
    assert local.run(forced.jobs(), store, workers=1) == {}
    assert kinds(planned("--methods", "dni")[0]) == (0, 0)


def test_force_forgets_only_what_is_about_to_be_done_again(planned):
    made, store = planned("--methods", "dni")
    assert local.run(made.jobs(), store, workers=1) == {}
    stages, cells = (
        lambda: len(list(store.home.glob("stages/*/stage.json"))),
        lambda: len(list(store.home.glob("cells/*/*.json"))),
    )
    there = stages(), cells()
    scored = plan.make(planned("--methods", "dni", "--force", "dni")[0].request, store, train=False)
    assert "0 to do of" in describe(scored)
    scored.begin(store)
    assert (stages(), cells()) == (there[0], 0)
    assert local.run(scored.jobs(train=False), store, workers=1) == {}
    trained, _ = planned("--methods", "dni", "--force", "dni")
    trained.begin(store, sweep=False)
    assert (stages(), cells()) == (there[0] - 1, there[1])
    assert local.run(trained.jobs(sweep=False), store, workers=1) == {}
    assert kinds(planned("--methods", "dni")[0]) == (0, 0)


def test_jobs_name_folders_of_images_so_that_they_can_be_read_from_anywhere(
    planned, photographs, monkeypatch
):
    monkeypatch.chdir(photographs.parent)
    made, _ = planned("--methods", "floor", "--test", f"{photographs.name}:without=p0")
    (job,) = made.sweeps.values()
    assert job.dataset == f"{photographs.resolve()}:without=p0"


def test_a_damaged_stage_is_trained_again(planned):
    made, store = planned("--methods", "dni")
    local.run(made.jobs(sweep=False), store, workers=1)
    key = next(iter(made.trains))
    (store.stage_folder(key) / "model.safetensors").write_bytes(b"damaged")
    again, _ = planned("--methods", "dni")
    assert [job.key for job in again.jobs(sweep=False)] == [key]


def test_weights_are_read_once_however_many_test_sets_there_are(
    planned, photographs, tmp_path, monkeypatch
):
    sets = [shutil.copytree(photographs, tmp_path / name) for name in ("one", "two", "three")]
    words = ("--methods", "dni,ftn", "--test", ",".join(map(str, sets)))
    made, store = planned(*words)
    for key in made.trains:
        store.write_stage(key, {"w": torch.ones(9)}, {"steps": 1})
        os.utime(store.stage_folder(key) / "model.safetensors", (time.time() - 60,) * 2)
    read, reading = [], Path.read_bytes

    def counted(path):
        read.extend([path] if path.name == "model.safetensors" else [])
        return reading(path)

    monkeypatch.setattr(Path, "read_bytes", counted)
    again, store = planned(*words)
    assert again.stored == set(made.trains) and len(again.sweeps) == 2 * len(sets)
    assert plan.stored_cells(again, store) == []
    assert len(read) == len(set(read)) == len(made.trains)


def test_of_the_seeds_of_a_method_the_first_that_is_trained_counts(planned):
    made, store = planned("--methods", "dni,ftn,floor", "--seeds", "3,0,1")
    for key, job in made.trains.items():
        if job.seed != 3 and job.method is None:
            store.write_stage(key, {"w": torch.ones(1)}, {"steps": 1})
    found = {job.method: job.seed for job in plan.stored_jobs(made, store)}
    assert found == {"dni": 0, "floor": 3}


def test_a_grid_of_two_axes_is_the_product_of_the_axes():
    one, two = (ControlSpace((Axis("t", 0.0, 1.0),) * d) for d in (1, 2))
    assert two.lattice(2) == ((0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0))
    assert one.lattice(5) == ((0.0,), (0.25,), (0.5,), (0.75,), (1.0,))


def test_experts_leave_out_the_levels_they_were_not_trained_for(planned):
    made, _ = planned("--methods", "experts", "--levels", "0,0.3,1")
    (job,) = made.sweeps.values()
    assert job.levels == ((0.0,), (1.0,))
    assert "left out" in made.skipped[0].reason
    assert "left out" in describe(made)


START = start_stage()
TUNE = Stage("tune", ("a.",), At(1.0), starts_from="start")


@pytest.mark.parametrize(
    ("stages", "words"),
    [
        ([START, TUNE], ""),
        ([START, TUNE, replace(TUNE, name="more", starts_from="tune")], ""),
        (corner_stages(ControlSpace((Axis("a", 0, 1),))), ""),
        (
            [START, replace(TUNE, starts_from=None)],
            "'tune' begins without what stage 'start' trained",
        ),
        (
            [START, TUNE, replace(TUNE, name="more")],
            "'more' begins without what stage 'tune' trained",
        ),
        (
            [START, replace(START, name="end", network="ends.0"), replace(TUNE, starts_from="end")],
            "would lose what stage 'start' trained: a stage begins with the weights of one other",
        ),
        (
            [replace(TUNE, starts_from=None), replace(START, starts_from="tune")],
            "'start' trains a plain network and cannot start from 'tune'",
        ),
        ([TUNE], "'start', which is no earlier stage"),
        ([START, START], "two stages 'start'"),
        ([start_stage(2)], "is trained at 2 values"),
        ([START, replace(TUNE, levels=1.0)], "has levels=1.0; write At(1.0)"),
        ([START, replace(TUNE, levels=Uniform)], "'tune' has levels=<class"),
        ([START, replace(TUNE, levels=At(1.5))], "'tune' is trained at 1.5; levels count from 0"),
    ],
)
def test_stages_that_would_lose_what_others_trained_are_refused(stages, words):
    assert words in fault(stages, 1) and bool(words) == bool(fault(stages, 1))


def test_code_that_changes_while_a_run_goes_on_fails_its_jobs_instead_of_mislabelling_them(
    planned, monkeypatch
):
    made, store = planned("--methods", "dni")
    monkeypatch.setattr(plan.keys, "method_digest", lambda *_: "edited")
    monkeypatch.setattr(plan.keys, "backbone_digest", lambda *_: "edited")
    failed = local.run(made.jobs(), store, workers=1)
    assert set(failed) == {job.key for job in made.jobs()}
    assert all("run again" in reason for reason in failed.values())


def test_a_method_that_a_backbone_does_not_suit_is_skipped_with_its_reason(home):
    words = ("denoise", "--preset", "smoke", "--backbone", "decouple_net:width=8:blocks=2")
    top, _ = cli.parser()
    asked = request_of(top.parse_args(["run", *words, "--methods", "adafm,adafm:k=3"]))
    made = plan.make(asked, Store())
    assert {job.method for job in made.sweeps.values()} == {"adafm:k=3"}
    (skipped,) = made.skipped
    assert skipped.method == "adafm" and "use adafm:k=3 on this backbone" in skipped.reason


def test_a_stage_that_starts_from_no_earlier_one_stops_no_other_method(planned, tmp_path):
    file = tmp_path / "headless.py"
    file.write_text(HEADLESS)
    made, _ = planned("--methods", "dni", "--method", str(file))
    assert {job.method for job in made.sweeps.values()} == {"dni"}
    (failure,) = made.failures
    assert failure.reason == "stage 'joint' starts from 'nowhere', which is no earlier stage"


def test_what_is_wrong_with_several_sets_is_told_at_once(home, photographs, tmp_path):
    for folder in ("one", "two"):
        shutil.copytree(photographs, tmp_path / folder)
        (tmp_path / folder / "bad.png").write_text("no image")
    one, two = str(tmp_path / "one"), str(tmp_path / "two")
    asked = wanted("denoise", ["floor"], preset="smoke", train=[one], test=[two], offline=True)
    with pytest.raises(UserError) as told:
        plan.make(asked, Store())
    assert f"{two}/bad.png is damaged" in str(told.value)
    assert f"{one}/bad.png is damaged" in str(told.value)
    both = wanted("denoise", ["floor"], preset="smoke", train=[one], test=[one], offline=True)
    with pytest.raises(UserError, match="^image [^;]*; replace or remove it$"):
        plan.make(both, Store())


@pytest.mark.parametrize("only", ["7", "(0.5,)", "((0.5, 0.5),)", "((2.0,),)"])
def test_a_method_whose_only_levels_are_none_fails_alone(only, planned, tmp_path):
    file = tmp_path / "only.py"
    file.write_text(ONLY.format(only=only))
    made, _ = planned("--methods", "floor", "--method", str(file))
    (failure,) = made.failures
    assert failure.method == "only"
    assert failure.reason == (
        f"only_levels() must return None or levels of sr, like ((1.0,),), and returned {only}"
    )
    assert {job.method for job in made.sweeps.values()} == {"floor"}
