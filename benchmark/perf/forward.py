"""The forward pass of the sweep against the machine, and what setting the dial costs.

A level switch makes new weights, after which an image is restored anew; ``decouple_fast`` goes on from
what it kept of the image. A level map runs d + 1 convolutions a layer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from benchmark import tasks
from benchmark.build import build_backbone, build_method, create_method
from benchmark.perf.measure import SIZE, Figure, rivals
from benchmark.scoring import cost
from benchmark.scoring.forward import ready, restored
from benchmark.tasks import Task
from benchmark.tuning.layers import channels_last

SIDE = 2048
BATCH = 4
BACKBONE = "adafm_net"
FOLDING = ("dni", "adafm", "decouple", "ftn", "tunable_conv", "hypernet")
CPU = torch.device("cpu")
RETUNED = (320, 480)
"""Height and width of the image that is re-tuned."""


def figures() -> Iterator[Figure]:
    """Yields GFLOP/s against a matrix product, then the level switch of every method that folds."""
    task = tasks.get("denoise")
    plain = build_backbone(BACKBONE, task, 0).eval().requires_grad_(False)
    square = torch.randn(SIDE, SIDE)
    images = [torch.rand(3, *SIZE) for _ in range(BATCH)]
    network = ready(plain, CPU)
    times = rivals(
        {
            "peak": lambda: square @ square,
            "batch": lambda: restored(network, images, CPU),
            "one": lambda: restored(network, images[:1], CPU),
        }
    )
    peak = 2 * SIDE**3 / times["peak"] / 1e9
    work = 2 * cost.macs(plain) / cost.SIDE**2 * SIZE[0] * SIZE[1] / 1e9
    yield Figure("matrix product (sgemm)", peak, "GFLOP/s")
    for name, count in (("batch", BATCH), ("one", 1)):
        speed = work * count / times[name]
        yield Figure(
            f"{BACKBONE} {SIZE[1]}x{SIZE[0]}, batch of {count}, against sgemm",
            speed / peak,
            limit=0.65 if count > 1 else None,
            at_least=True,
            note=f"{speed:.0f} GFLOP/s",
        )
    crop = [torch.rand(3, 240, 240)]
    for name in FOLDING:
        method = build_method(create_method(name), BACKBONE, task, 0).eval()
        level = iter(task.space.spread((i / 1000,)) for i in range(1000))
        folded = ready(method.tuned(task.space.spread((0.5,))), CPU)
        times = rivals(
            {
                "switch": lambda m=method, n=folded, level=level: m.switch(n, next(level)),
                "folded": lambda n=folded: restored(n, crop, CPU),
                "plain": lambda: restored(network, crop, CPU),
            },
            rounds=9,
        )
        yield Figure(f"level switch, {name}", 1000 * times["switch"], "ms", limit=10)
        yield Figure(
            f"folded forward against the backbone, {name}",
            times["folded"] / times["plain"],
            limit=1.03,
        )
    for backbone in ("decouple_net", BACKBONE):
        yield from _retuning(task, backbone)
    yield from _mapped(task)


@torch.inference_mode()
def _retuning(task: Task, backbone: str) -> Iterator[Figure]:
    """Yields what another level costs once an image is prepared, against a full pass."""
    method: Any = build_method(create_method("decouple_fast"), backbone, task, 0).eval()
    channels_last(method)
    x = torch.rand(1, 3, *RETUNED).contiguous(memory_format=torch.channels_last)
    features = method.prepare(x)
    runs = {"full": lambda: method(x, 0.5), "retune": lambda: method.retune(features, 0.5)}
    times = rivals(runs)
    work = {name: cost.counted(run) for name, run in runs.items()}
    name = f"re-tuning {RETUNED[1]}x{RETUNED[0]} against a full pass, decouple_fast, {backbone}"
    note = f"{1000 * times['retune']:.1f} ms of {1000 * times['full']:.0f} ms"
    yield Figure(f"{name}, MACs", work["retune"] / work["full"], limit=0.03)
    yield Figure(f"{name}, time", times["retune"] / times["full"], limit=0.03, note=note)


@torch.inference_mode()
def _mapped(task: Task) -> Iterator[Figure]:
    """Yields what a level for every pixel costs, against one level."""
    method = build_method(create_method("ftn"), BACKBONE, task, 0).eval()
    x = torch.rand(1, 3, 160, 160).contiguous(memory_format=torch.channels_last)
    one = ready(method.tuned((0.5,)), CPU)
    many = ready(method.tuned(torch.full((1, 1, 160, 160), 0.5)), CPU)
    times = rivals({"one": lambda: one(x), "map": lambda: many(x)})
    yield Figure("a level map against one level, ftn", times["map"] / times["one"])
