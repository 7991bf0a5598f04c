"""Trains at the end of the dial whatever the level of a sample is."""

import torch

from benchmark.method import JOINT, ControlMethod, Stage, Uniform


class LearnsTheEnd(ControlMethod):
    def build(self, backbone, control):
        self.b = torch.nn.Parameter(torch.zeros(3, 1, 1))

    def stages(self, task):
        return [Stage("joint", trains=("",), levels=Uniform(), share=JOINT)]

    def forward(self, x, level):
        if self.training:
            level = torch.ones_like(level)
        return self.backbone(x) + level.reshape(-1, 1, 1, 1) * self.b
