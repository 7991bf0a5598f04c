"""Keeps merged kernels of each level, and does not notice that others were loaded."""

import torch

from benchmark.method import JOINT, Stage, Uniform, WeightSpaceMethod


class Remembers(WeightSpaceMethod):
    def build(self, backbone, control):
        self.slopes = torch.nn.ParameterList(map(torch.zeros_like, backbone.parameters()))
        self.merged = {}

    def stages(self, task):
        return [Stage("joint", trains=("",), levels=Uniform(), share=JOINT)]

    def weights(self, level):
        own = zip(self.backbone.named_parameters(), self.slopes, strict=True)
        if self.training:
            return {name: start + level[0] * slope for (name, start), slope in own}
        if float(level) not in self.merged:
            self.merged[float(level)] = {
                name: (start + level[0] * slope).detach() for (name, start), slope in own
            }
        return self.merged[float(level)]
