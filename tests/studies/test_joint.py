"""Operators that share a network against those that have one each: the rows that are compared."""

import pandas as pd
import pytest

from benchmark import tasks
from benchmark.studies import joint


def test_joint_training_is_compared_on_the_same_images_and_strengths():
    def line(operator: str, strength: str, image: str, value: float, **more: str):
        return {"operator": operator, "strength": strength, "image": image, "value": value, **more}

    single = [line("L0", "0", "a", 30), line("L0", "1", "a", 20), line("SR", "0.5", "a", 25)]
    shared = [
        line("SR", "0.5", "a", 24.5, task="operators-10"),
        line("L0", "0", "a", 29, task="operators-10"),
        line("L0", "0", "b", 5, task="operators-10"),
        line("L0", "1", "a", 18, task="operators-6"),
    ]
    table = joint.compare(pd.DataFrame(single), pd.DataFrame(shared))
    drops = {(one.operator, one.task): (one.drop, one.pairs) for one in table.itertuples()}
    assert drops == {
        ("L0", "operators-10"): (1, 1),
        ("L0", "operators-6"): (2, 1),
        ("SR", "operators-10"): (0.5, 1),
    }
    assert table["operator"].tolist() == ["L0", "L0", "SR"]


@pytest.mark.parametrize(
    ("task", "level", "image", "expected"),
    [
        ("operators-10", "0.5/0", "a unknown strength=0.5", ("L0", "0.5", "a")),
        ("operators-10", "0.5/1", "a unknown strength=0.5", ("derain", "0.5", "a")),
        ("operators-6", "1/0.2", "a", ("WLS", "1", "a")),
        ("operators-4", "0", "a strength=0.5", ("SR", "0.5", "a")),
        ("filter-wls", "1", "a", ("WLS", "1", "a")),
        ("filter-wls", "1", "my cat", ("WLS", "1", "my cat")),
        ("operators-10", "0.5/0", "my cat unknown strength=0.5", ("L0", "0.5", "my cat")),
        ("operators-4", "0", "k=1 dog strength=0.5", ("SR", "0.5", "k=1 dog")),
        ("filter-shock", "0", "a", ("shock", "0", "a")),
    ],
)
def test_every_score_is_of_one_operator_at_one_strength(task, level, image, expected):
    row = {"level": level, "set_level": level, "image": image, "value": 1.0, "status": "ok"}
    rows = pd.DataFrame([{**row, "metric": "psnr-rgb"}, {**row, "metric": "ssim-rgb"}])
    assert list(joint.values(rows, tasks.get(task))) == [(*expected, 1.0)]


def test_images_whose_names_share_a_word_stay_apart():
    at = {"level": "1", "set_level": "1", "metric": "psnr-rgb", "value": 1.0, "status": "ok"}
    rows = pd.DataFrame([{**at, "image": name} for name in ("my cat", "my dog")])
    single = joint.values(rows, tasks.get("filter-wls"))
    rows = rows.assign(level="1/0.2", set_level="1/0.2")
    shared = joint.values(rows, tasks.get("operators-6"))
    columns = ["operator", "strength", "image", "value"]
    table = joint.compare(
        pd.DataFrame(single, columns=columns),
        pd.DataFrame(shared, columns=columns).assign(task="operators-6"),
    )
    assert table["pairs"].tolist() == [2]
