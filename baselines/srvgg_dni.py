"""Network interpolation between a pair that others trained (Real-ESRGAN's denoise strength)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from baselines.external import srvgg, stored_name
from benchmark.control import ControlSpace
from benchmark.method import Stage, WeightSpaceMethod, imported_stage

if TYPE_CHECKING:
    from benchmark.tasks import Task

__all__ = ["SRVGGDNI"]


class SRVGGDNI(WeightSpaceMethod):
    """Deep network interpolation between two SRVGGNetCompact networks that others trained.

    theta(t) = (1 - t) theta_start + t theta_end, over convolutions, biases and PReLU slopes. The
    authors' ``denoise_strength`` is t where the network called "wdn" (weak denoising) was imported
    as START and the other one as END. The weights come from ``dialbench import``; the backbone of
    the run is not used.

    Args:
        convs: Depth of the imported networks (see ``baselines.external.srvgg``).
    """

    paper = "2107.10833"
    anchored = False
    imports = "srvgg-dni START END"

    def __init__(self, convs: int = 32):
        super().__init__()
        self.convs = convs

    def build(self, backbone: nn.Module, control: ControlSpace) -> None:
        self.backbone, self.end = srvgg.SRVGG(self.convs), srvgg.SRVGG(self.convs)

    def stages(self, task: Task) -> Sequence[Stage]:
        return [imported_stage(stored_name("srvgg_dni", self.convs))]

    def skip(self, task: Task) -> str | None:
        wrong = f"it enlarges images by {srvgg.SCALE} and nothing else"
        return super().skip(task) or (wrong if task.scale != srvgg.SCALE else None)

    def weights(self, level: Tensor) -> dict[str, Tensor]:
        start, end = self.backbone.state_dict(keep_vars=True), self.end.state_dict(keep_vars=True)
        # torch.lerp gives either network bit for bit at its own end.
        return {name: torch.lerp(value, end[name], level[0]) for name, value in start.items()}
