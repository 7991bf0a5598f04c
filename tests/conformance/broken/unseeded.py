"""Draws its first weights from a generator that no seed reaches."""

import numpy as np
import torch

from benchmark.method import JOINT, Stage, Uniform, WeightSpaceMethod, layers


class Unseeded(WeightSpaceMethod):
    def build(self, backbone, control):
        self.gain = torch.nn.Parameter(torch.tensor(np.random.default_rng().random(1)).float())

    def stages(self, task):
        return [Stage("joint", trains=("",), levels=Uniform(), share=JOINT)]

    def weights(self, level):
        factor = 1 + level[0] * self.gain
        return {f"{k}.weight": layer.weight * factor for k, layer in layers(self.backbone).items()}
