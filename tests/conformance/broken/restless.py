"""Says that its steps can be recorded, though each draws a number of its own."""

import random

from benchmark.method import JOINT, ControlMethod, Stage, Uniform


class Restless(ControlMethod):
    recordable = True

    def build(self, backbone, control):
        pass

    def stages(self, task):
        return [Stage("joint", trains=("",), levels=Uniform(), share=JOINT)]

    def forward(self, x, level):
        gain = 1 + 0.01 * random.random() * self.training
        return gain * self.backbone(x) * (1 + level.reshape(-1, 1, 1, 1))
