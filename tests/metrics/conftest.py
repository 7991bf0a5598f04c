"""Images and weights that several metric tests need."""

import os

import numpy as np
import pytest
import torch

from benchmark.data.patches import to_tensor
from benchmark.data.sources import open_set


@pytest.fixture(scope="session")
def clean() -> torch.Tensor:
    """The built-in astronaut, (3, 224, 224) in [0, 1]."""
    return to_tensor(open_set("builtin", "test", crop=224).pictures[0].read())


@pytest.fixture(scope="session")
def restored(clean) -> torch.Tensor:
    """A copy with noise of sigma 12, rounded to 8 bits."""
    noise = np.random.default_rng(0).normal(0, 12 / 255, clean.shape)
    return ((clean + torch.from_numpy(noise).float()).clamp(0, 1) * 255).round() / 255


@pytest.fixture(scope="session")
def weights():
    """Skips a test where the pretrained weights are not at hand."""
    if not os.environ.get("DIALBENCH_WEIGHTS"):
        pytest.skip("DIALBENCH_WEIGHTS is not set")
