"""Scales and shifts the features behind every convolution; its fold forgets the shift."""

import copy

import torch
from torch import nn

from benchmark.method import TUNE, At, ControlMethod, Stage, hooked, start_stage, trunk_convolutions


class ForgetsBias(ControlMethod):
    folds = True

    def build(self, backbone, control):
        self.names = list(trunk_convolutions(backbone))
        convolutions = [backbone.get_submodule(name) for name in self.names]
        self.scales = nn.ParameterList(torch.zeros(c.out_channels, 1, 1) for c in convolutions)
        self.shifts = nn.ParameterList(torch.zeros(c.out_channels, 1, 1) for c in convolutions)

    def stages(self, task):
        tune = Stage("tune", ("scales.", "shifts."), At(1.0), share=TUNE, starts_from="start")
        return [start_stage(), tune]

    def forward(self, x, level):
        t = level.reshape(-1, 1, 1, 1)

        def after(scale, shift):
            return lambda module, inputs, y: y + t * (scale * y + shift)

        modules = [self.backbone.get_submodule(name) for name in self.names]
        hooks = map(after, self.scales, self.shifts)
        with hooked(zip(modules, hooks, strict=True)):
            return self.backbone(x)

    @torch.no_grad()
    def tuned(self, level):
        (t,) = self.position(level)
        network = copy.deepcopy(self.backbone)
        for name, scale in zip(self.names, self.scales, strict=True):
            network.get_submodule(name).weight.mul_(1 + t * scale[..., None])
        return network.eval().requires_grad_(False)
