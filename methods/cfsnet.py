"""CFSNet: a tuning branch beside the residual blocks, mixed in channel by channel."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from torch import Tensor, nn

from benchmark.control import ControlSpace
from benchmark.method import (
    TUNE,
    Adam,
    At,
    ControlMethod,
    Hook,
    Layer,
    Stage,
    channels,
    hooked,
    kaiming_small,
    layers,
    residual_blocks,
    spread,
    start_stage,
)

if TYPE_CHECKING:
    from benchmark.tasks import Task

FAST = 3.0
"""Learning rate relative to the preset's: new layers that start at nothing need a faster pace."""

__all__ = ["CFSNet"]

CHAIN = (512, 256, 128, 64)
"""Sizes of the linear chain behind the level."""
START = 0.1
"""Size of the coupling at first."""
REACH = 10
"""How many learning rates the output of a chain's layer may move in a step, relative to its size."""


class CFSNet(ControlMethod):
    """CFSNet: Toward a Controllable Feature Space for Image Restoration (ICCV 2019; 1904.00634).

    The main branch is trained at the start level and frozen. Then, at the end level, a tuning
    block beside each residual block and coupling vectors are trained (eq. 2):

        f_i = (1 - a_i) main_i(x) + a_i tuning_i(x),      a_i = head_i(chain(t 1_512))

    Chain and heads are linear without bias or activation, so a_i = t v_i, and level 0 is the main
    branch bit for bit. Per layer, paper / released code / here:

    - Tuning block: convolutions with a ReLU / conv 3 x 3, ReLU, conv 3 x 3, no bias, no skip of
      its own / the same; linear layers beside blocks that begin with a linear layer.
    - Upsampling: the tail convolution and upsampler are coupled like a block / the same /
      the same where the backbone keeps them in one module, otherwise blocks only.
    - Widths other than 64: - / fixed / only the last size of a head follows the block.
    - Super-resolution's level: alpha / 0.5 alpha in training but alpha in tests / t in both.
    - Start: - / kaiming-normal x 0.1 everywhere, a_i about 6e-5 / tuning blocks the same; chain
      and heads begin with a_i about 0.1 and take steps independent of their width (see
      ``_Scaled``), as five wide linear layers in a row diverge at learning rates above 1e-4.
    """

    paper = "1904.00634"
    spatial = True
    recordable = True

    def build(self, backbone: nn.Module, control: ControlSpace) -> None:
        blocks = residual_blocks(backbone)
        firsts = [next(iter(layers(block).values())) for block in blocks.values()]
        self.names = list(blocks)
        self.tuning = nn.ModuleList(_tuning_block(first) for first in firsts)
        widths = [channels(first)[0] for first in firsts]
        # Coupling vectors stand on the channel axis: first in feature maps, last in tokens.
        self.shapes = [
            (width,) if isinstance(first, nn.Linear) else (width, 1, 1)
            for first, width in zip(firsts, widths, strict=True)
        ]
        upsampler = _upsampler(backbone, self.names[-1])
        if upsampler is not None:
            name, width = upsampler
            self.names.append(name)
            self.tuning.append(_without_biases(backbone.get_submodule(name)))
            widths.append(width)
            self.shapes.append((width, 1, 1))
        kaiming_small(self.tuning)
        self.chain = nn.Sequential(*(_Scaled(*sizes) for sizes in pairwise(CHAIN)))
        self.heads = nn.ModuleList(
            nn.Sequential(_Scaled(CHAIN[-1], CHAIN[-1]), _Scaled(CHAIN[-1], width, gain=START))
            for width in widths
        )

    def stages(self, task: Task) -> Sequence[Stage]:
        trains = ("tuning.", "chain.", "heads.")
        return [
            start_stage(),
            Stage("tune", trains, At(1.0), share=TUNE, starts_from="start", optimizer=Adam(FAST)),
        ]

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        shared = self.chain(x.new_ones(CHAIN[0]))

        def after(tuning: nn.Module, head: nn.Module, shape: tuple[int, ...]) -> Hook:
            def mix(module: nn.Module, inputs: tuple[Tensor, ...], main: Tensor) -> Tensor:
                a = spread(level[:, 0], main) * head(shared).reshape(shape)
                return (1 - a) * main + a * tuning(inputs[0])

            return mix

        modules = [self.backbone.get_submodule(name) for name in self.names]
        with hooked(zip(modules, map(after, self.tuning, self.heads, self.shapes), strict=True)):
            return self.backbone(x)


class _Scaled(nn.Linear):
    """A bias-free linear layer whose output moves alike per optimiser step at every width.

    Its weight enters divided by the number of inputs: Adam moves every entry by the learning rate,
    and here, where the input is the same at each step, those moves add up instead of cancelling.
    """

    def __init__(self, taken: int, given: int, gain: float = 1.0):
        super().__init__(taken, given, bias=False)
        nn.init.normal_(self.weight, std=gain * taken**0.5 / REACH)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * (REACH / self.in_features)


def _tuning_block(first: Layer) -> nn.Sequential:
    """Returns layer, ReLU, layer without biases, for the input of a block that begins so."""
    width = channels(first)[0]
    if isinstance(first, nn.Linear):
        pair = [nn.Linear(width, width, bias=False) for _ in range(2)]
    else:
        pair = [nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in range(2)]
    return nn.Sequential(pair[0], nn.ReLU(), pair[1])


def _upsampler(backbone: nn.Module, last_block: str) -> tuple[str, int] | None:
    """Returns the backbone's own module of upsampling behind its blocks, and its output channels."""
    behind = False
    for name, module in backbone.named_modules():
        behind = behind or name == last_block
        if not behind or not name or type(module).__module__.startswith("torch.nn"):
            continue
        shuffles = [part for part in module.modules() if isinstance(part, nn.PixelShuffle)]
        if shuffles and layers(module):
            given = channels(list(layers(module).values())[-1])[1]
            return name, given // shuffles[-1].upscale_factor ** 2
    return None


def _without_biases(module: nn.Module) -> nn.Module:
    module = copy.deepcopy(module)
    for layer in layers(module).values():
        layer.register_parameter("bias", None)
    return module
