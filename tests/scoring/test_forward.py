"""Running a network over a test set."""

import pytest
import torch
from torch import nn

from benchmark import tasks
from benchmark.build import build_backbone
from benchmark.errors import JobError
from benchmark.scoring.forward import batches, check, ready, restored, warm

CPU = torch.device("cpu")


def test_batches_hold_images_of_one_size_and_few_pixels():
    photograph, tall, huge = (321, 481), (481, 321), (2000, 2000)
    sizes = [photograph, tall, *[photograph] * 5, huge, huge]
    assert batches(sizes) == [[0, 2, 3, 4], [1], [5, 6], [7], [8]]
    assert batches([]) == []


def test_an_image_is_restored_the_same_alone_and_in_a_batch():
    network = ready(build_backbone("small", tasks.get("denoise"), 0).eval(), CPU)
    images = [torch.rand(3, 48, 64, generator=torch.Generator().manual_seed(at)) for at in range(3)]
    together, _ = restored(network, images, CPU)
    for image, output in zip(images, together, strict=True):
        (alone,), _ = restored(network, [image], CPU)
        assert torch.equal(alone, output)


def test_a_network_is_warm_when_it_has_met_every_size_once():
    met = []

    class Notes(nn.Module):
        def forward(self, x):
            met.append(tuple(x.shape))
            return x

    sizes = [(8, 6), (6, 8), (8, 6), (6, 8), (8, 6)]
    groups = [[0, 2], [1, 3], [4], [2, 4], [3, 1]]
    made = []

    def given(index):
        made.append(index)
        return torch.zeros(3, *sizes[index])

    warm(Notes(), given, sizes, groups, CPU)
    assert sorted(met) == [(1, 3, 8, 6), (2, 3, 6, 8), (2, 3, 8, 6)]
    assert sorted(made) == [0, 1, 2, 3, 4]


def test_an_output_of_another_shape_or_not_finite_is_refused_by_name():
    clean = torch.zeros(3, 4, 4)
    check(clean, clean, "a")
    with pytest.raises(JobError, match=r"shape \(3, 4, 5\) instead of \(3, 4, 4\).*'a'"):
        check(torch.zeros(3, 4, 5), clean, "a")
    with pytest.raises(JobError, match="not finite for image 'a'"):
        check(clean / 0, clean, "a")
