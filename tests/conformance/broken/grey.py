"""Gives one channel instead of three."""

from benchmark.method import At, ControlMethod, Stage


class Grey(ControlMethod):
    def build(self, backbone, control):
        pass

    def stages(self, task):
        return [Stage("joint", ("",), At(0.0))]

    def forward(self, x, level):
        return (1 + level.reshape(-1, 1, 1, 1)) * self.backbone(x)[:, :1]
