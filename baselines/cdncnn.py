"""CDnCNN-S, trained by its authors for one noise level: it ignores the dial."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor, nn

from baselines.external import dncnn, stored_name
from benchmark.control import ControlSpace
from benchmark.method import ControlMethod, Stage, imported_stage

if TYPE_CHECKING:
    from benchmark.tasks import Task

__all__ = ["CDnCNN"]


class CDnCNN(ControlMethod):
    """The authors' colour DnCNN: an expert for one sigma that ignores the dial.

    Its weights come from ``dialbench import``; the backbone of the run is not used.

    Args:
        sigma: The noise level that the imported network was trained for, of 255.
    """

    paper = "1608.03981"
    anchored = False
    imports = "cdncnn FILE --sigma 25"

    def __init__(self, sigma: float = 25):
        super().__init__()
        self.sigma = sigma

    def build(self, backbone: nn.Module, control: ControlSpace) -> None:
        self.backbone = dncnn.DnCNN()

    def stages(self, task: Task) -> Sequence[Stage]:
        return [imported_stage(stored_name("cdncnn", self.sigma))]

    def skip(self, task: Task) -> str | None:
        wrong = "it removes Gaussian noise and nothing else"
        made = (task.kind, task.degradation)
        return super().skip(task) or (wrong if made != ("degradation", "gaussian_noise") else None)

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        return self.backbone(x)
