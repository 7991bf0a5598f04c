"""Every method keeps the contract on every backbone; methods that break it are found."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from benchmark import cli, conformance
from benchmark.build import create_method
from benchmark.conformance import devices, outputs, training, tuned
from benchmark.conformance.networks import TINY, Place, places
from benchmark.conformance.subject import Factory, Skipped, scrambled
from benchmark.conformance.trial import examine
from benchmark.errors import UserError
from benchmark.method import ControlMethod
from benchmark.registry.discovery import entries
from benchmark.tasks import Task

BROKEN = Path(__file__).parent / "broken"
METHODS = (
    "decouple",
    "decouple_fast",
    "dni",
    "adafm",
    "adafm:k=5",
    "cfsnet",
    "dynamic_net",
    "ftn",
    "tunable_conv",
    "hypernet",
    "cresmd",
)
OTHERS = ("ftn:groups=4", "tunable_conv:expand=2", "floor", "blend", "experts")
AFFINE = ("decouple", "dni", "adafm", "ftn", "ftn:groups=4", "tunable_conv", "hypernet", "cresmd")
TWO_AXES = ("decouple", "decouple_fast", "tunable_conv", "floor", "dni", "cresmd", "blend")

PLACES = {place.name: place for place in places()}
# Checks of training and storage see no difference between these and what they stand for.
EVERY_CHECK = (
    *("small x1", "small x4", "adafm_net x1", "cfsnet_main x1", "cfsnet_main x4", "resnet16 x4"),
    *("a tangle of layers", "a plain chain"),
)
PAIRS = [(method, name) for method in METHODS for name in EVERY_CHECK]
PAIRS += [(method, name) for method in OTHERS for name in ("small x4", "a tangle of layers")]
PAIRS += [(method, "small with two axes") for method in TWO_AXES]
REFUSED = [("adafm", "decouple_net x1"), ("adafm", "transform_net x1")]
CHECKS = [check for check in conformance.CHECKS if check is not tuned.tuned_networks_export_to_onnx]
ELSEWHERE = [name for name in PLACES if name not in EVERY_CHECK and " x" in name]
BASIC = (
    outputs.tuned_equals_forward,
    tuned.folding_keeps_the_backbone,
    training.stages_move_what_they_declare,
)

NO_FOLD = ("adafm:k=5", "cfsnet", "dynamic_net", "blend", "floor")
NOTHING_TO_CHECK = {
    "dial_changes_output": ("floor",),
    "output_is_continuous": ("experts",),
    "folding_keeps_the_backbone": NO_FOLD,
    "stages_move_what_they_declare": ("dni", "blend", "experts", "floor"),
    "plain_networks_answer_at_their_level": (
        *("decouple", "decouple_fast", "tunable_conv", "tunable_conv:expand=2"),
        *("hypernet", "cresmd", "floor"),
    ),
    "recorded_steps_are_the_same_work": ("blend", "experts", "floor"),
    # They train nothing of their own, and their outputs wait for a level's value.
    "everything_moves_to_a_gpu": ("blend", "experts", "floor"),
}
"""The methods that a check skips, wherever they are built. All others must answer it."""
BESIDE_TOKENS = ("adafm", "adafm:k=5", "decouple_fast", "blend", "floor")
"""The methods that take maps where other layers of the backbone work on tokens."""
MAPS = ("level_maps_equal_levels", "level_maps_act_in_place")


def is_skipped(method: str, name: str, check: str) -> bool:
    """Whether a check has nothing to ask a method on a backbone; a list, so that no skip is silent."""
    if check in MAPS:
        known = BESIDE_TOKENS if check == "level_maps_equal_levels" else ("floor",)
        on_tokens = name == "a tangle of layers" and method not in known
        on_two_axes = (method, name) == ("dni", "small with two axes")
        return method == "experts" or on_tokens or on_two_axes
    return method in NOTHING_TO_CHECK.get(check, ())


def answer(method: str, name: str, check: Callable[[Factory, Task], None]) -> None:
    """Makes a check; it must skip where ``is_skipped`` says so, and nowhere else."""
    place, expected = PLACES[name], is_skipped(method, name, check.__name__)
    try:
        check(factory_of(method, place), place.task)
    except Skipped as reason:
        assert expected, f"nothing was checked: {reason}"
        pytest.skip(str(reason))
    assert not expected, "it answers now; take it from what is skipped"


def factory_of(method: str, place: Place) -> Factory:
    def factory(seed: int) -> ControlMethod:
        torch.manual_seed(seed)
        backbone = place.backbone()
        return create_method(method).assemble(backbone, place.task.space)

    return factory


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize(("method", "name"), PAIRS)
def test_method_conforms(method, name, check):
    answer(method, name, check)


@pytest.mark.parametrize("check", BASIC, ids=lambda check: check.__name__)
@pytest.mark.parametrize(
    ("method", "name"),
    [
        (method, name)
        for method in METHODS
        for name in ELSEWHERE
        if method != "adafm:k=5" and (method, name) not in REFUSED
    ],
)
def test_method_computes_and_trains_the_same_on_every_backbone(method, name, check):
    answer(method, name, check)


@pytest.mark.parametrize(("method", "name"), REFUSED)
def test_a_backbone_whose_norms_cannot_be_tuned_is_refused(method, name):
    with pytest.raises(UserError, match="instance norms"):
        factory_of(method, PLACES[name])(0)


def test_every_backbone_has_a_tiny_kind():
    known = [entry.name for entry in entries() if entry.group == "network"]
    assert sorted(TINY) == sorted(known)


@pytest.mark.parametrize("name", ["small x1", "a tangle of layers"])
@pytest.mark.parametrize("method", AFFINE)
def test_kernels_are_affine_in_the_level(method, name):
    place = PLACES[name]
    subject = scrambled(factory_of(method, place))
    states = [subject.tuned((t,) * place.task.space.d).state_dict() for t in (0.2, 0.5, 0.8)]
    for key, middle in states[1].items():
        # An affine function has no second difference.
        bend = states[0][key] - 2 * middle + states[2][key]
        assert bend.abs().max() < 1e-12, f"{key} is not affine in the level"


@pytest.mark.parametrize("method", [*METHODS, "blend"])
def test_tuned_networks_export_to_onnx(method):
    pytest.importorskip("onnx")
    others = ("swinir x1", "nafnet x1") if method == "tunable_conv" else ()
    for name in ("small x4", "resnet16 x4", *others):
        place = PLACES[name]
        tuned.tuned_networks_export_to_onnx(factory_of(method, place), place.task)


def test_a_backbone_that_onnx_cannot_run_fails_no_method():
    pytest.importorskip("onnx")
    place = PLACES["a tangle of layers"]
    with pytest.raises(Skipped, match="ONNX cannot run its backbone alone either"):
        tuned.tuned_networks_export_to_onnx(factory_of("dni", place), place.task)


@pytest.mark.parametrize(
    ("method", "check", "reason"),
    [
        ("forgets_bias", "tuned_equals_forward", "tuned and forward differ at level 0.7"),
        ("grey", "outputs_have_their_shape", "the output has shape"),
        ("ignores_level", "dial_changes_output", "the output is the same at levels 0.2 and 0.6"),
        (
            "shifted_start",
            "plain_networks_answer_at_their_level",
            "level 0.2 is not exactly its own network",
        ),
        ("moves_frozen", "stages_move_what_they_declare", "stage 'tune' moves backbone.b"),
        ("leaks_level", "mixed_levels_equal_one_by_one", "a batch of mixed levels differs"),
        (
            "moves_start",
            "plain_networks_answer_at_their_level",
            "level 0.2 is not exactly its own network after stage 'tune'",
        ),
        ("leaks_in_training", "mixed_levels_equal_one_by_one", "in training mode"),
        ("jumps", "output_is_continuous", "the output jumps at level"),
        ("forgets_state", "weights_survive_storage", "stored weights give another output"),
        ("unseeded", "seeds_decide_weights", "the same seed gives different weights"),
        ("bends", "level_maps_equal_levels", "a map of level 0.7 differs from the level"),
        ("calls_home", "network_is_left_alone", "asks the network for weights.invalid"),
        ("shares_memory", "tuning_leaves_the_method_alone", "changes the method"),
        ("restless", "recorded_steps_are_the_same_work", "steps of stage 'joint' differ: aten.mul"),
        ("stays", "everything_moves_to_a_gpu", "stage 'joint' is on the GPU in part only"),
        ("asks", "recorded_steps_are_the_same_work", "waits for _local_scalar_dense"),
        ("untold", "weights_survive_storage", "give another output after training"),
        ("remembers", "weights_survive_storage", "stored weights give another output"),
        ("clings", "tuning_leaves_the_method_alone", "the method changes a tuned network"),
        ("learns_the_end", "dial_changes_output", "at levels 0.2 and 0.6 in training mode"),
        ("flattens", "level_maps_act_in_place", "part of a map differs from its level"),
    ],
)
def test_a_planted_defect_is_found_by_name(method, check, reason):
    found = examine(method, BROKEN / f"{method}.py", [PLACES["small x1"]])
    failed = {finding.check: finding.reason for finding in found if finding.verdict == "FAILED"}
    assert reason in failed[check]


def test_weights_that_the_backbone_does_not_have_are_named():
    found = examine("misnames", BROKEN / "misnames.py", [PLACES["small x1"]])
    failed = [finding.reason for finding in found if finding.verdict == "FAILED"]
    assert failed and all("which the backbone does not have" in one for one in failed)


def test_a_dial_that_does_nothing_is_found_among_two():
    file, place = BROKEN / "ignores_one_axis.py", PLACES["small with two axes"]
    failed = [one for one in examine("ignores_one_axis", file, [place]) if one.verdict == "FAILED"]
    assert [one.check for one in failed] == ["dial_changes_output"]


@pytest.mark.parametrize("method", ["leaks_level", "jumps", "calls_home", "unseeded"])
def test_a_defect_fails_its_own_check_only(method):
    found = list(examine(method, BROKEN / f"{method}.py", [PLACES["small x1"]]))
    assert sum(finding.verdict == "FAILED" for finding in found) == 1
    assert len(found) == len(conformance.CHECKS) + 1


def test_the_command_prints_one_line_for_each_check_and_says_whether_all_is_well(capsys):
    small = ["--backbone", "small:width=8:blocks=1"]
    assert cli.main(["test", "dni", *small]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines[1:-1]] == [one.__name__ for one in conformance.CHECKS]
    assert all(line.split()[0] in ("ok", "skipped") for line in lines[:-1])
    assert lines[-1] == "dni conforms"
    assert cli.main(["test", str(BROKEN / "ignores_level.py"), *small]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "FAILED   dial_changes_output" in "\n".join(lines)
    assert lines[-1] == f"ignores_level: 1 of {len(conformance.CHECKS) + 1} checks failed"


def test_a_method_of_which_nothing_could_be_checked_does_not_conform(tmp_path, capsys):
    file = tmp_path / "many_dials.py"
    file.write_text(
        "from baselines.blend import Blend as Base\n\n\n"
        "class Dials(Base):\n    axes = range(5, 6)\n"
    )
    assert cli.main(["test", str(file), "--backbone", "small:width=8:blocks=1"]) == 1
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first.split(maxsplit=2) == [
        "skipped",
        "it_can_be_built",
        "takes 5 to 5 control axes, not 1",
    ]
    assert last == "many_dials takes nothing that it was offered, so nothing is known of it"


def test_of_pretended_devices_torch_says_nothing_between_the_checks(recwarn):
    # Else torch says it once in a process, perhaps in an earlier test.
    always = torch.is_warn_always_enabled()
    torch.set_warn_always(True)
    try:
        answer("dni", "small x1", devices._follow)
        assert not [one for one in recwarn if "FakeTensor" in str(one.message)]
        with devices._pretending("this"):
            warnings.warn("of the method's own", UserWarning, stacklevel=1)
        assert "of the method's own" in [str(one.message) for one in recwarn]
    finally:
        torch.set_warn_always(always)


def test_debug_shows_where_a_method_raised(tmp_path, capsys):
    file = tmp_path / "raising.py"
    file.write_text(
        "from baselines.blend import Blend as Base\n\n\n"
        "class Raising(Base):\n"
        "    def forward(self, x, level):\n        assert False, 'no idea'\n"
    )
    words = ["test", str(file), "--backbone", "small:width=8:blocks=1"]
    assert cli.main(words) == 1
    shown = capsys.readouterr().out
    assert "Traceback" not in shown and "checks failed; --debug shows where" in shown
    assert cli.main([*words, "--debug"]) == 1
    shown = capsys.readouterr().out
    assert "    Traceback" in shown and "line 6, in forward" in shown
    assert shown.splitlines()[-1].endswith("checks failed")


def test_levels_of_a_stage_that_do_not_fit_the_axes_are_named(tmp_path):
    file = tmp_path / "one_value.py"
    file.write_text(
        "from benchmark.method import At, Stage\n"
        "from baselines.blend import Blend as Base\n\n\n"
        "class OneValue(Base):\n"
        "    def stages(self, task):\n"
        "        return [*super().stages(task), Stage('more', ('',), At(1.0))]\n"
    )
    found = {one.check: one for one in examine("one_value", file, [PLACES["small with two axes"]])}
    assert "stage 'more' is trained at 1 value, one for each of the task's 2 axes is needed" in (
        found["stages_follow_each_other"].reason
    )


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["nothing"], "unknown method 'nothing'"),
        (["nowhere/mine.py"], "there is no method file nowhere/mine.py"),
        (["ftn:size=2"], "unknown option of ftn 'size'"),
        (["dni", "--backbone", "huge"], "unknown backbone 'huge'"),
    ],
)
def test_what_cannot_be_checked_is_one_line(words, part, capsys):
    assert cli.main(["test", *words]) == 2
    error = capsys.readouterr().err
    assert part in error and len(error.splitlines()) == 1


def test_a_method_that_cannot_be_built_fails_and_one_that_refuses_a_backbone_does_not(tmp_path):
    file = tmp_path / "picky.py"
    file.write_text(
        "from benchmark.errors import UserError\n"
        "from baselines.blend import Blend as Base\n\n\n"
        "class Picky(Base):\n"
        "    def build(self, backbone, control):\n"
        "        if hasattr(backbone, 'attention'):\n"
        "            raise UserError('it takes no attention')\n"
        "        if hasattr(backbone, 'steps'):\n"
        "            raise RuntimeError('no idea')\n"
        "        super().build(backbone, control)\n"
    )
    where = [PLACES[name] for name in ("small x1", "a tangle of layers", "a plain chain")]
    first, *others = examine("picky", file, where)
    assert str(first).split(maxsplit=2) == [
        "FAILED",
        "it_can_be_built",
        "on a plain chain: RuntimeError: no idea",
    ]
    assert {finding.verdict for finding in others} == {"ok", "skipped"}
    first, *_ = examine("picky", file, where[:2])
    assert first.verdict == "ok" and "not on a tangle of layers: it takes no att" in first.reason
