"""Methods of one's own with weights of one's own, which take the place of training."""

import json

import pytest
import torch

from benchmark import cli, plan
from benchmark.planning.request import request_of
from benchmark.store import Store

SMOKE = ("--preset", "smoke", "--offline", "--levels", "1")

METHOD = '''
from torch import nn
from benchmark.method import ControlMethod, imported_stage


class Net(nn.Module):
    def __init__(self, width=3, norm=None, scale=2):
        super().__init__()
        self.width, self.norm = width, nn.Identity()
        self.conv = nn.Conv2d(3, width, 3, padding=1)

    def forward(self, x):
        return x + self.conv(x)


class Mine(ControlMethod):
    """My own network."""

    def build(self, backbone, control):
        self.backbone = Net()

    def stages(self, task):
        return [imported_stage("mine")]

    def forward(self, x, level):
        return self.backbone(x)
'''


@pytest.fixture
def words(home, tmp_path, photographs):
    file = tmp_path / "mine.py"
    file.write_text(METHOD)
    return ["denoise", "--methods", "floor", "--method", str(file), "--test", str(photographs)]


def store(bias: float) -> None:
    state = {"conv.weight": torch.zeros(3, 3, 3, 3), "conv.bias": torch.full((3,), bias)}
    named = {f"backbone.{name}": tensor for name, tensor in state.items()}
    Store().write_stage("imported/mine", named, {"steps": 0})


def planned(words):
    asked = cli.parser()[0].parse_args(["run", *words, *SMOKE])
    return plan.make(request_of(asked), Store())


def test_results_follow_the_weights_that_are_stored(words):
    (failure,) = planned(words).failures
    assert failure.reason.startswith("not imported: store its weights as 'imported/mine' (CONT")
    store(0.0)
    assert cli.main(["run", *words, *SMOKE]) == 0
    assert planned(words).jobs() == []
    store(0.2)
    assert [job.method for job in planned(words).jobs()] == ["mine"]


def test_an_export_names_a_network_of_its_own_instead_of_the_backbone(words, tmp_path):
    pytest.importorskip("onnx")
    store(0.1)
    assert cli.main(["export", *words, *SMOKE, "--onnx", "--to", str(tmp_path)]) == 0
    facts = json.loads((tmp_path / "mine" / "network.json").read_text())
    assert (facts["backbone"], facts["class"]) == ("mine", "Net")
    # Neither the module nor what the network does not keep.
    assert facts["arguments"] == {"width": 3}
