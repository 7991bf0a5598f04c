"""Starts from the start network, and goes on training it in its own stage."""

import torch
from torch import nn

from benchmark.method import TUNE, At, Stage, WeightSpaceMethod, layers, start_stage


class MovesStart(WeightSpaceMethod):
    def build(self, backbone, control):
        self.gains = nn.ParameterList(torch.zeros(1) for _ in layers(backbone))

    def stages(self, task):
        return [start_stage(), Stage("tune", ("",), At(1.0), share=TUNE, starts_from="start")]

    def weights(self, level):
        pairs = zip(layers(self.backbone).items(), self.gains, strict=True)
        return {f"{k}.weight": layer.weight * (1 + level[0] * gain) for (k, layer), gain in pairs}
