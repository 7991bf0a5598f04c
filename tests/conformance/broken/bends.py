"""Says that its weights are affine in the level, but they are not."""

import torch

from benchmark.method import JOINT, Stage, Uniform, WeightSpaceMethod, layers


class Bends(WeightSpaceMethod):
    spatial = True

    def build(self, backbone, control):
        self.gain = torch.nn.Parameter(torch.ones(1))

    def stages(self, task):
        return [Stage("joint", trains=("",), levels=Uniform(), share=JOINT)]

    def weights(self, level):
        factor = 1 + level[0] ** 2 * self.gain
        return {f"{k}.weight": layer.weight * factor for k, layer in layers(self.backbone).items()}
