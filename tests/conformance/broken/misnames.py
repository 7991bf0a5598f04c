"""Gives weights under a name that the backbone does not have."""

from benchmark.method import JOINT, Stage, Uniform, WeightSpaceMethod


class Misnames(WeightSpaceMethod):
    def build(self, backbone, control):
        pass

    def stages(self, task):
        return [Stage("joint", trains=("",), levels=Uniform(), share=JOINT)]

    def weights(self, level):
        (name, value), *_ = self.backbone.named_parameters()
        return {f"body.{name}": value * (1 + level[0])}
