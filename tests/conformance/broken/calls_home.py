"""Looks for newer weights on a server, and goes on without when there are none."""

import contextlib
import urllib.request

import torch

from benchmark.method import JOINT, Stage, Uniform, WeightSpaceMethod, layers


class CallsHome(WeightSpaceMethod):
    def build(self, backbone, control):
        with contextlib.suppress(OSError):
            urllib.request.urlopen("http://weights.invalid/newest", timeout=1)
        self.gain = torch.nn.Parameter(torch.ones(1))

    def stages(self, task):
        return [Stage("joint", trains=("",), levels=Uniform(), share=JOINT)]

    def weights(self, level):
        factor = 1 + level[0] * self.gain
        return {f"{k}.weight": layer.weight * factor for k, layer in layers(self.backbone).items()}
