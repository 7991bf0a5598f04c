"""What is kept of clean images between levels."""

import threading

import torch
from torch import Tensor

from benchmark.metrics.remembered import Remembered

ONE, TWO = torch.zeros((3, 4, 4)), torch.ones((3, 4, 4))


def counted(room: int) -> tuple[Remembered, list[float]]:
    asked: list[float] = []

    def work(image: Tensor) -> list[Tensor]:
        asked.append(float(image.mean()))
        return [2 * image]

    return Remembered(work, room), asked


def test_the_first_answers_stay_while_there_is_room():
    kept, asked = counted(room=ONE.nbytes)
    for image in (ONE, TWO, ONE, TWO):
        assert (kept(image)[0] == 2 * image).all()
    assert asked == [0, 1, 1] and len(kept) == 1


def test_images_of_one_content_but_another_shape_or_kind_are_told_apart():
    kept, asked = counted(room=10**6)
    for image in (ONE, ONE.reshape(3, 2, 8), ONE.double(), ONE.clone()):
        assert kept(image)[0].shape == image.shape
    assert len(kept) == len(asked) == 3


def test_threads_get_the_same_answers():
    kept, _ = counted(room=10**6)
    images = [torch.full((1, 8, 8), float(value)) for value in range(20)] * 5
    found: dict[int, float] = {}

    def ask(at: int) -> None:
        found[at] = float(kept(images[at])[0].mean())

    threads = [threading.Thread(target=ask, args=(at,)) for at in range(len(images))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {at: 2 * (at % 20) for at in range(len(images))}
    assert len(kept) == 20 and kept._bytes == 20 * 64 * 4
