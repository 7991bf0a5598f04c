"""Mixes two pictures in a hundred steps."""

import copy

import torch

from benchmark.method import JOINT, ControlMethod, Stage, Uniform


class Jumps(ControlMethod):
    def build(self, backbone, control):
        self.end = copy.deepcopy(backbone)

    def stages(self, task):
        return [Stage("joint", trains=("",), levels=Uniform(), share=JOINT)]

    def forward(self, x, level):
        level = (level * 100).floor() / 100
        return torch.lerp(self.backbone(x), self.end(x), level.reshape(-1, 1, 1, 1))
