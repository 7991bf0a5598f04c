"""Its tuned network is the method itself, kept where nobody looks."""

import torch

from benchmark.method import JOINT, ControlMethod, Stage, Uniform


class Clings(ControlMethod):
    def build(self, backbone, control):
        self.b = torch.nn.Parameter(torch.zeros(3, 1, 1))

    def stages(self, task):
        return [Stage("joint", trains=("",), levels=Uniform(), share=JOINT)]

    def forward(self, x, level):
        return self.backbone(x) + level.reshape(-1, 1, 1, 1) * self.b

    def tuned(self, level):
        return _Tuned(self, self.control.check(level)).eval()

    def switch(self, network, level):
        network.level = level


class _Tuned(torch.nn.Module):
    def __init__(self, method, level):
        super().__init__()
        self.run, self.level = method.__call__, level

    def forward(self, x):
        return self.run(x, self.level).detach()
