"""What a dial costs: parameters, arithmetic, run time of an image and of a level switch."""

from __future__ import annotations

import copy
import itertools
import statistics
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from benchmark.studies.study import Part, Study, Tables

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from torch import nn

    from benchmark.method import ControlMethod
    from benchmark.tasks import Task

SIDE = 128
"""Side of the input that run times are measured with."""
ROUNDS = 31
"""Times that two calls take turns; with nine, one layer's overhead swung by five points."""
KERNELS = (3, 5, 7)
OBJECTIVES = (2, 3, 4, 5, 6, 7, 8)
"""p: kernels that a layer mixes."""
BASE = {"k": 3, "p": 2, "batch": 1, "channels": 64}
BATCHES = (2, 4, 8)
CHANNELS = (16, 32, 128)


def layer_macs(k: int, p: int, batch: int, channels: int, side: int = SIDE) -> tuple[int, int]:
    """Returns the multiply-accumulates of a convolution, and of mixing its p kernels and biases.

    The kernel is mixed once for all images of a batch that share a level.
    """
    plain = batch * side**2 * channels**2 * k**2
    return plain, p * (channels**2 * k**2 + channels) + p * p


def paired(
    one: Callable[[], Any], other: Callable[[], Any], rounds: int = ROUNDS
) -> tuple[float, float, float]:
    """Times two calls that take turns, so that both see the same machine.

    Returns:
        Median milliseconds of each, and the median over rounds of the first over the second.
    """
    for warm in (one, other):
        warm()
    spent: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for times, call in zip(spent, (one, other), strict=True):
            began = time.perf_counter()
            call()
            times.append((time.perf_counter() - began) * 1000)
    ratios = [first / second for first, second in zip(*spent, strict=True)]
    return statistics.median(spent[0]), statistics.median(spent[1]), statistics.median(ratios)


def tunable_layer(k: int, p: int, channels: int) -> ControlMethod:
    """Returns one convolution that mixes p kernels by the level (tunable convolutions, eq. 3-5)."""
    import torch
    from torch import nn

    from benchmark.build import create_method
    from benchmark.control import Axis, ControlSpace

    axes = tuple(Axis(f"objective {at + 2}", 0.0, 1.0) for at in range(p - 1))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layer = nn.Sequential(nn.Conv2d(channels, channels, k, padding=k // 2))
        method = create_method("tunable_conv").assemble(layer, ControlSpace(axes))
    return method.eval().requires_grad_(False)


def sweep(timed: bool, rounds: int = ROUNDS, side: int = SIDE) -> pd.DataFrame:
    """Returns what tuning one layer costs over the plain layer: all k and p, batches, channels.

    ``overhead_macs`` is exact; ``overhead_time`` is the time of mixing the kernels and convolving
    over that of convolving alone, less 1, both taken in turns within this run.
    """
    import pandas as pd

    settings = [{**BASE, "k": k, "p": p} for k in KERNELS for p in OBJECTIVES]
    settings += [{**BASE, "batch": batch} for batch in BATCHES]
    settings += [{**BASE, "channels": channels} for channels in CHANNELS]
    return pd.DataFrame([_overhead(one, timed, rounds, side) for one in settings])


def _overhead(setting: dict[str, int], timed: bool, rounds: int, side: int) -> dict[str, float]:
    import torch

    plain, mixing = layer_macs(**setting, side=side)
    found = {**setting, "macs": plain, "overhead_macs": mixing / plain}
    times = {"ms_plain": float("nan"), "ms_tunable": float("nan"), "overhead_time": float("nan")}
    if timed:
        method = tunable_layer(setting["k"], setting["p"], setting["channels"])
        level = [1 / setting["p"]] * (setting["p"] - 1)
        network = method.tuned(tuple(level))
        x = torch.rand(setting["batch"], setting["channels"], side, side)
        with torch.inference_mode():
            slow, fast, ratio = paired(lambda: method(x, level), lambda: network(x), rounds)
        times = {"ms_plain": fast, "ms_tunable": slow, "overhead_time": ratio - 1}
    return {**found, **times}


def of_methods(methods: dict[str, ControlMethod], task: Task, timed: bool) -> pd.DataFrame:
    """Returns one line per method: parameters, multiply-accumulates, milliseconds, and ratios.

    Args:
        methods: Methods on one backbone; weights do not matter.
        task: Their task.
        timed: Whether run times are measured.
    """
    import pandas as pd
    import torch

    from benchmark.scoring import cost
    from benchmark.scoring.forward import best_device
    from benchmark.tuning.layers import parameters_of
    from benchmark.tuning.spatial import sees_image_alone

    lines, x = [], torch.rand(1, 3, SIDE, SIDE, device=best_device())
    for name, method in methods.items():
        levels = method.only_levels(task) or (task.space.first, task.space.last)
        tuned = method.tuned(levels[-1])
        # What is told the level is compared with itself: there is no network without the dial.
        plain = method.backbone if sees_image_alone(method.backbone) else tuned
        own, none = cost.of_method(method, tuned), float("nan")
        # The floor has no network at all.
        size, base = parameters_of(plain) or none, cost.macs(plain) or none
        line = {
            "method": name,
            **own,
            "params_ratio": own["params_folded"] / size,
            "stored_ratio": own["params_stored"] / size,
            "macs_ratio": own["macs"] / base,
        }
        times = dict.fromkeys(
            ("ms_image", "image_ratio", "ms_switch", "switch_ratio"), float("nan")
        )
        if timed:
            times = _times(method, plain, tuned, x, levels)
        lines.append({**line, **times})
    return pd.DataFrame(lines)


def _times(method: ControlMethod, plain: nn.Module, tuned: nn.Module, x, levels) -> dict:
    """Returns run times, as ratios to the backbone's within the same minute."""
    import torch

    # Copies: on a GPU the backbone alone would leave the method's own tensors behind.
    method, plain, tuned = (copy.deepcopy(one).to(x.device) for one in (method, plain, tuned))

    def run(network: nn.Module) -> None:
        with torch.inference_mode():
            network(x)
            if x.device.type == "cuda":
                torch.cuda.synchronize()

    image, _, image_ratio = paired(lambda: run(tuned), lambda: run(plain))
    ends = itertools.cycle((levels[0], levels[-1]))

    def turn() -> None:
        method.switch(tuned, next(ends))
        if x.device.type == "cuda":
            torch.cuda.synchronize()

    switch, _, switch_ratio = paired(turn, lambda: run(plain))
    return {
        "ms_image": image,
        "image_ratio": image_ratio,
        "ms_switch": switch,
        "switch_ratio": switch_ratio,
    }


def tables(parts: Sequence[Part]) -> Tables:
    """Returns the costs of methods, and of one tunable layer in all sizes."""
    (part,) = parts
    return {
        "cost": of_methods(part.untrained, part.task, part.timed),
        "layer": sweep(part.timed),
    }


def draw(tables: Tables, task: Task) -> Figure:
    """Draws methods as bars over their backbone, and the overhead of one layer over p."""
    from benchmark.report.style import Style
    from benchmark.studies import drawing

    methods, layer = tables["cost"], tables["layer"]
    timed = bool(layer["overhead_time"].notna().any())
    figure, grid = drawing.panels("What a dial costs", 3, size=(4.0, 3.6))
    places = range(len(methods))
    bars = [("stored_ratio", "parameters stored"), ("macs_ratio", "multiply-accumulates")]
    bars += [("image_ratio", f"time of a {SIDE} x {SIDE} image")] if timed else []
    height = 0.8 / len(bars)
    for at, (column, text) in enumerate(bars):
        spots = [place + (at - (len(bars) - 1) / 2) * height for place in places]
        color = drawing.COLORS[at]
        grid[0][0].barh(spots, methods[column], height * 0.9, color=color, label=text)
    grid[0][0].set_yticks(list(places), methods["method"], fontsize=8)
    grid[0][0].invert_yaxis()
    grid[0][0].axvline(1, color="#444444", linestyle="--", linewidth=1.0)
    grid[0][0].set(xlabel="over the backbone's", title=f"methods on {task.name}")
    # The floor has no ratios; alone it still has the line of the backbone.
    most = methods[[column for column, _ in bars]].fillna(1.0).max(axis=None)
    grid[0][0].set_xlim(0, 1.7 * most)
    grid[0][0].legend(fontsize=7, loc="lower right")
    column, word = ("overhead_time", "time") if timed else ("overhead_macs", "arithmetic")
    base = (layer["batch"] == BASE["batch"]) & (layer["channels"] == BASE["channels"])
    looks = drawing.distinct([f"k = {k}" for k in KERNELS])
    for k, own in layer[base].groupby("k"):
        drawing.line(grid[0][1], own["p"], 100 * own[column], looks[f"k = {k}"])
    if timed:
        limits = Style("#444444", "", "--")
        looks["TC Figure 3: 5 and 20 %"] = limits
        for limit in (5, 20):
            grid[0][1].axhline(limit, color=limits.color, linestyle=limits.line, linewidth=0.8)
    grid[0][1].set_xlabel("p, kernels that are mixed")
    grid[0][1].set_title("one tunable layer, 64 channels")
    drawing.legend(figure, looks, axes=grid[0][1], ncols=2, loc="upper center", columnspacing=1.0)
    plain = (layer["k"] == BASE["k"]) & (layer["p"] == BASE["p"])
    looks = drawing.distinct(("batch", "channels"))
    ticks = {}
    for key, other in (("batch", "channels"), ("channels", "batch")):
        own = layer[plain & (layer[other] == BASE[other])].sort_values(key)
        drawing.line(grid[0][2], range(len(own)), 100 * own[column], looks[key])
        ticks[key] = own[key]
    texts = [f"{batch}\n{channels}" for batch, channels in zip(*ticks.values(), strict=True)]
    grid[0][2].set_xticks(range(len(texts)), texts)
    grid[0][2].set(xlabel="batch (64 channels)\nchannels (batch 1)", title="the same, k = 3, p = 2")
    drawing.legend(figure, looks, axes=grid[0][2])
    for axes in grid[0][1:]:
        axes.set_ylabel(f"{word} over the plain layer, %")
        axes.set_ylim(bottom=min(0.0, 110 * layer[column].min()))
    # Room for the legend above what is drawn.
    low, high = grid[0][1].get_ylim()
    grid[0][1].set_ylim(low, high + 0.25 * (high - low))
    return figure


STUDY = Study(
    summary="parameters, arithmetic, time of an image and of a level switch; one layer in all sizes",
    source="FTN Table 4, TC Figure 3",
    task="denoise",
    methods=(
        *("decouple", "dni", "adafm", "adafm:k=5", "cfsnet", "dynamic_net", "ftn"),
        *("ftn:groups=16", "tunable_conv", "hypernet"),
    ),
    tables=tables,
    draw=draw,
    trains=False,
    own_levels=True,
)
