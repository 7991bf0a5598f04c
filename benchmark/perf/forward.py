"""The forward pass of the sweep against the machine, and what setting the dial costs."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from benchmark import cost, tasks
from benchmark.build import build_backbone, build_method
from benchmark.discovery import create_method
from benchmark.perf.measure import Figure, rivals
from benchmark.sweep import ready, restored

SIDE = 2048
SIZE = (321, 481)
BATCH = 4
BACKBONE = "adafm_net"
FOLDING = ("dni", "adafm", "decouple", "ftn", "tunable_conv", "hypernet")
CPU = torch.device("cpu")


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
                "switch": lambda m=method, level=level: m.tuned(next(level)),
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
