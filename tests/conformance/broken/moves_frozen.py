"""Declares that only its gains move, and hands every parameter to the optimiser."""

import torch
from torch import nn

from benchmark.method import TUNE, At, Stage, WeightSpaceMethod, layers, start_stage


class MovesFrozen(WeightSpaceMethod):
    def build(self, backbone, control):
        self.gains = nn.ParameterList(torch.zeros(1) for _ in layers(backbone))

    def stages(self, task):
        return [start_stage(), Stage("tune", ("gains.",), At(1.0), share=TUNE, starts_from="start")]

    def weights(self, level):
        pairs = zip(layers(self.backbone).items(), self.gains, strict=True)
        return {f"{k}.weight": layer.weight * (1 + level[0] * gain) for (k, layer), gain in pairs}

    def configure_optimizers(self):
        self.requires_grad_(True)
        return [torch.optim.Adam(self.parameters(), lr=1e-3)]
