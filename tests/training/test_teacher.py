"""What a method needs for its training alone: used there, kept for later stages, and gone afterwards."""

import pandas as pd
import pytest
import torch

from benchmark import cli
from benchmark.build import build_method, create_method
from benchmark.conformance.tuned import weights_survive_storage
from benchmark.errors import JobError
from benchmark.opened import open_method
from benchmark.tasks import get

SMOKE = ("--preset", "smoke", "--offline", "--levels", "1")
METHOD = """
import copy

import torch
from torch import nn

from benchmark.method import At, ControlMethod, Stage, Uniform


class Taught(ControlMethod):
    training_only = ("teacher",)

    def build(self, backbone, control):
        self.teacher = copy.deepcopy(backbone)
        self.gain = nn.Parameter(torch.zeros(3, 1, 1))

    def stages(self, task):
        student = Stage("student", ("gain",), Uniform(), starts_from="teacher")
        return [Stage("teacher", ("teacher",), At(1.0)), student]

    def forward(self, x, level):
        return self.backbone(x) + self.gain * level.reshape(-1, 1, 1, 1)

    def loss(self, batch, stage):
        taught = self.teacher(batch.x)
        if stage.name == "teacher":
            return (taught - batch.y).abs().mean()
        return (self(batch.x, batch.level) - taught.detach()).abs().mean()
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "taught.py"
    path.write_text(METHOD)
    return path


def test_a_teacher_is_stored_with_the_stages_but_is_no_part_of_the_method(
    home, file, photographs, tmp_path
):
    words = ["denoise", "--methods", "dni", "--method", str(file), "--test", str(photographs)]
    assert cli.main(["run", *words, *SMOKE]) == 0
    table = pd.read_csv(home / "report" / "denoise" / "table.csv").set_index("method")
    plain = table.at["dni", "params_folded"]
    assert table.at["taught", "params_folded"] == table.at["taught", "params_stored"] == plain + 3
    method = open_method("denoise", file, preset="smoke")
    assert not hasattr(method, "teacher")
    assert method.gain.abs().min() > 0
    assert method(torch.rand(1, 3, 8, 8), 0.5).shape == (1, 3, 8, 8)


def made(file):
    """Returns what makes the method, from a seed."""
    spec, task = "small:width=8:blocks=1", get("denoise")
    return lambda seed: build_method(create_method(file.stem, file), spec, task, seed)


def test_a_forward_that_misses_what_is_for_training_only_is_found(file):
    weights_survive_storage(made(file), get("denoise"))
    # A process reads each file once.
    other = file.with_name("leaning.py")
    other.write_text(METHOD.replace("self.backbone(x) +", "self.teacher(x) + self.backbone(x) +"))
    with pytest.raises(AttributeError, match="no attribute 'teacher'"):
        weights_survive_storage(made(other), get("denoise"))


def test_a_name_that_build_does_not_add_is_told(file):
    file.write_text(METHOD.replace('("teacher",)', '("teachers",)'))
    with pytest.raises(
        JobError, match="training_only names 'teachers', which build\\(\\) does not"
    ):
        made(file)(0)
