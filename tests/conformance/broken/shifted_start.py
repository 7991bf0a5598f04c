"""Interpolates a start and an end network, but a little behind the start already."""

import copy

import torch

from benchmark.method import TUNE, At, Stage, WeightSpaceMethod, start_stage


class ShiftedStart(WeightSpaceMethod):
    def build(self, backbone, control):
        self.end = copy.deepcopy(backbone)

    def stages(self, task):
        return [start_stage(), Stage("tune", ("end.",), At(1.0), share=TUNE, starts_from="start")]

    def weights(self, level):
        end, t = dict(self.end.named_parameters()), 1e-4 + (1 - 1e-4) * level[0]
        own = self.backbone.named_parameters()
        return {name: torch.lerp(value, end[name], t) for name, value in own}
