"""Cards: what they say of an entry beyond its own fields."""

import json

import pytest

from benchmark.leaderboard import card, entry, synthetic


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ("dejpeg", "tested on made-up: 4 images, digest"),
        ("operators-4", "tested on made-up: 4 images, each in 3 cases, digest"),
    ],
)
def test_pictures_are_counted_once_whatever_cases_a_task_has_of_them(task, said):
    files = synthetic.make(task=task, images=4)
    made = entry.Entry(json.loads(files[entry.NAME]))
    assert f"- {said}" in card.card(made).decode()
