"""Says that its steps can be recorded, though each waits for the levels."""

from benchmark.method import JOINT, ControlMethod, Stage, Uniform


class Asks(ControlMethod):
    recordable = True

    def build(self, backbone, control):
        pass

    def stages(self, task):
        return [Stage("joint", trains=("",), levels=Uniform(), share=JOINT)]

    def forward(self, x, level):
        gains = x.new_tensor([1 + float(one) for one in level[:, 0]])
        return self.backbone(x) * gains.reshape(-1, 1, 1, 1)
