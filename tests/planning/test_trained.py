"""Those who ask for a network that is not there are told which are."""

import dataclasses

import pytest

from benchmark import config, tasks
from benchmark.planning.trained import OTHERWISE, SHOWN, trained_with
from benchmark.records import write_json
from benchmark.store import Store
from benchmark.training.stage import start_stage


@pytest.fixture
def store(tmp_path):
    def put(key, task="denoise", preset=config.PRESETS["laptop"], **job):
        own = {"backbone": preset.backbone, "seed": 0, "train_sets": ["builtin"], **job}
        facts = {"job": {"task": task, "preset": dataclasses.asdict(preset), **own}}
        path = tmp_path / "stages" / key / "stage.json"
        path.parent.mkdir(parents=True)
        write_json(path, {"facts": facts})

    made = Store(tmp_path)
    made.put = put
    return made


def test_trainings_are_named_by_their_options_each_once(store, tmp_path):
    store.put("a")
    store.put("b")
    changed = config.preset("gpu", ["steps=300", "precision=32-true"])
    store.put("c", preset=changed, backbone="small", seed=2, train_sets=["bsds500-train", "my set"])
    store.put("d", task="sr", preset=config.PRESETS["smoke"])
    assert trained_with(tasks.get("denoise"), store) == (
        f"{tmp_path} has trainings with --preset gpu --set steps=300 --set precision=32-true "
        "--backbone small --seeds 2 --train 'bsds500-train,my set', or --preset laptop --train builtin"
    )
    # Judged there, trained on another task.
    assert "laptop" in trained_with(tasks.get("pixel-adaptive"), store)
    assert "smoke" in trained_with(tasks.get("sr"), store)


def test_a_few_are_named_and_what_cannot_be_read_is_passed_over(store, tmp_path):
    for number in range(SHOWN + 2):
        store.put(str(number), seed=number)
    for name in ("torn", "other"):
        (tmp_path / "stages" / name).mkdir()
    (tmp_path / "stages" / "torn" / "stage.json").write_text("{")
    write_json(
        tmp_path / "stages" / "other" / "stage.json", {"facts": {"job": {"task": "denoise"}}}
    )
    said = trained_with(tasks.get("denoise"), store)
    assert said.count("--preset") == SHOWN and said.endswith(", and 2 more")
    assert trained_with(tasks.get("dejpeg"), store) == f"{tmp_path} has no training of this task"


def test_trainings_with_the_very_options_asked_for_come_first_and_are_said_to_be_of_other_code(
    store, train_job
):
    """As after an update: the message would name what was asked for, and not why it does not count."""
    for seed in range(1, SHOWN + 2):
        store.put(str(seed), preset=config.PRESETS["gpu"], seed=seed)
    store.put("same")
    asked = [train_job("denoise", start_stage(), config.PRESETS["laptop"])]
    said = trained_with(tasks.get("denoise"), store, asked)
    assert "trainings with --preset laptop --train builtin, or --preset gpu" in said
    assert said.endswith(f", and 2 more ({OTHERWISE})")
    others = [train_job("denoise", start_stage(), config.PRESETS["smoke"])]
    assert OTHERWISE not in trained_with(tasks.get("denoise"), store, others)
