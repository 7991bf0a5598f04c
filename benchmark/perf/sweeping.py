"""A sweep against nothing but its forward passes, and against a sweep as scripts write it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmark import tasks
from benchmark.build import build_method, create_method
from benchmark.data.samples import Samples
from benchmark.data.sources import open_set
from benchmark.engines.local import threads_each
from benchmark.method import ControlMethod
from benchmark.metrics.scorer import Scorer, availability
from benchmark.perf.measure import PHOTOGRAPHS, SIZE, Figure, elsewhere, rivals
from benchmark.scoring.forward import batches, ready, restored, scored
from benchmark.tasks import Task

BACKBONE, METHOD = "adafm_net", "adafm"
EVERY = 2
"""Every second level is enough for a ratio."""
FIDELITY = ("psnr-rgb", "ssim-rgb")
CPU = torch.device("cpu")


def figures() -> Iterator[Figure]:
    """Yields ratios over levels of the task's grid, on photographs of CBSD68's size."""
    with tempfile.TemporaryDirectory() as folder:
        _write_photographs(Path(folder))
        task, method, samples = _subject(folder)
        every = [one for one, reason in availability(task.metrics).items() if reason is None]
        with elsewhere(_script, folder) as script:
            times = rivals(
                {
                    "forwards": _forwards(method, samples),
                    "fidelity": lambda: _ours(method, samples, FIDELITY),
                    "every": lambda: _ours(method, samples, every),
                    "script": script,
                }
            )
    yield Figure(
        "sweep with PSNR and SSIM against its forward passes",
        times["fidelity"] / times["forwards"],
        limit=1.15,
        note=f"{len(task.grid[::EVERY])} levels, {len(PHOTOGRAPHS)} images, {times['fidelity']:.1f} s",
    )
    yield Figure(
        "sweep as scripts write it against ours",
        times["script"] / times["fidelity"],
        limit=3,
        at_least=True,
        note="per level and image, NCHW, default allocator, scikit-image",
    )
    yield Figure(
        "sweep with every metric against its forward passes",
        times["every"] / times["forwards"],
        note=", ".join(one.partition("@")[0] for one in every),
    )


def _subject(folder: str) -> tuple[Task, ControlMethod, Samples]:
    task = tasks.get("denoise")
    samples = Samples(open_set(folder, "test"), task)
    method = build_method(create_method(METHOD), BACKBONE, task, 0).eval().requires_grad_(False)
    return task, method, samples


def _write_photographs(folder: Path) -> None:
    from PIL import Image
    from skimage import data, transform

    for name in PHOTOGRAPHS:
        pixels = transform.resize(getattr(data, name)()[..., :3], SIZE, preserve_range=True)
        Image.fromarray(pixels.astype("uint8")).save(folder / f"{name}.png")


def _forwards(method: Any, samples: Samples) -> Callable[[], None]:
    """Returns the forward passes of a sweep by themselves: folded and degraded beforehand."""
    levels = samples.task.grid[::EVERY]
    folded = [ready(method.tuned(level), CPU) for level in levels]
    given = [
        [samples.degraded(index, level).contiguous() for index in range(len(samples))]
        for level in levels
    ]

    def run() -> None:
        for network, images in zip(folded, given, strict=True):
            restored(network, images, CPU)

    return run


def _ours(method: Any, samples: Samples, metrics: tuple[str, ...] | list[str]) -> None:
    fresh = Samples(samples.images, samples.task)
    scorer = Scorer(metrics, samples.task.protocol)
    groups = batches([fresh.clean(index).shape[1:] for index in range(len(fresh))])
    for level in samples.task.grid[::EVERY]:
        network = ready(method.tuned(level), CPU)
        for _ in scored(
            network,
            lambda index, at=level: fresh.degraded(index, at),
            fresh,
            level,
            groups,
            scorer,
            CPU,
        ):
            pass


def _script(folder: str) -> Callable[[], None]:
    """Returns a sweep of one level and image after the other: decode, degrade, restore, score."""
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    task, method, samples = _subject(folder)
    torch.set_num_threads(threads_each(1))

    def run() -> None:
        for level in task.grid[::EVERY]:
            for index in range(len(samples)):
                fresh = Samples(samples.images, task)
                with torch.no_grad():
                    output: Tensor = method(fresh.degraded(index, level)[None], level[0])
                pixels = (output[0].clamp(0, 1) * 255).round().permute(1, 2, 0).numpy() / 255
                clean = fresh.clean(index).permute(1, 2, 0).numpy()
                peak_signal_noise_ratio(clean, pixels, data_range=1)
                structural_similarity(
                    clean,
                    pixels,
                    data_range=1,
                    channel_axis=2,
                    gaussian_weights=True,
                    sigma=1.5,
                    use_sample_covariance=False,
                )

    return run
