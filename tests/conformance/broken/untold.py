"""Learns a number that lies beside the weights, where nothing stores it."""

import torch

from benchmark.method import JOINT, ControlMethod, Stage, Uniform


class Untold(ControlMethod):
    def build(self, backbone, control):
        self.b = torch.nn.Parameter(torch.zeros(3, 1, 1))
        self.gain = 1.0

    def stages(self, task):
        return [Stage("joint", trains=("",), levels=Uniform(), share=JOINT)]

    def loss(self, batch, stage):
        self.gain = 0.9 * self.gain + 0.1 * float(batch.x.std())
        return super().loss(batch, stage)

    def forward(self, x, level):
        return self.gain * self.backbone(x) + level.reshape(-1, 1, 1, 1) * self.b
