"""Mistakes that authors make, and what the checks say of them."""

import os
import signal
import threading
import time

import pytest
import torch

from benchmark.conformance import devices, trial
from benchmark.conformance.networks import places
from benchmark.conformance.subject import Broken, Skipped
from benchmark.conformance.trial import examine

HEAD = (
    "import torch\n"
    "from torch import nn\n"
    "from benchmark.method import At, ControlMethod, Stage, Uniform, start_stage\n\n\n"
    "class Mine(ControlMethod):\n"
)
JOINT = "    def stages(self, task):\n        return [Stage('joint', ('',), Uniform())]\n"
PLAIN = "    def build(self, backbone, control):\n        pass\n"


@pytest.fixture
def reason(tmp_path):
    """Returns what a check says of a method with some body, on one backbone."""

    def ask(check: str, body: str) -> str:
        # A process reads each file once.
        file = tmp_path / f"mine{len(list(tmp_path.iterdir()))}.py"
        file.write_text(HEAD + body)
        found = {
            one.check: one for one in examine("mine", file, [places("small:width=8:blocks=1")[0]])
        }
        assert found["it_can_be_built"].verdict == "ok", found["it_can_be_built"].reason
        return f"{found[check].verdict} {found[check].reason}"

    return ask


def test_images_that_are_changed_and_other_numbers_are_named(reason):
    forward = "    def forward(self, x, level):\n        {}\n"
    add = "x += level.reshape(-1, 1, 1, 1)\n        return self.backbone(x)"
    check = "outputs_have_their_shape"
    assert "changes the images" in reason(check, PLAIN + JOINT + forward.format(add))
    clamp = "x.clamp_(0, 1)\n        return self.backbone(x)"
    assert "changes the images" in reason(check, PLAIN + JOINT + forward.format(clamp))
    quiet = "x.mul_(0.5 if self.training else 1)\n        return self.backbone(x)"
    assert "in training mode" in reason(check, PLAIN + JOINT + forward.format(quiet))


def test_a_method_that_ends_the_process_does_not_pass(reason):
    body = PLAIN + JOINT + "    def forward(self, x, level):\n        raise SystemExit(0)\n"
    assert "FAILED" in reason("outputs_have_their_shape", body)


def test_numbers_of_another_kind_are_named(reason):
    body = (
        PLAIN + JOINT + "    def forward(self, x, level):\n        return self.backbone(x).half()\n"
    )
    assert "the output is torch.float16 for images of torch.float64" in reason(
        "outputs_have_their_shape", body
    )


def test_what_moved_of_a_network_that_must_not_is_named(reason):
    body = (
        "    def build(self, backbone, control):\n"
        "        self.b = nn.Parameter(torch.zeros(3, 1, 1))\n"
        "    def stages(self, task):\n"
        "        tune = Stage('tune', ('b', 'backbone'), At(1.0), starts_from='start')\n"
        "        return [start_stage(), tune]\n"
        "    def forward(self, x, level):\n"
        "        return self.backbone(x) + self.b * level.reshape(-1, 1, 1, 1)\n"
    )
    check = "plain_networks_answer_at_their_level"
    said = reason(check, body)
    assert "after stage 'tune'; its weights moved: " in said and ".weight" in said
    assert reason(check, body.replace("('b', 'backbone')", "('b',)")).startswith("ok")


def test_a_stage_that_names_nothing_of_its_network_is_named(reason):
    body = (
        "    def build(self, backbone, control):\n"
        "        self.ends = nn.ModuleList([type(backbone)(width=8, blocks=1)])\n"
        "    def stages(self, task):\n"
        "        end = Stage('end', ('ends.0.tail',), At(1.0), 1.0, 'start', network='ends.0')\n"
        "        return [start_stage(), end]\n"
        "    def forward(self, x, level):\n"
        "        return torch.lerp(self.backbone(x), self.ends[0](x), level.reshape(-1, 1, 1, 1))\n"
    )
    check = "stages_follow_each_other"
    assert "stage 'end' names nothing of its network" in reason(check, body)
    assert reason(check, body.replace("('ends.0.tail',)", "('backbone.tail',)")).startswith("ok")


def test_a_loss_of_its_own_can_be_recorded_and_followed(reason):
    body = (
        PLAIN.replace("pass", "self.gain = nn.Parameter(torch.ones(3, 1, 1))")
        + JOINT
        + (
            "    recordable = True\n"
            "    def forward(self, x, level):\n"
            "        return self.backbone(x) * (1 + self.gain * level.reshape(-1, 1, 1, 1))\n"
            "    def loss(self, batch, stage):\n"
            "        return (self(batch.x, batch.level) - batch.y).square().mean()\n"
        )
    )
    assert reason("recorded_steps_are_the_same_work", body).startswith("ok")
    assert reason("everything_moves_to_a_gpu", body).startswith("ok")


def test_a_network_of_its_own_costs_nothing_of_the_backbone(reason, tmp_path):
    from benchmark.build import create_method
    from benchmark.conformance.networks import places

    body = (
        "    def build(self, backbone, control):\n"
        "        self.backbone = nn.Conv2d(4, 3, 3, padding=1)\n"
        + JOINT.replace("('',)", "('backbone',)")
        + (
            "    def forward(self, x, level):\n"
            "        plane = level.reshape(-1, 1, 1, 1).expand(-1, 1, *x.shape[-2:])\n"
            "        return x + self.backbone(torch.cat([x, plane], 1))\n"
        )
    )
    assert reason("stages_move_what_they_declare", body).startswith("ok")
    place = places("small:width=8:blocks=1")[0]
    method = create_method("mine", tmp_path / "mine0.py").assemble(
        place.backbone(), place.task.space
    )
    assert sum(one.numel() for one in method.weights_to_keep().values()) == 4 * 3 * 9 + 3


def test_complex_numbers_of_a_method_stay_complex(reason):
    body = (
        "    def build(self, backbone, control):\n"
        "        self.b = nn.Parameter(torch.ones(3, 1, 1))\n"
        "        self.register_buffer('phase', torch.polar(torch.ones(3), torch.arange(1.0, 4)))\n"
        + JOINT
        + (
            "    def forward(self, x, level):\n"
            "        turned = self.phase.square().real.to(x.dtype)[:, None, None] * self.b\n"
            "        return self.backbone(x) + level.reshape(-1, 1, 1, 1) * turned\n"
        )
    )
    assert reason("weights_survive_storage", body).startswith("ok")


SPECTRAL = (
    "    def build(self, backbone, control):\n"
    "        self.backbone = Own()\n" + JOINT + "    def forward(self, x, level):\n"
    "        return self.backbone(x, level)\n\n\n"
    "class Own(nn.Module):\n"
    "    def __init__(self):\n"
    "        super().__init__()\n"
    "        self.gain = nn.Parameter(torch.ones(3, 1, 1))\n"
    "    def forward(self, x, level):\n"
    "        return x + level[..., None, None] * self.gain * torch.fft.fft2(x).abs()\n"
)


def test_why_onnx_cannot_run_a_network_is_told_of_that_network(reason, capfd):
    pytest.importorskip("onnx")
    check, why = "tuned_networks_export_to_onnx", "Exporting the operator 'aten::fft_fft2' to ONNX"
    assert reason(check, SPECTRAL).startswith(f"skipped ONNX cannot run its network: {why}")
    alone = SPECTRAL.replace("(self, x, level)", "(self, x, level=torch.zeros(1, 1))")
    assert f"ONNX cannot run its backbone alone either: {why}" in reason(check, alone)
    over = SPECTRAL.partition("\n\n\n")[0].replace("self.backbone = Own()", "self.own = Own()")
    over = over.replace("self.backbone(x, level)", "self.backbone(self.own(x, level))")
    over += SPECTRAL[SPECTRAL.index("\n\n\n") :]
    assert f"FAILED on small x1: ONNX cannot run its tuned network: {why}" in reason(check, over)
    assert "graph(" not in "".join(capfd.readouterr())


def test_shared_weights_move_under_all_of_their_names(reason):
    body = (
        "    def build(self, backbone, control):\n"
        "        self.first, self.second = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)\n"
        "        self.second.weight = self.first.weight\n"
        "    def stages(self, task):\n"
        "        return [Stage('joint', ('second',), Uniform())]\n"
        "    def forward(self, x, level):\n"
        "        y = self.second(self.first(x))\n"
        "        return self.backbone(x) + level.reshape(-1, 1, 1, 1) * y\n"
    )
    check = "stages_move_what_they_declare"
    assert reason(check, body).startswith("ok")
    stray = "        return self.backbone(x) + level.reshape(-1, 1, 1, 1) * y\n"
    more = stray + (
        "    def loss(self, batch, stage):\n"
        "        with torch.no_grad():\n"
        "            self.first.bias.add_(1)\n"
        "        return super().loss(batch, stage)\n"
    )
    assert "stage 'joint' moves first.bias" in reason(check, body.replace(stray, more))


def test_maps_of_a_network_that_reads_the_level_by_a_linear_layer_are_checked(reason):
    body = (
        "    spatial = True\n"
        "    def build(self, backbone, control):\n"
        "        self.backbone = Own()\n" + JOINT + "    def forward(self, x, level):\n"
        "        return self.backbone(x, level)\n\n\n"
        "class Own(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.conv, self.gain = nn.Conv2d(3, 3, 3, padding=1), nn.Linear(1, 3)\n"
        "    def forward(self, x, level):\n"
        "        level = level if level.ndim == 4 else level[..., None, None]\n"
        "        gain = self.gain(level.movedim(1, -1)).movedim(-1, 1)\n"
        "        return x + gain * self.conv(x).tanh()\n"
    )
    for check in ("level_maps_equal_levels", "level_maps_act_in_place"):
        assert reason(check, body).startswith("ok")


def test_where_torch_breaks_off_the_check_is_skipped(monkeypatch):
    def raises(error):
        raise error

    devices.apart(lambda: None)
    with pytest.raises(Skipped, match="ended with SIGSEGV"):
        devices.apart(lambda: os.kill(os.getpid(), signal.SIGSEGV))
    with pytest.raises(Skipped, match="no GPU"):
        devices.apart(lambda: raises(Skipped("no GPU")))
    with pytest.raises(Broken, match="in part"):
        devices.apart(lambda: raises(Broken("in part")))
    with pytest.raises(ZeroDivisionError):
        devices.apart(lambda: 1 / 0)
    here = os.getpid()
    devices.apart(lambda: None if os.getpid() == here else 1 / 0)
    monkeypatch.setattr(devices, "PATIENCE", 0.1)
    with pytest.raises(Skipped, match="ended with SIGKILL"):
        devices.apart(lambda: time.sleep(60))
    assert torch.get_num_threads() >= 1


def test_a_check_apart_warns_of_no_threads(recwarn):
    waiting = threading.Event()
    other = threading.Thread(target=waiting.wait)
    other.start()
    try:
        devices.apart(lambda: None)
    finally:
        waiting.set()
        other.join()
    assert [str(one.message) for one in recwarn] == []


DIAL = (
    "    def build(self, backbone, control):\n"
    "        {build}\n"
    "        self.gain = nn.Linear(control.d, 1)\n" + JOINT + "    def forward(self, x, level):\n"
    "        {forward}\n"
    "        return self.backbone(x) * (1 + self.gain(level)[..., None, None])\n"
    "    def loss(self, batch, stage):\n"
    "        {loss}\n"
    "        return super().loss(batch, stage)\n"
)


def dial(build: str = "pass", forward: str = "pass", loss: str = "pass") -> str:
    return DIAL.format(build=build, forward=forward, loss=loss)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (dial(), "ok"),
        (dial(loss="noise = torch.rand(3)"), "ok"),
        (dial(loss="noise = torch.rand(3, generator=torch.Generator().manual_seed(0))"), "ok"),
        (dial(build="torch.manual_seed(0)"), "build() sets torch's seed"),
        (dial(loss="torch.manual_seed(0)"), "stage 'joint' sets torch's seed"),
        (dial(loss="import random; random.random()"), "stage 'joint' draws from Python's random"),
        (dial(loss="import numpy; numpy.random.rand()"), "stage 'joint' draws from numpy.random"),
    ],
)
def test_seeds_that_are_set_and_generators_that_are_not_saved_are_named(body, said, reason):
    assert said in reason("random_numbers_follow_the_seed", body)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (dial(), "ok"),
        (dial(loss="self.eval(); self.train()"), "ok"),
        (dial(loss="batch.y.add_(0.1)"), "changes y of its batch"),
        (dial(loss="self.backbone.eval()"), "leaves backbone, backbone."),
    ],
)
def test_steps_that_change_their_batch_or_a_mode_are_named(body, said, reason):
    assert said in reason("steps_leave_things_as_they_are", body)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (dial(forward="x = nn.functional.dropout(x, 0.1, self.training)"), "ok"),
        (dial(forward="x = x - x.mean() if self.training else x"), "ok"),
        (
            dial(build="nn.utils.parametrizations.spectral_norm(backbone.head)"),
            "ok",
        ),
        (
            dial(forward="level = level[:1].expand_as(level) if self.training else level"),
            "differs from its samples in training mode",
        ),
    ],
)
def test_chance_and_norms_of_ones_own_are_no_mistake_in_training(body, said, reason):
    assert said in reason("mixed_levels_equal_one_by_one", body)


def test_places_that_fail_for_other_reasons_are_told_apart():
    found = {f"p{at}": ("FAILED", why, "") for at, why in enumerate("aabcd")}
    assert trial._finding("x", found).reason == (
        "on p0, p1: a; on p2: b; on p3: c; and for 1 more reason"
    )
    assert trial._finding("x", dict.fromkeys("pq", ("FAILED", "a", ""))).reason == "everywhere: a"
    mixed = {"p": ("ok", "", ""), "q": ("FAILED", "a", ""), "r": ("skipped", "s", "")}
    assert trial._finding("x", mixed).reason == "on q: a"
