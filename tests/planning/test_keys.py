"""What a stage's key depends on, and what it does not."""

import dataclasses

import pytest

from benchmark import tasks
from benchmark.config import preset
from benchmark.data.sources import ImageSet
from benchmark.planning import keys
from benchmark.planning.jobs import TrainJob
from benchmark.training.stage import Adam, At, Stage, start_stage

SMOKE = preset("smoke")


def key(sets=("abc",), **changes) -> str:
    job = TrainJob("", "sr", None, None, "small", start_stage(), SMOKE, 0, ("builtin",), None, True)
    return keys.train_key(dataclasses.replace(job, **changes), sets)


def test_a_plain_network_has_the_same_key_whoever_trains_it_under_whatever_name():
    one = Stage("end", ("",), At(1.0), 0.5, "start", network="end")
    other = Stage("expert-1", ("",), At(1.0), 0.5, "anchor-0", network="networks.1")
    assert key(stage=one, start_key="s") == key(stage=other, start_key="s")


def test_a_stage_of_a_method_has_a_key_of_its_own():
    assert len({key(), key(method="ftn"), key(method="ftn:groups=4"), key(method="dni")}) == 4


@pytest.mark.parametrize(
    "change",
    [
        {"task": "denoise"},
        {"seed": 1},
        {"backbone": "resnet16"},
        {"sets": ("abd",)},
        {"start_key": "s"},
        {"stage": Stage("start", ("",), At(1.0), network="backbone")},
        {"preset": dataclasses.replace(SMOKE, steps=5)},
        {"preset": dataclasses.replace(SMOKE, lr=1e-3)},
        {"preset": dataclasses.replace(SMOKE, patch=64)},
        {"preset": dataclasses.replace(SMOKE, patch_sr=32)},
        {"preset": dataclasses.replace(SMOKE, batch=9)},
        {"preset": dataclasses.replace(SMOKE, schedule="constant")},
        {"preset": dataclasses.replace(SMOKE, precision="bf16-mixed")},
        {"preset": dataclasses.replace(SMOKE, critic_width=9)},
        {"stage": dataclasses.replace(start_stage(), trains=("tail",))},
        {"stage": dataclasses.replace(start_stage(), optimizer=Adam(2.0))},
    ],
)
def test_whatever_changes_training_changes_the_key(change):
    assert key(**change) != key()


@pytest.mark.parametrize("field", ["name", "crop", "points", "checkpoint_every", "workers"])
def test_what_does_not_change_training_keeps_the_key(field):
    value = "other" if field == "name" else 7
    assert key(preset=dataclasses.replace(SMOKE, **{field: value})) == key()


def test_crops_count_only_where_an_operator_is_applied_to_them():
    more = dataclasses.replace(SMOKE, crops=SMOKE.crops + 1)
    assert key(preset=more) == key()
    assert key(task="filter-wmf", preset=more) != key(task="filter-wmf")


def test_the_preset_column_shows_what_was_changed():
    assert keys.preset_text(SMOKE) == "smoke"
    silent = preset("smoke", ["workers=2", "points=9", "checkpoint_every=60"])
    assert keys.preset_text(silent) == "smoke"
    assert keys.preset_text(preset("smoke", ["steps=9", "lr=0.1"])) == "smoke:lr=0.1:steps=9"
    # Who computes an entry again opens its sets by it.
    assert keys.preset_text(preset("smoke", ["crop=64"])) == "smoke:crop=64"


def test_a_picture_has_a_key_of_its_task_set_image_and_level():
    denoise, sr = tasks.get("denoise"), tasks.get("sr")
    x, y, other = (ImageSet(*one) for one in (("s", (), "x"), ("s", (), "y"), ("t", (), "x")))
    pictures = [(denoise, x, "a", None), (denoise, x, "a", (0.0,)), (denoise, x, "a", (1.0,))]
    pictures += [(denoise, x, "b", None), (denoise, y, "a", None), (sr, x, "a", None)]
    # Noise is drawn by the set's name.
    pictures += [(denoise, other, "a", (0.0,))]
    assert len({keys.picture_key(*one) for one in pictures}) == len(pictures)
